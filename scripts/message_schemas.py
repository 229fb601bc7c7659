"""Writes docs/schemas: a JSON Schema for each queue, from the description that the app publishes.

    python -m scripts.message_schemas

`own-messages` are those that the app sends to itself on the two input queues; nobody else may send them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from shared.api.openapi import document
from shared.api.openapi_dialect import REF, Schema
from shared.ledger.record import Origin
from shared.ledger.work import MAX_ROWS

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "schemas"
QUEUES = {"request-queue": "taskDeleteRequest", "job-completion-queue": "jobCompletion", "result-queue": "result"}
OWN = "own-messages"

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_MOMENT: Schema = {"type": "string", "format": "date-time"}
_COUNT: Schema = {"type": "integer", "minimum": 0}


def message_schemas() -> dict[str, Schema]:
    """The schema of each file, by its name without `.json`."""
    found = {name: _of_webhook(webhook) for name, webhook in QUEUES.items()}
    found["job-completion-queue"]["anyOf"].append(_list_of_one(found["job-completion-queue"]["anyOf"]))
    return found | {OWN: _whole(_own())}


def text_of(schema: Schema) -> str:
    """The contents of a schema's file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _of_webhook(name: str) -> Schema:
    message = document()["webhooks"][name]["post"]
    schema = message["requestBody"]["content"]["application/json"]["schema"]
    described = {"title": message["summary"], "description": message["description"]}
    return _whole(described | {key: part for key, part in schema.items() if key != "discriminator"})


def _list_of_one(kinds: list[Schema]) -> Schema:
    return {"type": "array", "items": {"anyOf": list(kinds)}, "minItems": 1, "maxItems": 1}


def _whole(schema: Schema) -> Schema:
    """The schema, with every schema that it refers to included."""
    named = document()["components"]["schemas"]
    wanted, found = _names(schema), dict[str, Any]()
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = named[name]
            wanted |= _names(named[name])
    text = json.dumps({"$schema": _DIALECT, **schema, "$defs": dict(sorted(found.items()))})
    whole: Schema = json.loads(text.replace(f'"{REF}', '"#/$defs/'))
    return whole


def _names(schema: Schema) -> set[str]:
    return set(re.findall(rf'"{REF}(\w+)"', json.dumps(schema)))


def _own() -> Schema:
    return {
        "title": "A message of the app to itself",
        "description": "Rows of requests on the request queue; steps of clean-ups, of single tasks and of sweeps on the "
        "job-completion queue. Its form may change with each version.",
        "anyOf": [_object(name, **{name: schema}) for name, schema in {"work": _rows(), **_steps()}.items()],
    }


def _rows() -> Schema:
    row = _object(
        "request",
        request={"$ref": f"{REF}DeletionRequest"},
        etag={"type": "string"},
        generation=_COUNT,
        retry=_object("attempts maybeEffect at", attempts=_COUNT, maybeEffect={"type": "boolean"}, at=_MOMENT),
    )
    return _object(
        "v origin parentId acceptedAt rows",
        v={"const": 1},
        origin={"type": "string", "enum": [origin.value for origin in Origin]},
        parentId={"type": ["string", "null"], "format": "uuid"},
        acceptedAt=_MOMENT,
        policy={"type": "string"},
        rows={"type": "array", "items": row, "minItems": 1, "maxItems": MAX_ROWS},
    )


def _steps() -> dict[str, Schema]:
    return {
        "page": _object(
            "v event acceptedAt step continuation",
            v={"const": 1},
            event={"$ref": f"{REF}JobEvent"},
            acceptedAt=_MOMENT,
            step=_COUNT,
            continuation={"type": ["string", "null"]},
        ),
        "task": _object(
            "v record acceptedAt attempts generation",
            v={"const": 1},
            record={"$ref": f"{REF}DiagnosticRecord"},
            acceptedAt=_MOMENT,
            attempts=_COUNT,
            generation=_COUNT,
        ),
        "sweep": _object(
            "v id step repeat",
            v={"const": 1},
            id={"type": "string", "format": "uuid"},
            step=_COUNT,
            repeat={"type": "boolean"},
        ),
    }


def _object(required: str, **properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def main() -> None:
    """Writes the files."""
    FOLDER.mkdir(exist_ok=True)
    for name, schema in message_schemas().items():
        (FOLDER / f"{name}.json").write_text(text_of(schema), encoding="utf-8")


if __name__ == "__main__":
    main()
