"""The published OpenAPI description is valid and matches what the app does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate
from pydantic.alias_generators import to_camel

from shared.api.letter_pass import BulkFilters, BulkRedrive
from shared.api.openapi import document
from shared.cleanup.event import read_event
from shared.parsing.strict_model import checked
from shared.request.envelope import read_requests
from shared.request.model import DeletionRequest
from tests.description import Description
from tests.functions import functions

ROOT = Path(__file__).resolve().parents[3]
ACCOUNTS = ("https://account.westeurope.batch.azure.com",)
NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)


def routes() -> dict[tuple[str, str], str]:
    """Method and route of every HTTP function, and its auth level."""
    found = {}
    for function in functions():
        trigger = function.get_trigger()
        if trigger.type == "httpTrigger":
            for method in trigger.methods:
                found[method.value.lower(), f"/{trigger.route}"] = trigger.auth_level.value.lower()
    return found


ROUTES = routes()


def test_the_document_is_valid_openapi_3_1() -> None:
    """The published description is valid OpenAPI 3.1."""
    validate(document())
    assert document()["openapi"].startswith("3.1")


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, verb and description of every HTTP call and every queue message."""
    for kind in ("paths", "webhooks"):
        for path, item in document()[kind].items():
            for verb, operation in item.items():
                yield path, verb, operation


