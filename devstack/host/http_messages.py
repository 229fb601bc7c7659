"""HTTP requests and replies as values, and their conversion from and to what the worker exchanges."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from azure.functions.meta import Datum


@dataclass(frozen=True)
class HttpRequest:
    """One request as it arrived."""

    method: str
    target: str
    """Raw path and query."""
    headers: Sequence[tuple[str, str]]
    body: bytes = b""

    @property
    def path(self) -> str:
        """Raw path, without the query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """Query values: empty ones are dropped and repeated ones joined by a comma, as the host does."""
        return _joined(parse_qsl(urlsplit(self.target).query))

    def header(self, name: str) -> str | None:
        """A header's value, whatever the case of its name."""
        return self.folded_headers().get(name.lower())

    def folded_headers(self) -> dict[str, str]:
        """One value per lower-case name."""
        return _joined([(name.lower(), value) for name, value in self.headers])


@dataclass(frozen=True)
class HttpReply:
    """One answer; length and date are added on the way out."""

    status: int
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = field(default=b"", repr=False)


def json_reply(status: int, document: Any) -> HttpReply:
    """A reply of the host's own."""
    return HttpReply(status, [("Content-Type", "application/json; charset=utf-8")], json.dumps(document).encode())


def request_datum(request: HttpRequest, route_parameters: Mapping[str, str]) -> Datum:
    """The request in the shape that the worker decodes into `azure.functions.HttpRequest`."""
    host = request.header("host") or "127.0.0.1"
    return Datum(
        {
            "method": Datum(request.method, "string"),
            "url": Datum(f"http://{host}{request.target}", "string"),
            "headers": _text_datums(request.folded_headers()),
            "query": _text_datums(request.query),
            "params": _text_datums(route_parameters),
            "body": Datum(request.body, "bytes"),
        },
        "http",
    )


def reply_of(value: Datum | None) -> HttpReply:
    """The answer that an HTTP function's output value stands for; none at all is an empty 200."""
    if value is None:
        return HttpReply(200)
    if value.type == "http":
        return _structured_reply(value.value)
    return _sniffed_reply(str(value.value))


def _structured_reply(parts: Mapping[str, Any]) -> HttpReply:
    headers = [(name, datum.value) for name, datum in parts["headers"].items()]
    headers += [("Set-Cookie", morsel.OutputString()) for jar in parts["cookies"] or () for morsel in jar.values()]
    return HttpReply(_status(parts["status_code"].value), headers, parts["body"].value)


def _sniffed_reply(text: str) -> HttpReply:
    """A function that returns plain text: JSON with a `body` is taken as an envelope (`HttpBinding.CreateResult`)."""
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        return _text_reply(200, [], text)
    if "body" not in parsed:
        return _text_reply(200, [], json.dumps(parsed, indent=2, ensure_ascii=False))
    status = _status(parsed.get("statusCode", parsed.get("status", 200)))
    body = parsed["body"] if isinstance(parsed["body"], str) else json.dumps(parsed["body"], indent=2)
    return _text_reply(status, [(name, str(value)) for name, value in (parsed.get("headers") or {}).items()], body)


def _text_reply(status: int, headers: list[tuple[str, str]], text: str) -> HttpReply:
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers = [*headers, ("Content-Type", "text/plain; charset=utf-8")]
    return HttpReply(status, headers, text.encode())


def _status(value: object) -> int:
    text = str(value).strip()
    return int(text) if text.isdecimal() else 200  # the host answers 200 to what is no number


def _text_datums(values: Mapping[str, str]) -> dict[str, Datum]:
    return {name: Datum(value, "string") for name, value in values.items()}


def _joined(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in pairs:
        values[name] = f"{values[name]},{value}" if name in values else value
    return values
