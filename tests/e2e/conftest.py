"""Every answer of the app and every message on its queues is as the app describes it, in every end-to-end test.

The tests call by `requests`, `AppClient` too, and read results by the storage library; both are listened to here. What
still lies on the queues when a stack ends is looked at before it goes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueServiceClient

from devstack.client import AppClient, decoded
from devstack.stack import Stack
from shared.api.openapi import document
from tests.description import Description
from tests.messages import check_sent_by_app, faults, is_own

PREFIX = "/api"
MOST_PEEKED = 32
MOST_RESULTS = 1_600
_send = requests.Session.send
_leave = Stack.__exit__
_results = AppClient.results


@pytest.fixture(scope="session", autouse=True)
def _descriptions_hold() -> Iterator[None]:
    """Checks answers and messages while tests run, and also while the stacks of modules start and stop."""
    description = Description(document())

    def send(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        answer = _send(session, request, **options)
        path = urlsplit(request.url or "").path
        if path.startswith(f"{PREFIX}/"):
            body = b"" if options.get("stream") else answer.content
            found = description.answer_faults(
                request.method or "", path.removeprefix(PREFIX), answer.status_code, answer.headers, body
            )
            assert not found, f"{request.method} {path} -> {answer.status_code} {answer.text[:1000]}: {found[:3]}"
        return answer

    def results(app: AppClient) -> list[dict[str, Any]]:
        found = _results(app)
        for event in found:
            check_sent_by_app("result-queue", json.dumps(event))
        return found

    def leave(stack: Stack, *error: Any) -> None:
        try:
            if stack.env:
                look_at_queues(stack)
        finally:
            _leave(stack, *error)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.Session, "send", send)
        patch.setattr(AppClient, "results", results)
        patch.setattr(Stack, "__exit__", leave)
        yield


def look_at_queues(stack: Stack) -> None:
    """Checks the messages that the app has sent and nobody has received, before a stack ends."""
    with QueueServiceClient.from_connection_string(stack.connection_string) as service:
        results = service.get_queue_client(stack.env["RESULT_QUEUE_NAME"])
        try:
            # Not all of ten thousand: the emulator takes longer over them than the test did.
            for message in results.receive_messages(messages_per_page=MOST_PEEKED, max_messages=MOST_RESULTS):
                check_sent_by_app("result-queue", decoded(message.content))
        except ResourceNotFoundError:
            return  # a test that takes storage away
        for name in ("REQUEST_QUEUE_NAME", "JOB_COMPLETION_QUEUE_NAME"):
            for message in service.get_queue_client(stack.env[name]).peek_messages(MOST_PEEKED):
                # What a test puts there may be wrong on purpose; the app's own is not.
                if is_own(message.content):
                    assert not faults("own-messages", message.content)
