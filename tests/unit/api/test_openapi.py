"""The published description is valid, and says what the app does."""

from __future__ import annotations

import re

import pytest
from openapi_spec_validator import validate

from shared.api.openapi import document
from shared.request.model import DeletionRequest
from tests.functions import functions


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
    """A validator of the specification accepts the document."""
    validate(document())
    assert document()["openapi"].startswith("3.1")


def test_every_route_is_described_and_every_description_has_a_route() -> None:
    """The paths and verbs of the document are those of the HTTP functions, no more and no fewer."""
    described = {(verb, path) for path, item in document()["paths"].items() for verb in item}
    assert described == set(ROUTES)


@pytest.mark.parametrize(("verb", "path"), sorted(ROUTES))
def test_only_health_and_the_page_need_no_key(verb: str, path: str) -> None:
    """The auth level of each function is what the description's security says."""
    is_open = document()["paths"][path][verb].get("security") == []
    assert ROUTES[verb, path] == ("anonymous" if is_open else "function")
    assert is_open == (path in {"/health", "/operations"})


@pytest.mark.parametrize(("verb", "path"), sorted(ROUTES))
def test_path_parameters_are_described(verb: str, path: str) -> None:
    """Each parameter in a route stands in the description, and is required."""
    named = set(re.findall(r"{(\w+)}", path))
    parameters = document()["paths"][path][verb].get("parameters", [])
    assert {p["name"] for p in parameters if p["in"] == "path" and p["required"]} == named


def test_the_request_schema_has_the_fields_of_the_model() -> None:
    """A field of the model cannot be missing from the description, nor be there without the model."""
    schema = document()["components"]["schemas"]["DeletionRequest"]
    assert set(schema["properties"]) == {field.alias for field in DeletionRequest.model_fields.values()}
    assert schema["required"] == ["clientRequestId", "jobId", "taskId"]
    assert schema["additionalProperties"] is False


def test_no_function_both_reads_and_acts() -> None:
    """A key that is set on the functions that read opens these alone."""
    for function in functions():
        trigger = function.get_trigger()
        if trigger.type == "httpTrigger":
            verbs = {method.value.upper() for method in trigger.methods}
            assert verbs == {"GET"} or "GET" not in verbs, function.get_function_name()
