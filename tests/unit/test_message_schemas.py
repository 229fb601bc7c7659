"""The schemas in docs/schemas are up to date, and right for messages of every kind.

What the app really sends is checked against them in every test that runs the whole app (`tests/fakes/app.py`,
`tests/e2e`).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from scripts.message_schemas import FOLDER, message_schemas, text_of
from shared.api import openapi_examples as examples
from tests.messages import faults

BARE = examples.EVENT
CLOUD = examples.CLOUD_EVENT


@pytest.mark.parametrize("name", sorted(message_schemas()))
def test_each_file_is_what_the_description_says(name: str) -> None:
    """Each schema file is up to date with the description, valid, and free of references to other documents."""
    text = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert text == text_of(message_schemas()[name])
    Draft202012Validator.check_schema(json.loads(text))
    assert "#/components/" not in text


def test_there_is_no_other_file() -> None:
    """docs/schemas holds no file that is not generated."""
    assert {path.stem for path in FOLDER.glob("*.json")} == set(message_schemas())


@pytest.mark.parametrize("example", examples.REQUESTS.values(), ids=list(examples.REQUESTS))
def test_requests_in_every_form_are_described(example: dict[str, Any]) -> None:
    """The request queue's schema accepts requests in every form."""
    assert faults("request-queue", json.dumps(example["value"])) == []


@pytest.mark.parametrize("event", [BARE, CLOUD, [CLOUD], examples.GRID_EVENT, [examples.GRID_EVENT]])
def test_events_in_every_envelope_are_described(event: object) -> None:
    """The job-completion queue's schema accepts events in every envelope."""
    assert faults("job-completion-queue", json.dumps(event)) == []


@pytest.mark.parametrize(
    ("queue", "message"),
    [
        ("request-queue", examples.REQUEST | {"ifmatch": "1"}),
        ("request-queue", examples.REQUEST | {"timeout": "30"}),
        ("request-queue", examples.REQUEST | {"deleteAfter": None}),
        ("request-queue", {"requests": []}),
        ("job-completion-queue", {"jobId": "render-7"}),
        ("job-completion-queue", BARE | {"select": "all"}),
        ("job-completion-queue", [CLOUD, CLOUD]),
        ("result-queue", CLOUD),
        ("own-messages", {"work": {}}),
    ],
)
def test_what_the_app_would_not_take_or_send_is_not_described(queue: str, message: object) -> None:
    """The schemas refuse messages that the app would not accept or send."""
    assert faults(queue, json.dumps(message)) != []
