"""Which Node runs the storage emulator."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from devstack.azurite.install import Node, find_node


def _program(directory: Path, name: str, says: str) -> str:
    path = directory / name
    path.write_text(f"#!/bin/sh\necho {says}\n")
    path.chmod(stat.S_IRWXU)
    return str(path)


def test_node_of_the_search_path_is_taken_with_its_npm(tmp_path: Path) -> None:
    """A Node on the search path that is new enough is used together with its npm."""
    node, npm = _program(tmp_path, "node", "v20.20.2"), _program(tmp_path, "npm", "10")
    assert find_node(str(tmp_path)) == Node(node, (npm,))


@pytest.mark.parametrize("says", ["v18.19.0", "nonsense"])
def test_an_old_node_is_as_good_as_none(tmp_path: Path, says: str) -> None:
    """If Node is too old, the one from PyPI is used, with its npm."""
    old = _program(tmp_path, "node", says)
    _program(tmp_path, "npm", "10")
    assert _is_not_from_the_path(find_node(str(tmp_path)), old)


def test_node_without_npm_is_as_good_as_none(tmp_path: Path) -> None:
    """A Node without npm, as Debian's package installs it, is not used."""
    node = _program(tmp_path, "node", "v22.1.0")
    assert _is_not_from_the_path(find_node(str(tmp_path)), node)


def _is_not_from_the_path(found: Node | None, node: str) -> bool:
    """Whether Node and npm are not those of the search path: none yet, or the existing ones from PyPI."""
    if found is None:
        return True
    parts = [Path(found.program), *map(Path, found.npm)]
    return found.program != node and all(part.is_file() for part in parts)
