"""What the templates come to when every parameter has its default: values where they are known, else `Unknown`.

Only as much of the language as infra/ uses. What depends on Azure (ids, endpoints) is Unknown and keeps its text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pycep.models import BicepElement

from scripts.infra_check.template import INTERPOLATION, BicepFile, Node, accessor, expression, path_of


@dataclass(frozen=True)
class Unknown:
    """A value that only a deployment knows, by the expression that stands for it."""

    text: str


@dataclass(frozen=True)
class Resource:
    """One resource as it would be deployed."""

    file: str
    symbol: str
    type: str
    existing: bool
    config: Node


@dataclass(frozen=True)
class Scope:
    """One use of a file: its parameters' values and what the loops around an expression bound."""

    file: BicepFile
    parameters: dict[str, Node]
    bound: dict[str, Node] = field(default_factory=dict)

    def value(self, node: Node) -> Node:
        """The value of an expression."""
        if isinstance(node, BicepElement):
            return self._symbol(str(node))
        if isinstance(node, str):
            return self._text(node)
        if isinstance(node, list):
            return [self.value(item) for item in node]
        if isinstance(node, dict):
            return self._compound(node)
        return node

    def bodies(self, config: Node) -> Iterator[tuple[Scope, Node]]:
        """The bodies of a resource or module, one for each turn of its loop; a condition counts as true."""
        if "loop_type" in config:
            for scope in self._turns(config["loop_type"]["detail"]):
                yield scope, config["config"]
        elif "condition" in config and "config" in config:
            yield self, config["config"]
        else:
            yield self, config

    def _turns(self, loop: dict[str, Node]) -> Iterator[Scope]:
        items = self.value(loop["array_name"])
        # A list that is empty by default, or not known: once, so that the body is looked at.
        for index, item in enumerate(items if isinstance(items, list) and items else [Unknown(str(loop["item_name"]))]):
            bound = {str(loop["item_name"]): item, str(loop.get("index_name", "")): index}
            yield Scope(self.file, self.parameters, {**self.bound, **bound})

    def _symbol(self, name: str) -> Node:
        if name in self.bound:
            return self.bound[name]
        if name in self.parameters:
            return self.parameters[name]
        if name in self.file.variables:
            return self.value(self.file.variables[name]["value"])
        return Unknown(name)

    def _text(self, text: str) -> Node:
        values = [self.value(expression(inner)) for inner in INTERPOLATION.findall(text)]
        if any(isinstance(value, Unknown) for value in values):
            return Unknown(text)
        return INTERPOLATION.sub(lambda _: str(values.pop(0)), text)

    def _compound(self, node: dict[str, Node]) -> Node:
        if "loop_type" in node:
            return [scope.value(node["config"]) for scope in self._turns(node["loop_type"]["detail"])]
        if isinstance(node.get("function"), dict):
            return self._call(node["function"])
        if accessor(node) is not None:
            return self._member(node)
        if isinstance(node.get("operator"), dict):
            return self._operation(node["operator"])
        return {str(key).strip("'"): self.value(child) for key, child in node.items()}

    def _member(self, node: Node) -> Node:
        names = path_of(node)
        value = self.value(BicepElement(names[0])) if names else Unknown("")
        for name in names[1:]:
            value = value.get(name, Unknown(name)) if isinstance(value, dict) else Unknown(".".join(names))
        return value

    def _operation(self, operator: dict[str, Node]) -> Node:
        operands = operator["operands"]
        if operator["type"] == "not":
            return self._negation(operands["bool_value"])
        if operator["type"] == "conditional":
            return self._choice(operands, wanted=True)
        return Unknown(operator["type"])

    def _negation(self, node: Node) -> Node:
        inner = node.get("operator") if isinstance(node, dict) else None
        # pycep reads `!a ? b : c` as `!(a ? b : c)`; Bicep negates `a` alone.
        if isinstance(inner, dict) and inner["type"] == "conditional":
            return self._choice(inner["operands"], wanted=False)
        value = self.value(node)
        return (not value) if isinstance(value, bool) else Unknown("not")

    def _choice(self, operands: dict[str, Node], *, wanted: bool) -> Node:
        condition = self.value(operands["condition"])
        if isinstance(condition, Unknown):
            return condition
        return self.value(operands["true_value" if bool(condition) is wanted else "false_value"])

    def _call(self, function: dict[str, Node]) -> Node:
        name = str(function["type"])
        arguments = [self.value(part) for part in (function.get("parameters") or {}).values()]
        if name == "load_text_content":
            return (self.file.path.parent / str(arguments[0])).resolve().read_text(encoding="utf-8")
        return _FUNCTIONS[name](arguments) if name in _FUNCTIONS else Unknown(name)


def deployed(files: dict[Path, BicepFile], main: Path) -> list[Resource]:
    """Every resource that the main file and the modules under it declare, with its values."""
    return list(_declared(files, Scope(files[main], _defaults(files[main]))))


def _declared(files: dict[Path, BicepFile], scope: Scope) -> Iterator[Resource]:
    for symbol, resource in scope.file.resources.items():
        for turn, body in scope.bodies(resource["config"]):
            kind, existing = str(resource["type"]), bool(resource["existing"])
            yield Resource(scope.file.path.name, symbol, kind, existing, turn.value(body))
    for name, module in scope.file.modules.items():
        used = files[scope.file.module_path(name)]
        for turn, body in scope.bodies(module["config"]):
            passed = {key: turn.value(value) for key, value in body.get("params", {}).items()}
            yield from _declared(files, Scope(used, {**_defaults(used), **passed}))


def _defaults(file: BicepFile) -> dict[str, Node]:
    empty = Scope(file, {})
    return {
        name: Unknown(name) if parameter["default"] is None else empty.value(parameter["default"])
        for name, parameter in file.parameters.items()
    }


def _union(parts: list[Node]) -> Node:
    return {key: value for part in parts if isinstance(part, dict) for key, value in part.items()}


def _join(parts: list[Node]) -> Node:
    items, separator = parts
    known = isinstance(items, list) and not any(isinstance(item, Unknown) for item in items)
    return str(separator).join(items) if known else Unknown("join")


def _resource_id(parts: list[Node]) -> Node:
    return "/".join(str(part) for part in parts if part is not None)


_FUNCTIONS: dict[str, Callable[[list[Node]], Node]] = {
    "union": _union,
    "join": _join,
    "empty": lambda parts: Unknown("empty") if isinstance(parts[0], Unknown) else not parts[0],
    "subscription_resource_id": _resource_id,
}
