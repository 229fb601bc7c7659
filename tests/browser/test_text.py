"""The pure part of the page's JavaScript, by node's own test runner."""

from __future__ import annotations

import subprocess
from pathlib import Path

from devstack.azurite.install import find_node


def test_text_is_made_as_it_says() -> None:
    """The page's pure functions (times, counts, fragments, verdict, progress, form) pass their tests in node."""
    node = find_node()
    assert node is not None
    command = [node.program, "--test", str(Path(__file__).with_name("text.test.mjs"))]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
