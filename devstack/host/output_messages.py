"""Which messages a value set on a queue output becomes.

The host's own conversion (FunctionBinding.BindAsyncCollectorAsync of azure-functions-host), surprises included:
text that looks like JSON is parsed and written anew, bytes pass untouched.
"""

from __future__ import annotations

import json
from typing import Any

_PAIRS = (("{", "}"), ("[", "]"))


def enqueued_bodies(kind: str, value: Any) -> list[bytes]:
    """Message bodies, before any base64, for a value of the kind that the worker sends.

    Raises ValueError for text that begins and ends like JSON but is none: the host fails the invocation there,
    after the function's own code has run.
    The real host also rewrites dates in ISO 8601 inside such text; that is not reproduced.
    """
    if kind == "bytes":
        return [bytes(value)]
    if kind == "json" or (kind == "string" and _looks_like_json(value)):
        parsed = json.loads(value)
        return [_text_of(token).encode() for token in (parsed if isinstance(parsed, list) else [parsed])]
    return [str(value).encode()]


def _looks_like_json(text: str) -> bool:
    stripped = text.strip()
    return any(stripped.startswith(first) and stripped.endswith(last) for first, last in _PAIRS)


def _text_of(token: Any) -> str:
    if token is None:
        return ""
    if isinstance(token, (dict, list)):
        return json.dumps(token, indent=2, ensure_ascii=False)
    return str(token)  # True and False are spelled the same in .NET
