"""`policies`, `clean-ups`, `summary` and `health`: what the API has under these names."""

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
    """Shows the retention policies and the next sweeps."""
    run.output.fields(object_of(run.client.get("/retention-policies")))
    return Exit.AS_ASKED


@command("clean-ups")
def clean_ups(
    run: Run,
    state: Annotated[
        str | None,
        typer.Option(
            "--state",
            metavar="STATE",
            callback=filled,
            help="waiting, listing, listed, failed or cancelled; absent: all.",
        ),
    ] = None,
    most: Most = None,
) -> int:
    """Lists the clean-ups, newest first."""
    found = records(run, "/job-completions", {"state": state} if state else {}, most)
    run.output.table(_CLEAN_UP_COLUMNS, ([one.get(name) for name in _CLEAN_UP_COLUMNS] for one in found))
    return Exit.AS_ASKED


@command("summary")
def summary(run: Run) -> int:
    """Shows queues, dead letters and sweeps at one look."""
    run.output.fields(object_of(run.client.get("/operations/summary")))
    return Exit.AS_ASKED


@command("health")
def health(run: Run) -> int:
    """Shows whether the app could work now."""
    # A 503 with checks is an answer to the question, not a refusal.
    document = run.client.get("/health").document
    if not isinstance(document, dict) or not isinstance(document.get("checks"), dict):
        raise OutOfReach("what answers at this address is not the app: its health has no checks")
    run.output.fields(document)
    if document.get("status") == "ok":
        return Exit.AS_ASKED
    run.output.remark(f"the app is not in order: {escaped(document.get('status'))}")
    return Exit.OUT_OF_REACH
