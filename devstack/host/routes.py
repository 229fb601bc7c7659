"""Route templates such as `tasks/{id}`, and paths as the router sees them.

Of ASP.NET Core's templates, only whole segments are supported; anything else is refused at start-up.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

_PARAMETER = re.compile(r"\{([A-Za-z]\w*)\}")
_LITERAL = re.compile(r"[\w.~-]+")
_ENCODED_SLASH = re.compile("(%2f)", re.IGNORECASE)
_LONE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_RESERVED = ("admin", "runtime")


class RouteTemplate:
    """One route, compiled. Raises ValueError for a template that is not served."""

    def __init__(self, template: str, prefix: str = "") -> None:
        segments = template.strip("/").split("/")
        if segments[0].lower() in _RESERVED:
            raise ValueError(f"route {template} is reserved by the host")
        if prefix:
            segments = [*prefix.split("/"), *segments]
        self._pattern = re.compile("".join(f"/{_segment(segment)}" for segment in segments), re.IGNORECASE)
        self.rank = tuple(segment.startswith("{") for segment in segments)
        """If two routes match a path, the lower one serves it: a literal wins over a parameter."""

    def match(self, path: str) -> dict[str, str] | None:
        """Route parameters of a decoded path, whatever the case of its literals; None if the route does not match."""
        found = self._pattern.fullmatch("/" + path.strip("/"))
        return found.groupdict() if found else None


def _segment(segment: str) -> str:
    if parameter := _PARAMETER.fullmatch(segment):
        return f"(?P<{parameter[1]}>[^/]+)"
    if _LITERAL.fullmatch(segment):
        return re.escape(segment)
    raise ValueError(f"route segment {segment!r} is not imitated, only literals and {{name}}")


def decoded_path(raw: str) -> str:
    """The path as the router sees it: decoded except for encoded slashes and invalid UTF-8, dots folded.

    Raises ValueError for an encoded NUL, which Kestrel answers with 400.
    """
    if "%00" in raw:
        raise ValueError("an encoded NUL")
    decoded = "".join(part if _ENCODED_SLASH.fullmatch(part) else _unquoted(part) for part in _ENCODED_SLASH.split(raw))
    folded: list[str] = []
    for segment in decoded.split("/"):
        if segment == "..":
            folded = folded[:-1] or [""]
        elif segment != ".":
            folded.append(segment)
    return "/".join(folded)


def encoded_path(decoded: str) -> str:
    """A decoded path as it appears in the request's `url`."""
    return _LONE_PERCENT.sub("%25", quote(decoded, safe="/:@!$&'()*+,;=~%"))


def _unquoted(part: str) -> str:
    text = unquote(part, errors="surrogateescape")
    return re.sub("[\udc80-\udcff]", lambda lone: f"%{ord(lone[0]) - 0xDC00:02X}", text)
