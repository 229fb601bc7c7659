"""The host's own endpoints below /admin: its status, and firing a function by hand."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from devstack.host.bindings import HttpTrigger, IndexedFunction, QueueTrigger
from devstack.host.http_messages import HttpReply, HttpRequest, json_reply
from devstack.host.invoker import Invoker
from devstack.host.keys import AccessKeys
from devstack.host.queue_delivery import queue_invocation
from devstack.host.queue_metadata import MessageProperties
from devstack.host.timers import timer_invocation
from devstack.host.worker import Invocation

_FUNCTIONS = "/admin/functions/"
_RUNS_AT_ONCE = 8


class AdminEndpoints:
    """Answers what lies below /admin; needs the master key where keys are asked for."""

    def __init__(self, functions: Mapping[str, IndexedFunction], keys: AccessKeys, invoker: Invoker) -> None:
        self._functions = {name.lower(): function for name, function in functions.items()}
        self._keys = keys
        self._invoker = invoker
        self._host_id = uuid.uuid4().hex
        self._began = time.monotonic()
        self._runs = ThreadPoolExecutor(_RUNS_AT_ONCE, thread_name_prefix="admin")

    def respond(self, request: HttpRequest) -> HttpReply | None:
        """The answer; None for a path that is not the host's own."""
        path = request.path.rstrip("/").lower()
        if not path.startswith("/admin/"):
            return None
        if path == "/admin/host/ping" and request.method in ("GET", "POST"):
            return HttpReply(200)
        if not self._keys.admit("admin", request):
            return HttpReply(401)
        if path == "/admin/host/status" and request.method == "GET":
            return self._status()
        if path.startswith(_FUNCTIONS) and request.method == "POST":
            return self._fire(path.removeprefix(_FUNCTIONS), request.body)
        return HttpReply(404)

    def wait_stopped(self) -> None:
        """Returns when the functions that were fired by hand have ended."""
        self._runs.shutdown(wait=True)

    def _status(self) -> HttpReply:
        uptime = round((time.monotonic() - self._began) * 1000)
        return json_reply(200, {"id": self._host_id, "state": "Running", "processUptime": uptime})

    def _fire(self, name: str, body: bytes) -> HttpReply:
        """202 at once; the function runs on its own, and nobody retries it."""
        function = self._functions.get(name)
        if function is None:
            return HttpReply(404)
        try:
            invocation = _invocation(function, _input_of(body))
        except (TypeError, ValueError) as error:
            return json_reply(400, {"error": str(error)})
        self._runs.submit(self._invoker.run, invocation)
        return HttpReply(202)


def _input_of(body: bytes) -> str:
    document = json.loads(body) if body.strip() else {}
    value = document.get("input", "") if isinstance(document, dict) else None
    if not isinstance(value, str):
        raise TypeError('the body must be {"input": "<text>"}')
    return value


def _invocation(function: IndexedFunction, text: str) -> Invocation:
    trigger = function.trigger
    if isinstance(trigger, HttpTrigger):
        raise TypeError("an HTTP function is fired through its route")
    if isinstance(trigger, QueueTrigger):
        return queue_invocation(function, trigger, text.encode(), _made_up_properties())
    return timer_invocation(function)


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
