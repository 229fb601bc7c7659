"""The host's own endpoints below /admin: its status, and running a function by hand."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from devstack.host.bindings import HttpTrigger, IndexedFunction, QueueTrigger
from devstack.host.exchange import HttpInput, Invocation, MessageProperties, QueueInput, TimerInput
from devstack.host.invoker import Invoker
from devstack.host.keys import AccessKeys
from devstack.http1 import Answer, Incoming

_FUNCTIONS = "/admin/functions/"


class AdminEndpoints:
    """Answers paths below /admin; they need the master key if keys are asked for."""

    def __init__(self, functions: Mapping[str, IndexedFunction], keys: AccessKeys, invoker: Invoker) -> None:
        self._functions = {name.lower(): function for name, function in functions.items()}
        self._keys = keys
        self._invoker = invoker

    def respond(self, request: Incoming) -> Answer | None:
        """The answer; None for a path that is not the host's own."""
        path = request.target.partition("?")[0].rstrip("/").lower()
        if not path.startswith("/admin/"):
            return None
        if path == "/admin/host/ping" and request.method in ("GET", "POST"):
            return Answer(200)
        function = self._functions.get(path.removeprefix(_FUNCTIONS))
        if function is None or request.method != "POST" or not path.startswith(_FUNCTIONS):
            return Answer(404)
        refusal = self._keys.refusal("admin", request)
        return Answer(refusal) if refusal else self._fire(function, request)

    def _fire(self, function: IndexedFunction, request: Incoming) -> Answer:
        """Answers 202 at once; the function runs on its own, and is not retried."""
        if (request.headers.get("Content-Type") or "").partition(";")[0].strip().lower() != "application/json":
            return Answer(415)
        try:
            text = _input_of(request.body)
        except (TypeError, ValueError) as error:
            return Answer(400, {"Content-Type": "application/json"}, json.dumps({"error": str(error)}).encode())
        threading.Thread(target=self._invoker.run, args=(_invocation(function, text),), daemon=True).start()
        return Answer(202)


def _input_of(body: bytes) -> str:
    document = json.loads(body) if body.strip() else {}
    value = document.get("input", "") if isinstance(document, dict) else None
    if not isinstance(value, str):
        raise TypeError('the body must be {"input": "<text>"}')
    return value


def _invocation(function: IndexedFunction, text: str) -> Invocation:
    if isinstance(function.trigger, HttpTrigger):
        return Invocation(function, HttpInput("POST", "http://127.0.0.1/", {}, {}, {}, text.encode()))
    if isinstance(function.trigger, QueueTrigger):
        return Invocation(function, QueueInput(text.encode(), _made_up_properties()))
    return Invocation(function, TimerInput())


def _made_up_properties() -> MessageProperties:
    now = datetime.now(UTC)
    return MessageProperties(
        message_id=str(uuid.uuid4()),
        pop_receipt="",
        dequeue_count=1,
        inserted=now,
        expires=now + timedelta(days=7),
        next_visible=now + timedelta(minutes=10),
    )
