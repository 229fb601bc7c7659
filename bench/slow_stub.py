"""The Python equivalent of batch_stub.c, for a machine without a C compiler. It costs as much CPU as the app."""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from urllib.parse import parse_qs, urlsplit

from devstack.http1 import Answer, Incoming
from devstack.loopback import LoopbackServer, run_until_signalled

PAGE = 1000
_NUMBER = re.compile(r"(\d+)$")
_JSON = {"Content-Type": "application/json;odata=minimalmetadata"}


class SlowStub:
    """See batch_stub.c for the calls."""

    def __init__(self, port: int, latency_seconds: float, rate: float) -> None:
        self.server = LoopbackServer(self._serve, port)
        self._latency = latency_seconds
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self._counts = {"served": 0, "refused": 0}
        self._set_rate(rate)

    def _set_rate(self, rate: float) -> None:
        self._rate, self._tokens, self._filled = rate, rate / 10, time.monotonic()

    def _take(self) -> bool:
        if self._rate <= 0:
            return True
        now = time.monotonic()
        self._tokens = min(max(1.0, self._rate / 10), self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _serve(self, incoming: Incoming) -> Answer:
        if incoming.target.startswith("/_"):
            return self._control(incoming.target)
        time.sleep(self._latency)
        if incoming.method == "DELETE":
            return self._delete(incoming)
        return _read(incoming)

    def _control(self, target: str) -> Answer:
        with self._lock:
            if target == "/_stats":
                return _answer(200, self._counts | {"distinct": len(self._seen)})
            if target.startswith("/_limit?rate="):
                self._set_rate(float(target.partition("=")[2]))
            if target == "/_reset":
                self._seen.clear()
                self._counts = {"served": 0, "refused": 0}
        return _answer(200, {})

    def _delete(self, incoming: Incoming) -> Answer:
        with self._lock:
            taken = self._take()
            self._counts["served" if taken else "refused"] += 1
            if taken:
                self._seen.add(incoming.target.partition("?")[0])
        echoed = {"request-id": "stub", "client-request-id": incoming.headers.get("client-request-id") or ""}
        if taken:
            return Answer(200, echoed)
        error = {"code": "TooManyRequests", "message": {"lang": "en-US", "value": "Too many requests."}}
        return Answer(429, {**echoed, **_JSON, "Retry-After": "1"}, json.dumps(error).encode())


def _read(incoming: Incoming) -> Answer:
    parts = urlsplit(incoming.target)
    job = parts.path.split("/")[2]
    if not parts.path.endswith("/tasks"):
        return _answer(200, {"id": job, "state": "completed"})
    number = _NUMBER.search(job)
    count = int(number[1]) if number else 0
    first = int(parse_qs(parts.query).get("$skiptoken", ["1"])[0])
    last = min(count, first + PAGE - 1)
    page: dict[str, object] = {"value": [_task(index) for index in range(first, last + 1)]}
    if last < count:
        link = f"http://{incoming.headers.get('Host')}{parts.path}?{parts.query.partition('&$skiptoken')[0]}"
        page["odata.nextLink"] = f"{link}&$skiptoken={last + 1}"
    return _answer(200, page)


def _task(index: int) -> dict[str, object]:
    ended = {"endTime": "2026-01-01T00:01:00Z", "exitCode": 0, "result": "success"}
    return {"id": f"task-{index:08}", "eTag": f"0x8DE2A1C{index:08X}", "state": "completed", "executionInfo": ended}


def _answer(status: int, body: object) -> Answer:
    return Answer(status, {**_JSON, "request-id": "stub"}, json.dumps(body).encode())


def main() -> None:
    """PORT LATENCY_MS RATE, as batch_stub.c."""
    port, latency, rate = (float(text) for text in sys.argv[1:4])
    stub = SlowStub(int(port), latency / 1000, rate)
    run_until_signalled(stub.server)


if __name__ == "__main__":
    main()
