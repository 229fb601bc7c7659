"""`python -m devstack.demo`: starts the local stack, asks for deletions of every kind, and checks every outcome."""

from __future__ import annotations

import argparse
import sys
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from devstack.client import AppClient
from devstack.demo import policy
from devstack.demo.scenes import CLEANED_JOB, JOB, Ask, Scene, scenes
from devstack.demo.verdict import Row, Seen, promises_row, row_of
from devstack.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 900
SUCCEEDED, FAILED = 150, 50
# Short waits, so that the retries are over while somebody watches.
SETTINGS = {"BATCH_RETRY_BASE_SECONDS": "0.5", **policy.SETTINGS}


def main() -> int:
    """Runs the demonstration; returns 0 if every outcome was as expected."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--size", type=int, default=100, help="requests through each of the two main doors")
    arguments = parser.parse_args()
    console = Console()
    console.print("Starting Azurite, the Batch simulator, the identity endpoint and the Functions host ...")
    with Stack(ROOT, env=SETTINGS) as stack:
        console.print(f"Up: {stack.http_url}/api  (Batch at {stack.batch_url}, logs in {stack.logs})\n")
        app = AppClient(stack)
        rows = [*run(app, arguments.size, console), policy.play(app, console)]
    console.print(report(rows))
    right = all(row.ok for row in rows)
    console.print("[green]Every outcome is as expected.[/]" if right else "[red]Some outcomes are not as expected.[/]")
    console.print('Next: `make up ARGS="--open"` starts the stack again for you, and opens the operator\'s page.')
    return 0 if right else 1


def run(app: AppClient, size: int, console: Console) -> list[Row]:
    """Seeds, asks, waits and judges."""
    played, count = scenes(size)
    app.seed(
        {"id": JOB, "state": "active", "tasks": {"count": count, "prefix": "frame-"}},
        {"id": CLEANED_JOB, "state": "completed", "tasks": _finished()},
    )
    for scene in played:
        for fault in scene.faults:
            app.break_down(fault)
    seen, began = Seen(), time.monotonic()
    statuses = _send(app, played)
    location = app.clean_up({"clientRequestId": str(uuid.uuid4()), "jobId": CLEANED_JOB, "select": "succeeded"})
    progress = _watch(app, played, seen, location, console)
    seconds = time.monotonic() - began
    deletes = app.deletes()
    rows = [row_of(scene, seen, statuses, _deletes_of(scene, deletes)) for scene in played]
    rows.append(_job_row(progress, seen, deletes))
    total = sum(row.requests for row in rows)
    console.print(
        f"{total} requests in {seconds:.1f} s ({total / seconds:.0f} a second), "
        f"{len(seen.messages)} result messages, {sum(deletes.values())} DELETEs reached Batch\n"
    )
    return [*rows, promises_row(played, seen, app.journal())]


def _send(app: AppClient, played: list[Scene]) -> dict[int, int | None]:
    """Sends all requests, several at a time; the one that a conflict needs is sent before the rest."""
    asks = [ask for scene in played for ask in scene.asks]
    first = [ask for scene in played if scene.results == 2 for ask in scene.asks[:1]]
    statuses = {id(ask): _ask(app, ask) for ask in first}
    with ThreadPoolExecutor(8) as pool:
        rest = [ask for ask in asks if id(ask) not in statuses]
        statuses.update(zip(map(id, rest), pool.map(lambda ask: _ask(app, ask), rest), strict=True))
    return statuses


def _ask(app: AppClient, ask: Ask) -> int | None:
    """Sends one request by its way in; returns the HTTP status, or None for a queue."""
    if ask.door == "http":
        return app.post(ask.body)
    if ask.door == "direct" and isinstance(ask.body, dict):
        return app.delete(ask.body)
    app.put(ask.body, "poison" if ask.door == "poison" else "request")
    return None


def _watch(app: AppClient, played: list[Scene], seen: Seen, location: str, console: Console) -> dict[str, Any]:
    """Collects results and shows the progress, until all have arrived or its patience ends."""
    wanted = len({ask.id for scene in played for ask in scene.asks}) + SUCCEEDED
    columns = (TextColumn("deleting"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    deadline = time.monotonic() + PATIENCE_SECONDS
    document: dict[str, Any] = {"done": {}, "eventId": None}
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=wanted)
        while time.monotonic() < deadline:
            seen.add(app.results())
            bar.update(task, completed=min(wanted, len(seen.by_request)))
            if seen.has_all(played):
                document = app.progress(location)
                if document["state"] == "listed" and sum(document["done"].values()) == document["requested"]:
                    seen.add(app.results())
                    bar.update(task, completed=wanted)
                    break
            time.sleep(0.2)
    return document


def _finished() -> list[dict[str, Any]]:
    """The tasks of the job that is cleaned up as a whole; some succeeded, some failed."""
    return [{"id": f"good-{n}", "exitCode": 0} for n in range(SUCCEEDED)] + [
        {"id": f"bad-{n}", "exitCode": 1} for n in range(FAILED)
    ]


def _deletes_of(scene: Scene, deletes: Counter[str]) -> int:
    names = {ask.body["taskId"] for ask in scene.asks if isinstance(ask.body, dict)}
    return sum(deletes[name] for name in names)


def _job_row(document: dict[str, Any], seen: Seen, deletes: Counter[str]) -> Row:
    good = sum(count for name, count in deletes.items() if name.startswith("good-"))
    bad = sum(count for name, count in deletes.items() if name.startswith("bad-"))
    # A message that comes again, its outcome unrecorded, sends its DELETEs again: an attempt more for each.
    attempts = sum(data["attempts"] for data in seen.of_parent(document["eventId"]))
    words = f"{document['done']}, {document.get('skipped')} kept"
    ok = (
        document["done"] == {"deleted": SUCCEEDED}
        and document.get("skipped") == FAILED
        and SUCCEEDED <= good <= attempts
        and bad == 0
    )
    return Row("a whole job: one event", SUCCEEDED, f"{SUCCEEDED} deleted, {FAILED} kept", words, str(good + bad), ok)


def report(rows: list[Row]) -> Table:
    """The table of expected and actual outcomes."""
    table = Table("what", "requests", "expected", "seen", "DELETEs", "")
    for row in rows:
        mark = "[green]ok[/]" if row.ok else "[red]WRONG[/]"
        table.add_row(row.title, str(row.requests), row.expected, row.seen, row.deletes, mark)
    return table


if __name__ == "__main__":
    sys.exit(main())
