"""`policies`, `clean-ups`, `summary` and `health`: the API's documents of the same names."""

from __future__ import annotations

from typing import Annotated

import typer

from batch_task_deletion.app import command
from batch_task_deletion.faults import Exit, OutOfReach
from batch_task_deletion.find import object_of
from batch_task_deletion.listing import Most, records
from batch_task_deletion.options import filled
from batch_task_deletion.run import Run
from batch_task_deletion.text import escaped

_CLEAN_UP_COLUMNS = ("eventId", "jobId", "state", "listed", "requested", "skipped", "open", "done", "dryRun", "error")


@command("policies")
def policies(run: Run) -> int:
    """Show the retention policies and the next sweeps."""
    run.output.fields(object_of(run.client.get("/retention-policies")))
    return Exit.SUCCESS


@command("clean-ups")
def clean_ups(
    run: Run,
    state: Annotated[
        str | None,
        typer.Option(
            "--state",
            metavar="STATE",
            callback=filled,
            help="waiting, listing, listed, failed or cancelled; default: all.",
        ),
    ] = None,
    most: Most = None,
) -> int:
    """List clean-ups, newest first."""
    found = records(run, "/job-completions", {"state": state} if state else {}, most)
    run.output.table(_CLEAN_UP_COLUMNS, ([one.get(name) for name in _CLEAN_UP_COLUMNS] for one in found))
    return Exit.SUCCESS


@command("summary")
def summary(run: Run) -> int:
    """Show queues, dead letters and sweeps at a glance."""
    run.output.fields(object_of(run.client.get("/operations/summary")))
    return Exit.SUCCESS


@command("health")
def health(run: Run) -> int:
    """Show whether the app is able to work."""
    # A 503 with checks is an answer, not a refusal.
    document = run.client.get("/health").document
    if not isinstance(document, dict) or not isinstance(document.get("checks"), dict):
        raise OutOfReach("the service at this address is not the app: its health document has no checks")
    run.output.fields(document)
    if document.get("status") == "ok":
        return Exit.SUCCESS
    run.output.remark(f"the app is failing: {escaped(document.get('status'))}")
    return Exit.OUT_OF_REACH
