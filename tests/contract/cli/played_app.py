"""The app as its callers see it, played on a real socket: lost answers, throttling, redirects, hostile text."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from devstack.http1 import Answer, Incoming
from devstack.loopback import LoopbackServer

LOST = object()
"""A fault: the call takes effect, and the connection is cut in place of an answer."""

CUT = object()
"""A fault: the connection is cut, and nothing takes effect."""

Document = dict[str, Any]


def answer(status: int, document: object = None, **headers: str) -> Answer:
    """A JSON answer; underscores in header names become hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = b"" if document is None else json.dumps(document).encode()
    return Answer(status, {"Content-Type": "application/json", **named}, body)


def error(
    status: int, code: str, message: str = "Said by the app.", *values: tuple[str, str], **headers: str
) -> Answer:
    """An answer with a BatchError."""
    told = [{"key": key, "value": value} for key, value in values]
    return answer(status, {"code": code, "message": {"lang": "en-US", "value": message}, "values": told}, **headers)


def never(_wish: Document) -> None:
    """The outcome of a request that never ends."""


class Call:
    """One HTTP call, parsed."""

    def __init__(self, incoming: Incoming) -> None:
        self.incoming = incoming
        self.method = incoming.method
        parts = urlsplit(incoming.target)
        self.path = parts.path.removeprefix("/api")
        self.query = dict(parse_qsl(parts.query))
        self.body: Any = json.loads(incoming.body) if incoming.body else None

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


class PlayedApp:
    """Takes bulk calls and answers for the ids in them; for all other calls, a test sets `routes`.

    The next calls get one of `faults` each. `outcome` says how a request ends; None means that it never does.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.faults: list[object] = []
        self.routes: dict[str, Document | Answer | Callable[[Call], Answer]] = {}
        self.requests: dict[tuple[str, bool], Document] = {}
        self.effects: list[str] = []
        """The ids of the requests that were new, in order."""
        self.outcome: Callable[[Document], str | None] = lambda wish: "wouldDelete" if wish.get("dryRun") else "deleted"
        self._server = LoopbackServer(self._serve)

    @property
    def url(self) -> str:
        return self._server.url

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def lines(self, method: str = "") -> list[str]:
        """Method and path of each call, in order."""
        return [call.line for call in self.calls if call.method.startswith(method)]

    def _serve(self, incoming: Incoming) -> Answer | None:
        call = Call(incoming)
        self.calls.append(call)
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Answer):
            return fault
        if fault is CUT:
            return None
        came = self._answer(call)
        return None if fault is LOST else came

    def _answer(self, call: Call) -> Answer:
        route = self.routes.get(call.line)
        if isinstance(route, dict):
            return answer(200, route)
        if isinstance(route, Answer):
            return route
        if route is not None:
            return route(call)
        if call.line == "POST /task-deletions":
            return self._bulk(call.body)
        name = call.path.rpartition("/")[2]
        known = self.requests.get((name, call.query.get("dryRun") == "true"))
        if call.path.startswith("/task-deletions/") and known and call.method == "GET":
            return answer(200, known)
        return error(404, "NotFound", f"{name} is not known.")

    def _bulk(self, body: Document) -> Answer:
        items = [self._accept(wish) for wish in wishes(body)]
        names = ("accepted", "replayed", "conflict", "invalid")
        counts = {name: sum(item["status"] == name for item in items) for name in names}
        if counts["invalid"] == len(items):
            return answer(400, {"code": "InvalidRequest", "message": {"value": "All are."}, "items": items})
        return answer(202, {"items": items, "counts": counts})

    def _accept(self, wish: Document) -> Document:
        key = (str(wish["clientRequestId"]).lower(), bool(wish.get("dryRun")))
        item = {"clientRequestId": key[0], "jobId": wish["jobId"], "taskId": wish["taskId"]}
        if wish["taskId"].startswith("invalid"):
            told = {
                "code": "InvalidRequest",
                "message": {"value": "No."},
                "values": [{"key": "/timeout", "value": "1"}],
            }
            return item | {"status": "invalid", "error": told}
        if key in self.requests:
            return item | {"status": "replayed"}
        self.effects.append(key[0])
        self.requests[key] = status_document(key[0], wish, self.outcome(wish))
        return item | {"status": "accepted"}


def wishes(body: Document) -> list[Document]:
    """The requests in the body of a bulk call, each with its id."""
    if "requests" in body:
        return list(body["requests"])
    rest = {name: value for name, value in body.items() if name != "taskIds"}
    parent = uuid.UUID(body["clientRequestId"])
    return [
        {**rest, "taskId": task, "clientRequestId": str(uuid.uuid5(parent, f"{body['jobId']}/{task}".lower()))}
        for task in body["taskIds"]
    ]


def status_document(name: str, wish: Document, outcome: str | None) -> Document:
    """The status document of a request that ended with this outcome, or that is open if it is None."""
    document = {"clientRequestId": name, "jobId": wish["jobId"], "taskId": wish["taskId"], "attempts": 1}
    document |= {"dryRun": True} if wish.get("dryRun") else {}
    if outcome is None:
        return document | {"state": "accepted"}
    data = {"clientRequestId": name, "jobId": wish["jobId"], "taskId": wish["taskId"], "outcome": outcome}
    return document | {"state": "done", "result": {"data": data | {"error": None}}}
