"""The request id derived from a line: the same for the same request, and different for any other."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from batch_task_deletion.request import checked, line_id, normal_form, task_request_id

PLAIN = {"jobId": "Job-1", "taskId": "Task-1"}


@pytest.mark.parametrize(
    "same",
    [
        {"jobId": "JOB-1", "taskId": "task-1"},
        PLAIN | {"dryRun": False, "returnClientRequestId": False},
        PLAIN | {"metadata": {"a": "b"}},
        PLAIN | {"ocpDate": "Tue, 24 Nov 2026 07:30:00 GMT"},
    ],
)
def test_the_same_request_has_the_same_id(same: dict[str, Any]) -> None:
    """Letter case of ids, false booleans and fields that are not compared make no difference to the id."""
    assert line_id(same) == line_id(PLAIN)


@pytest.mark.parametrize(
    "other",
    [
        {"taskId": "task-2"},
        {"jobId": "job-2"},
        {"dryRun": True},
        {"returnClientRequestId": True},
        {"deleteAfter": "PT1H"},
        {"deleteAfter": "PT60M"},
        {"timeout": 10},
        {"ifMatch": "x"},
        {"ifNoneMatch": "x"},
        {"ifModifiedSince": "Tue, 24 Nov 2026 07:30:00 GMT"},
        {"batchUrl": "https://a.b"},
    ],
)
def test_another_request_has_another_id(other: dict[str, Any]) -> None:
    """A request with another task, job or option, such as a condition, has another id."""
    assert line_id(PLAIN | other) != line_id(PLAIN)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"timeout": 30}, {"timeout": 300}),
        ({"batchUrl": "https://A.B"}, {"batchUrl": "https://a.b/"}),
        ({"batchUrl": "https://a.b:443"}, {"batchUrl": "https://a.b"}),
        ({"batchUrl": "http://[::1]:80/"}, {"batchUrl": "http://[::1]"}),
    ],
)
def test_options_have_a_normal_form_too(one: dict[str, Any], other: dict[str, Any]) -> None:
    """The id is derived from a normal form: timeouts above 30 become 30, and account URLs one spelling."""
    assert normal_form(PLAIN | one) == normal_form(PLAIN | other)


def test_an_id_is_the_same_on_every_machine() -> None:
    """The same line has the same id on every machine and in every release."""
    assert line_id(PLAIN) == "a1c3cc33-3b6c-55a2-a946-2672c2304afd"


def test_an_address_that_is_none_is_kept() -> None:
    """An id is derived even for an invalid account URL, which the app then refuses."""
    assert line_id(PLAIN | {"batchUrl": "http://[::1"}) != line_id(PLAIN | {"batchUrl": "http://[::2"})


def test_a_run_that_asks_again_has_ids_of_its_own() -> None:
    """With `--again`, a line's id also depends on the run's id, in any letter case."""
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    assert line_id(PLAIN, first) == line_id(PLAIN, first.upper())
    assert len({line_id(PLAIN), line_id(PLAIN, first), line_id(PLAIN, second)}) == 3


def test_ids_of_a_call_are_those_that_the_app_derives() -> None:
    """The id of a named task is uuid5 of the parent over job and task in lower case, as in the app."""
    parent = "0f8fad5b-d9cb-469f-a165-70867728950e"
    assert task_request_id(parent, "Job-1", "Task-1") == str(uuid.uuid5(uuid.UUID(parent), "job-1/task-1"))


def test_a_line_keeps_what_it_says_itself() -> None:
    """Options fill in the fields that a line leaves out, but a dry run applies to every line."""
    options = {"jobId": "job-1", "deleteAfter": "PT1H", "dryRun": True}
    request = checked({"taskId": "t", "deleteAfter": "P1D", "dryRun": False}, options)
    assert request == {"jobId": "job-1", "taskId": "t", "deleteAfter": "P1D", "dryRun": True}
