"""Checks the app's answers and queue messages against its published description.

Answers may get new fields in time, so the description leaves their objects open. Here they are closed: a field that no
schema names is a fault of the description.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

Schema = dict[str, Any]

_OF_HTTP = frozenset({"content-length", "content-type", "date", "server", "connection", "transfer-encoding"})


class Description:
    """A published description, and the check of answers and bodies against it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._components = closed(document["components"])
        # A concrete path comes before one with parameters, as the specification says.
        self._paths = sorted(document["paths"], key=lambda path: path.count("{"))

    def answer_faults(self, method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> list[str]:
        """How an answer differs from the description; `path` is without `/api`."""
        operation = self._operation(method, path)
        if operation is None:
            return [] if status == 404 else [f"{method} {path} is no call of the description"]
        answer = operation["responses"].get(str(status))
        if answer is None:
            return [f"status {status} is not described"]
        return [*self._header_faults(answer, headers), *self._content_faults(answer, headers, body)]

    def body_faults(self, method: str, path: str, kind: str, body: object) -> list[str]:
        """How a request body differs from the description."""
        operation = self._operation(method, path)
        if operation is None:
            return [f"{method} {path} is no call of the description"]
        return self._faults(operation["requestBody"]["content"][kind]["schema"], body)

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        for template in self._paths:
            pattern = re.sub(r"{\w+}", "[^/]+", template)
            if re.fullmatch(pattern, path) and method.lower() in self._document["paths"][template]:
                found: dict[str, Any] = self._document["paths"][template][method.lower()]
                return found
        return None

    def _header_faults(self, answer: dict[str, Any], headers: Mapping[str, str]) -> list[str]:
        described = answer.get("headers", {})
        there = {name.lower(): text for name, text in headers.items()}
        faults = [f"header {name} is not described" for name in there.keys() - described.keys() - _OF_HTTP]
        for name, header in described.items():
            found = self._document["components"]["headers"][name] if "$ref" in header else header
            if name in there:
                faults += [f"header {name}: {fault}" for fault in self._faults(found["schema"], there[name])]
            elif found.get("required"):
                faults.append(f"header {name} is not there")
        return faults

    def _content_faults(self, answer: dict[str, Any], headers: Mapping[str, str], body: bytes) -> list[str]:
        kind = headers.get("content-type", "").partition(";")[0]
        if "content" not in answer:
            return [f"has content of the type {kind!r}: {body[:100]!r}"] if body or kind else []
        if kind not in answer["content"]:
            return [f"content type {kind!r} is not described"]
        if kind != "application/json":
            return []
        return self._faults(answer["content"][kind]["schema"], json.loads(body))

    def _faults(self, schema: Schema, value: object) -> list[str]:
        whole = {**schema, "components": self._components}
        checker = Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)
        return [f"{error.json_path}: {error.message}" for error in checker.iter_errors(value)]


def closed(schema: Any) -> Any:
    """The schemas without room for fields that they do not name."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(inner) for name, inner in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        found.setdefault("additionalProperties", False)
    return found