def schemas(value: object, at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema object of the document with its place, without examples."""
    if isinstance(value, dict):
        yield at, value
        for name, inner in value.items():
            if name not in {"example", "examples"}:
                yield from schemas(inner, f"{at}/{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from schemas(inner, f"{at}/{index}")


SCHEMAS = [(at, found) for at, found in schemas(document()) if not at.endswith(("/properties", "/parameters"))]
OPERATIONS = [pytest.param(verb, operation, id=f"{verb} {path}") for path, verb, operation in operations()]


def test_every_route_is_described_and_every_description_has_a_route() -> None:
    """The paths and verbs of the document are those of the HTTP functions, no more and no fewer."""
    described = {(verb, path) for path, item in document()["paths"].items() for verb in item}
    assert described == set(ROUTES)


@pytest.mark.parametrize(("verb", "path"), sorted(ROUTES))
def test_only_health_and_the_page_need_no_key(verb: str, path: str) -> None:
    """Only `/health` and `/operations` need no key, in the description as in the functions."""
    is_open = document()["paths"][path][verb].get("security") == []
    assert ROUTES[verb, path] == ("anonymous" if is_open else "function")
    assert is_open == (path in {"/health", "/operations"})


@pytest.mark.parametrize(("verb", "path"), sorted(ROUTES))
def test_path_parameters_are_described(verb: str, path: str) -> None:
    """The description of each route has exactly the parameters in its path, all required."""
    named = set(re.findall(r"{(\w+)}", path))
    parameters = document()["paths"][path][verb].get("parameters", [])
    assert {p["name"] for p in parameters if p["in"] == "path" and p["required"]} == named


def test_the_request_schema_has_the_fields_of_the_model() -> None:
    """The published request schema has exactly the fields of the request model, and the same required ones."""
    schema = document()["components"]["schemas"]["DeletionRequest"]
    assert set(schema["properties"]) == {field.alias for field in DeletionRequest.model_fields.values()}
    assert schema["required"] == ["clientRequestId", "jobId", "taskId"]
    assert schema["additionalProperties"] is False


def test_no_function_both_reads_and_acts() -> None:
    """No HTTP function serves GET together with another verb, so a key for the reading functions cannot act."""
    for function in functions():
        trigger = function.get_trigger()
        if trigger.type == "httpTrigger":
            verbs = {method.value.upper() for method in trigger.methods}
            assert verbs == {"GET"} or "GET" not in verbs, function.get_function_name()


def test_the_command_for_a_reading_key_takes_the_functions_that_read() -> None:
    """The pattern in docs/deploy.md fits every function that is called with GET, and no other."""
    (pattern,) = re.findall(r"grep -E '(\S+)'", (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8"))
    names = {function.get_function_name(): function.get_trigger() for function in functions()}
    reading = {
        name
        for name, trigger in names.items()
        if trigger.type == "httpTrigger" and {method.value.upper() for method in trigger.methods} == {"GET"}
    }

    assert reading
    assert {name for name in names if re.search(pattern, name)} == reading


def test_operations_are_called_as_the_functions_are() -> None:
    """Each operation id is its function's name in camel case; the webhook handshake has its own."""
    named = dict.fromkeys(ROUTES)
    for function in functions():
        trigger = function.get_trigger()
        if trigger.type == "httpTrigger":
            for method in trigger.methods:
                named[method.value.lower(), f"/{trigger.route}"] = to_camel(function.get_function_name())
    named["options", "/job-completions"] = "allowJobCompletions"
    found = {(verb, path): op["operationId"] for path, verb, op in operations() if path.startswith("/")}
    assert found == named


@pytest.mark.parametrize(("verb", "operation"), OPERATIONS)
def test_every_operation_is_explained(verb: str, operation: dict[str, Any]) -> None:
    """Every operation has one tag, a summary, a description, described parameters and examples of its body."""
    assert len(operation["tags"]) == 1
    assert operation["summary"]
    assert operation["description"].endswith(".")
    assert all(parameter["description"].endswith(".") for parameter in operation.get("parameters", []))
    if operation["operationId"] != "giveResult" and "requestBody" in operation:
        assert operation["requestBody"]["content"]["application/json"]["examples"]


@pytest.mark.parametrize(("verb", "operation"), OPERATIONS)
def test_each_answer_has_its_headers_and_one_schema(verb: str, operation: dict[str, Any]) -> None:
    """Each described answer has both id headers and refers to one schema, with no union of several."""
    for answer in operation["responses"].values():
        if operation["operationId"].startswith(("take", "give")):
            assert set(answer) == {"description"}
            continue
        assert {"request-id", "client-request-id"} <= set(answer["headers"])
        for kind, content in answer.get("content", {}).items():
            assert set(content["schema"]) == ({"type"} if kind == "text/html" else {"$ref"})


def test_headers_that_a_caller_acts_on_are_described() -> None:
    """`Location`, `Retry-After` and `Idempotency-Replayed` are described where the app sends them."""
    post = document()["paths"]["/task-deletions"]["post"]["responses"]
    assert "location" in post["202"]["headers"]
    assert "retry-after" in post["503"]["headers"]
    assert "idempotency-replayed" in post["200"]["headers"]
    delete = document()["paths"]["/jobs/{jobId}/tasks/{taskId}"]["delete"]["responses"]
    assert all("idempotency-replayed" in delete[status]["headers"] for status in ("200", "404", "412", "503"))


def test_every_error_has_a_body_that_is_described() -> None:
    """Every described error has a body, as some generated clients type all errors as unknown otherwise."""
    for _, _, operation in operations():
        errors = [answer for status, answer in operation["responses"].items() if status >= "400"]
        assert all("content" in answer for answer in errors)


def test_the_synchronous_success_has_no_content() -> None:
    """The synchronous DELETE's 200 and 304 are described without a body, so that clients expect none."""
    answers = document()["paths"]["/jobs/{jobId}/tasks/{taskId}"]["delete"]["responses"]
    assert "content" not in answers["200"]
    assert "content" not in answers["304"]


def test_schemas_are_written_as_generators_read_them() -> None:
    """Schemas are written for generators: a type for each enum, null without `anyOf`, no defaults or titles."""
    null = {"type": "null"}
    for at, schema in SCHEMAS:
        if "enum" in schema or "const" in schema:
            assert "type" in schema, at
        if isinstance(schema.get("type"), list):
            assert schema["type"][1:] == ["null"], at
        if null in schema.get("oneOf", []):
            assert len(schema["oneOf"]) == 2, at
        assert null not in schema.get("anyOf", []), at
        assert "default" not in schema, at
        assert "title" not in schema or at == "/info", at


def test_every_schema_and_every_field_has_words() -> None:
    """Every schema and every field of it has a description."""
    for name, schema in document()["components"]["schemas"].items():
        assert schema["description"], name
        for field, inner in schema.get("properties", {}).items():
            assert inner["description"].endswith("."), f"{name}.{field}"


def test_what_is_sent_may_not_be_null() -> None:
    """No request schema allows null or unknown fields, both of which the app refuses."""
    named = document()["components"]["schemas"]
    for name in (
        "DeletionRequest",
        "ManyTasks",
        "JobEvent",
        "JobEventData",
        "DeleteAfter",
        "BulkRedrive",
        "BulkSettle",
    ):
        assert not any("null" in str(field.get("type")) for field in named[name]["properties"].values())
        assert named[name]["additionalProperties"] is False


def _examples(path: str) -> list[Any]:
    content = document()["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    return [example["value"] for example in content["examples"].values()]


def test_the_examples_are_taken_by_the_app() -> None:
    """The app's own validation accepts every example of a request body."""
    for value in _examples("/task-deletions"):
        assert read_requests(value, ACCOUNTS, NOW, lambda request, _: request).invalid == []
    for value in _examples("/job-completions"):
        read_event(value, ACCOUNTS, NOW)
    for value in _examples("/dead-letters/redrive"):
        checked(BulkRedrive, value)
    for value in _examples("/dead-letters/settle"):
        checked(BulkFilters, value)


EVENT = {"jobId": "render-7"}
CLOUD_EVENT = {"specversion": "1.0", "id": "1", "source": "s", "type": "t"}
GRID = {
    "id": "1",
    "topic": "t",
    "eventType": "Pipeline.JobCompleted",
    "subject": "s",
    "data": EVENT,
    "dataVersion": "1",
}
VALIDATION = GRID | {
    "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
    "data": {"validationCode": "c", "validationUrl": "https://u"},
}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", {"clientRequestId": "0f8fad5b-d9cb-469f-a165-70867728950e", **EVENT}),
        ("application/json", EVENT),
        ("application/json", [GRID]),
        ("application/json", [GRID, GRID]),
        ("application/json", VALIDATION),
        ("application/json", [VALIDATION]),
        ("application/json", CLOUD_EVENT | {"data": EVENT, "any": 1}),
        ("application/json", {"operationName": "TaskCompleteEvent", "resourceId": "/a", "properties": {"jobId": "j", "id": "t"}}),
        ("application/cloudevents+json", CLOUD_EVENT | {"data_base64": "e30="}),
        ("application/cloudevents-batch+json", [CLOUD_EVENT | {"data": EVENT}]),
    ],
)  # fmt: skip
def test_a_gateway_that_validates_lets_every_event_through(kind: str, body: object) -> None:
    """The schema accepts events in every form and content type that the app accepts."""
    assert Description(document()).body_faults("post", "/job-completions", kind, body) == []
