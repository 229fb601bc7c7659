"""Part 4: accepting over HTTP, one by one and in bulk, with the queue functions of the process running and paused."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests

from bench.arithmetic import Figures, percentile
from bench.calls import Calls, call_from
from bench.load import wait_until_empty
from bench.rig import APP, PAUSED, ROOT, Rig
from bench.rounds import Part, Plan, compare, side_by_side, tabulate
from devstack.stack_settings import inherited_environment

GIVE_UP_SECONDS = 900
AT_ONCE = 8
"""Group transactions that the bare client has in flight at once."""


def measure(plan: Plan) -> Part:
    """Percentiles of a single request, and seconds for a bulk call."""
    part = Part("Accepting over HTTP", 'make bench ARGS="--parts accepting"')
    for callers in (1, 16) if plan.quick else (1, 16, 64):
        most = plan.of(640, 64)
        sides = {
            "app, functions running": partial(singles, {}, callers, most),
            "app, functions paused": partial(singles, PAUSED, callers, most),
            "one insert and one put": partial(bare_singles, callers, most),
        }
        found = side_by_side(plan.rounds, sides)
        tabulate(part, found, call="one request", size=callers)
        for side in ("app, functions running", "app, functions paused"):
            label = f"{callers} callers: p99, {side} / one insert and one put"
            compare(part, found, side, "one insert and one put", "p99_ms", label)
    for ids in (200,) if plan.quick else (1_000, 10_000):
        sides = {
            "app, functions running": partial(bulk, {}, ids),
            "app, functions paused": partial(bulk, PAUSED, ids),
            "bare table client": partial(bare_bulk, ids),
        }
        found = side_by_side(plan.rounds, sides)
        tabulate(part, found, call="bulk of ids", size=ids)
        for side in ("app, functions running", "app, functions paused"):
            compare(part, found, side, "bare table client", "seconds", f"{ids:,} ids: time, {side} / bare table client")
    part.notes.append("`size` is callers of one request, ids of a bulk call; the bare client inserts the same rows.")
    return part


def singles(env: dict[str, str], callers: int, most: int) -> Figures:
    """One request per call, from this many callers, each on its own connection."""
    with Rig(APP, env=env) as rig:
        _bulk_call(rig, 50)
        return _latencies(call_from(callers, lambda: _poster(rig.urls[0]), seconds=60, most=most))


def bare_singles(callers: int, most: int) -> Figures:
    """The least that accepting needs: a row inserted and a message sent, by the official clients."""
    with Rig(None) as rig, rig.tables() as tables, rig.queues() as queues:
        table = tables.get_table_client(rig.env["REQUEST_TABLE_NAME"])
        queue = queues.get_queue_client(rig.env["REQUEST_QUEUE_NAME"])

        def call() -> None:
            request_id = str(uuid.uuid4())
            table.create_entity({"PartitionKey": request_id[0], "RowKey": request_id, "request": "x" * 600})
            queue.send_message("x" * 600)

        return _latencies(call_from(callers, lambda: call, seconds=60, most=most))


def bulk(env: dict[str, str], ids: int) -> Figures:
    """Seconds for one call with this many ids."""
    with Rig(APP, env=env) as rig:
        _bulk_call(rig, 200)
        if not env:
            wait_until_empty(rig, GIVE_UP_SECONDS)
        return {"seconds": _bulk_call(rig, ids)}


def bare_bulk(ids: int) -> Figures:
    """The same rows inserted by the bare client in group transactions, eight at a time, in a separate process."""
    with Rig(APP, env=PAUSED) as rig:
        _bulk_call(rig, 200)
        with rig.tables() as tables:
            rows = tables.get_table_client(rig.env["REQUEST_TABLE_NAME"]).list_entities(results_per_page=300)
            row = next(dict(row) for row in rows if "request" in row)
        template = rig.logs / "row.json"
        template.write_text(json.dumps(row))
        names = [rig.connection_string, rig.env["REQUEST_TABLE_NAME"], str(template), str(ids), str(AT_ONCE)]
        command = [sys.executable, "-m", "bench.bare_inserts", *names]
        shown = subprocess.run(
            command, cwd=ROOT, env=inherited_environment(), capture_output=True, text=True, check=False
        )
        if shown.returncode:
            raise RuntimeError(f"the bare client ended with code {shown.returncode}:\n{shown.stderr[-2000:]}")
        figures: dict[str, float] = json.loads(shown.stdout)
        return figures


def _bulk_call(rig: Rig, ids: int) -> float:
    body = {
        "clientRequestId": str(uuid.uuid4()),
        "jobId": "bench",
        "taskIds": [f"task-{number:08}" for number in range(1, ids + 1)],
    }
    began = time.monotonic()
    answer = requests.post(f"{rig.api}/task-deletions", json=body, timeout=GIVE_UP_SECONDS)
    took = time.monotonic() - began
    answer.raise_for_status()
    if answer.json()["counts"]["accepted"] != ids:
        raise RuntimeError(f"accepted {answer.json()['counts']} of {ids} ids")
    return took


def _poster(url: str) -> Callable[[], object]:
    """Posts one request per call, with http.client, because this process shares the machine with what it measures."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)

    def call() -> None:
        body: dict[str, Any] = {"clientRequestId": str(uuid.uuid4()), "jobId": "bench", "taskId": "task-1"}
        connection.request("POST", "/api/task-deletions", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 202:
            raise RuntimeError(f"answered {answer.status}")

    return call


def _latencies(calls: Calls) -> Figures:
    return {
        "calls_per_second": calls.rate,
        "p50_ms": percentile(calls.latencies, 0.5) * 1e3,
        "p99_ms": percentile(calls.latencies, 0.99) * 1e3,
    }
