"""The edge of the HTTP API: whatever a call raises becomes one answer in the shape of a BatchError."""

from __future__ import annotations

import logging

import pytest

from shared.api.answer import Answer, Call
from shared.api.edge import answered
from shared.errors import InvalidConfiguration, InvalidInput, Problem, StorageUnavailable
from tests.fakes.calls import call

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


def failing(error: Exception) -> Answer:
    """The answer to a call that raises after its request is known."""

    def ask(known: Call) -> Answer:
        known.concerns(ID)
        raise error

    return answered(ask, call())


@pytest.mark.parametrize(
    ("error", "status", "code", "key"),
    [
        (InvalidInput.at("/jobId", "is required"), 400, "InvalidRequest", "/jobId"),
        (InvalidInput([Problem("", "is too long")], "RequestBodyTooLarge"), 413, "RequestBodyTooLarge", ""),
        (InvalidInput([Problem("content-type", "no")], "UnsupportedMediaType"), 415, "UnsupportedMediaType", None),
        (InvalidConfiguration(["A must be set"]), 503, "InvalidConfiguration", "A"),
        (StorageUnavailable("table x: HTTP 503"), 503, "StorageUnavailable", None),
        (ZeroDivisionError("secret"), 500, "InternalError", None),
    ],
)
def test_each_error_has_its_status_and_the_one_shape(error: Exception, status: int, code: str, key: str | None) -> None:
    """Each kind of error has its status and code, in a BatchError with message and pointers."""
    answer = failing(error)
    assert (answer.status, answer.content["code"]) == (status, code)
    assert set(answer.content) == {"code", "message", "values"}
    assert answer.content["message"]["lang"] == "en-US"
    if key is not None:
        assert [value["key"] for value in answer.content["values"]] == [key]


def test_a_defect_is_logged_with_its_stack_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected exception is logged with its stack trace, and its text is not in the answer."""
    with caplog.at_level(logging.ERROR):
        answer = failing(ZeroDivisionError("secret"))
    assert "secret" not in (answer.text() or "")
    (record,) = caplog.records
    assert record.getMessage().startswith("internal_error function=")
    assert record.exc_info is not None


def test_storage_that_is_down_asks_for_another_try_soon() -> None:
    """When storage is unavailable, the answer has a `Retry-After` of at most 15 seconds."""
    assert int(failing(StorageUnavailable("x")).headers["retry-after"]) <= 15
