"""ASP.NET Core route templates: `tasks/{id}`, `{id?}`, `{id:int}`, `{id=5}`, `{*rest}`; literals ignore case."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from devstack.host.route_constraints import Constraint, parse_constraint

_PARAMETER = re.compile(
    r"(?P<star>\*{0,2})(?P<name>[^:=?*{}]+)(?P<constraints>(?::[^=?]+)*)(?:=(?P<default>[^?]*))?(?P<optional>\?)?"
)
_ENCODED_SLASH = re.compile("%2f", re.IGNORECASE)


@dataclass(frozen=True)
class _Parameter:
    name: str
    catch_all: bool
    optional: bool
    default: str | None
    constraints: tuple[Constraint, ...]

    @property
    def may_be_absent(self) -> bool:
        return self.optional or self.catch_all or self.default is not None


class RouteTemplate:
    """One route, compiled. Raises ValueError for a template that ASP.NET would refuse."""

    def __init__(self, template: str) -> None:
        self._parameters: list[_Parameter] = []
        pattern = ""
        for segment in template.strip("/").split("/") if template.strip("/") else []:
            pattern += self._segment(segment)
        self._pattern = re.compile(pattern, re.IGNORECASE)

    def match(self, path: str) -> dict[str, str] | None:
        """Route parameters of a decoded path, absent optional ones left out; None when the route does not match."""
        found = self._pattern.fullmatch("/" + path.strip("/") if path.strip("/") else "")
        if found is None:
            return None
        values: dict[str, str] = {}
        for position, parameter in enumerate(self._parameters):
            value = found[f"p{position}"] or parameter.default
            if value is None:
                continue
            if not all(constraint(value) for constraint in parameter.constraints):
                return None
            values[parameter.name] = value
        return values

    def _segment(self, segment: str) -> str:
        """The regular expression of one segment with its slash before it."""
        pieces = re.split(r"(\{(?!\{)(?:[^{}]|\{\{|\}\})+\})", segment)
        patterns, absent = [], False
        for piece in pieces:
            if piece.startswith("{") and not piece.startswith("{{"):
                parameter = _parse_parameter(piece[1:-1])
                patterns.append(self._group(parameter))
                absent = parameter.may_be_absent
            elif piece:
                patterns.append(re.escape(piece.replace("{{", "{").replace("}}", "}")))
        whole = "/" + "".join(patterns)
        return f"(?:{whole})?" if absent and len(patterns) == 1 else whole

    def _group(self, parameter: _Parameter) -> str:
        self._parameters.append(parameter)
        return f"(?P<p{len(self._parameters) - 1}>{'.*' if parameter.catch_all else '[^/]+'})"


def _parse_parameter(text: str) -> _Parameter:
    match = _PARAMETER.fullmatch(text)
    if match is None:
        raise ValueError(f"route parameter {{{text}}} is malformed")
    return _Parameter(
        name=match["name"],
        catch_all=bool(match["star"]),
        optional=match["optional"] is not None,
        default=match["default"],
        constraints=tuple(parse_constraint(part) for part in _split_constraints(match["constraints"])),
    )


def _split_constraints(text: str) -> list[str]:
    """`:int:min(1)` in pieces; a colon inside parentheses belongs to its argument."""
    return re.findall(r":((?:[^:(]+)(?:\(.*?\)(?=:|$))?)", text)


def decoded_path(raw: str) -> str:
    """The path as the router sees it: percent-decoded, but for an encoded slash, which Kestrel leaves as it is."""
    return _ENCODED_SLASH.sub("%2F", "%2F".join(unquote(part) for part in _ENCODED_SLASH.split(raw)))
