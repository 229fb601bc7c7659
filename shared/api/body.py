"""The body of an HTTP call: it must be JSON in UTF-8, and not empty."""

from __future__ import annotations

import re

from shared.api.answer import Call
from shared.errors import InvalidInput, Problem
from shared.parsing import strict_json

UNSUPPORTED = "UnsupportedMediaType"

_JSON_TYPE = re.compile(r"application/(?:[a-z0-9!#$&^_.+-]+\+)?json\s*(?:;|$)", re.IGNORECASE)
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\";\s]*)\"?\s*(?=;|$)", re.IGNORECASE)
_UTF_8 = frozenset({"utf-8", "utf8"})


def require_json(call: Call) -> None:
    """Raises InvalidInput (415) for a content type that is neither absent nor JSON in UTF-8.

    Other parameters are allowed: the REST operation's type is `application/json; odata=minimalmetadata`.
    """
    media_type = call.headers.get("content-type", "").strip()
    charsets = {found.lower() for found in _CHARSET.findall(media_type)}
    if media_type and not (_JSON_TYPE.match(media_type) and charsets <= _UTF_8):
        text = "must be application/json or another JSON type, in UTF-8, or absent"
        raise InvalidInput([Problem("content-type", text)], UNSUPPORTED)


def read_json(call: Call, max_bytes: int) -> object:
    """The JSON value of the body, with a `strict_json.Fault` in place of each invalid part. Raises InvalidInput."""
    require_json(call)
    refuse_empty(call)
    return strict_json.read(call.body, max_bytes=max_bytes)


def parse_json(call: Call, max_bytes: int) -> object:
    """The JSON value of a body without faults. Raises InvalidInput."""
    require_json(call)
    refuse_empty(call)
    return strict_json.parse(call.body, max_bytes=max_bytes)


def refuse_empty(call: Call) -> None:
    """Raises InvalidInput for an empty body. A body sent without `Content-Length` arrives here empty."""
    # Seen on Functions host 4.1037: a chunked body does not reach a Python function.
    if not call.body.strip():
        raise InvalidInput.at("", "is empty; a body sent without Content-Length (chunked) arrives empty")
