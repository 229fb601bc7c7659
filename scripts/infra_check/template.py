"""The Bicep files of a folder as trees, and what stands in an expression.

pycep marks identifiers with its BicepElement and leaves literals plain `str`; `${...}` inside of a literal
stays text, so it is parsed again here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lark.exceptions import LarkError
from pycep import BicepParser
from pycep.models import BicepElement

Node = Any
"""A piece of the tree: dict, list, BicepElement (an identifier), str, int, bool or None."""

INTERPOLATION = re.compile(r"\$\{([^{}]*)\}")


class UnreadableTemplate(Exception):
    """Raised when a file is no Bicep that the parser understands."""


@dataclass(frozen=True)
class BicepFile:
    """One parsed file; the maps go from the symbol's name to pycep's attributes."""

    path: Path
    parameters: dict[str, Node]
    variables: dict[str, Node]
    resources: dict[str, Node]
    modules: dict[str, Node]
    outputs: dict[str, Node]

    def symbols(self) -> set[str]:
        """Every name that an expression of this file may use."""
        return {*self.parameters, *self.variables, *self.resources, *self.modules}

    def module_path(self, name: str) -> Path:
        """The file that a module stands in."""
        return (self.path.parent / str(self.modules[name]["detail"]["path"])).resolve()


def load(folder: Path) -> dict[Path, BicepFile]:
    """Every Bicep file under a folder. Raises UnreadableTemplate with the file's name."""
    return {path.resolve(): read(path.resolve()) for path in sorted(folder.rglob("*.bicep"))}


def read(path: Path) -> BicepFile:
    """One file, parsed."""
    try:
        tree = _parse(path.read_text(encoding="utf-8"))
    except (LarkError, ValueError, TypeError) as fault:
        raise UnreadableTemplate(f"{path.name}: {fault}") from fault
    parts = ("parameters", "variables", "resources", "modules", "outputs")
    return BicepFile(path, *(tree.get(part, {}) for part in parts))


def expression(text: str) -> Node:
    """The tree of what stands inside of `${...}`."""
    return _parse(f"var inner = {text}\n")["variables"]["inner"]["value"]


def identifiers(node: Node, *, member: bool = False) -> Iterator[str]:
    """The symbols that an expression uses; `member` for what follows a dot, which is no symbol."""
    if isinstance(node, BicepElement):
        if not member:
            yield str(node)
    elif isinstance(node, str):
        for inner in INTERPOLATION.findall(node):
            yield from identifiers(expression(inner))
    elif isinstance(node, list):
        for item in node:
            yield from identifiers(item)
    elif isinstance(node, dict):
        yield from _within(node, member=member)


def accessor(node: Node) -> tuple[str, Node, Node] | None:
    """Kind, left and right side of `a.b` and `a[b]`; None for anything else."""
    operator = node.get("operator") if isinstance(node, dict) else None
    if isinstance(operator, dict) and operator["type"] in {"property_accessor", "index_accessor"}:
        left, right = operator["operands"].values()
        return operator["type"], left, right
    return None


def path_of(node: Node) -> list[str]:
    """`batchAccess[i].outputs.url` as its names, indices left out; empty when it does not begin with a name."""
    if isinstance(node, BicepElement):
        return [str(node)]
    found = accessor(node)
    if found is None:
        return []
    kind, left, right = found
    start = path_of(left)
    return start + path_of(right) if start and kind == "property_accessor" else start


def paths(node: Node) -> Iterator[list[str]]:
    """Every dotted path in an expression, the ones in interpolations too."""
    if accessor(node) is not None:
        yield path_of(node)
    if isinstance(node, str) and not isinstance(node, BicepElement):
        for inner in INTERPOLATION.findall(node):
            yield from paths(expression(inner))
    for child in children(node):
        yield from paths(child)


def children(node: Node) -> list[Node]:
    """The direct parts of a list or a mapping."""
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []


def _within(node: dict[str, Node], *, member: bool) -> Iterator[str]:
    found = accessor(node)
    if found is not None:
        kind, left, right = found
        yield from identifiers(left, member=member)
        yield from identifiers(right, member=kind == "property_accessor")
        return
    bound: set[str] = set()
    loop = node.get("loop_type")
    if isinstance(loop, dict):
        bound = {str(name) for key, name in loop["detail"].items() if key != "array_name"}
        yield from identifiers(loop["detail"]["array_name"])
    # Keys are symbols only inside of an interpolation; those of pycep's own are never written so.
    for key, child in node.items():
        yield from identifiers(str(key))
        if key != "loop_type":
            yield from (name for name in identifiers(child) if name not in bound)


@cache
def _parse(text: str) -> dict[str, Node]:
    return dict(_parser().parse(text=text))


@cache
def _parser() -> BicepParser:
    return BicepParser(cache=False)
