"""`dead-letters`, `redrive` and `settle`."""

from __future__ import annotations

from typing import Annotated

import typer

from batch_task_deletion import forms
from batch_task_deletion.acting import REDRIVE, SETTLE, act_on_each, act_on_many
from batch_task_deletion.app import command
from batch_task_deletion.faults import Exit, Usage
from batch_task_deletion.find import object_of
from batch_task_deletion.forms import typed_id
from batch_task_deletion.letters import Filter
from batch_task_deletion.listing import Most as MostShown
from batch_task_deletion.listing import records
from batch_task_deletion.options import Yes, checking, filled
from batch_task_deletion.run import Run

_COLUMNS = ("id", "firstSeenAt", "outcome", "reason", "jobId", "taskId", "attempts", "redrivenAt", "settledAt", "error")

Outcome = Annotated[
    str | None,
    typer.Option("--outcome", metavar="OUTCOME", callback=filled, help="failed, exhausted, rejected or conflict."),
]
Reason = Annotated[
    str | None, typer.Option("--reason", metavar="CODE", callback=filled, help="The letter's reason code.")
]
Job = Annotated[str | None, typer.Option("--job", metavar="JOB", callback=filled, help="The job.")]
Queue = Annotated[
    str | None, typer.Option("--queue", metavar="QUEUE", callback=filled, help="The queue it arrived on.")
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="INSTANT", callback=checking(forms.instant), help="First seen at this time or later."
    ),
]
Before = Annotated[
    str | None,
    typer.Option("--before", metavar="INSTANT", callback=checking(forms.instant), help="First seen before this time."),
]
All = Annotated[bool, typer.Option("--all", help="Act on every letter, without a filter.")]
Most = Annotated[int | None, typer.Option("--most", min=1, metavar="N", help="Act on at most N; default: no limit.")]
PerSecond = Annotated[
    int | None, typer.Option("--per-second", min=1, max=1000, metavar="N", help="Redrives per second.")
]
Preview = Annotated[bool, typer.Option("--dry-run", help="Count the matching letters, and do nothing.")]
LetterIds = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Ids of dead letters.")]


def _filter(
    outcome: str | None, reason: str | None, job: str | None, queue: str | None, since: str | None, before: str | None
) -> Filter:
    """The filters given, by their names in the API."""
    wanted = {"outcome": outcome, "reason": reason, "jobId": job, "queue": queue, "since": since, "before": before}
    return {name: value for name, value in wanted.items() if value is not None}


@command("dead-letters")
def dead_letters(
    run: Run,
    *,
    wanted: Annotated[str | None, typer.Argument(metavar="ID", help="Show this letter with its body.")] = None,
    outcome: Outcome = None,
    reason: Reason = None,
    job: Job = None,
    queue: Queue = None,
    since: Since = None,
    before: Before = None,
    settled: Annotated[bool, typer.Option("--settled", help="List settled letters instead of open ones.")] = False,
    most: MostShown = None,
) -> int:
    """List dead letters, newest first, or show one in full with its body as received."""
    query = _filter(outcome, reason, job, queue, since, before) | ({"settled": "true"} if settled else {})
    if wanted is not None:
        if query or most:
            raise Usage("give an ID or filters, not both")
        run.output.fields(object_of(run.client.get(f"/dead-letters/{typed_id(wanted)}")))
        return Exit.SUCCESS
    found = records(run, "/dead-letters", query, most)
    run.output.table(_COLUMNS, ([letter.get(name) for name in _COLUMNS] for letter in found))
    return Exit.SUCCESS


@command("redrive")
def redrive(
    run: Run,
    *,
    ids: LetterIds = None,
    outcome: Outcome = None,
    reason: Reason = None,
    job: Job = None,
    queue: Queue = None,
    since: Since = None,
    before: Before = None,
    every: All = False,
    most: Most = None,
    per_second: PerSecond = None,
    dry_run: Preview = False,
    yes: Yes = False,
) -> int:
    """Redrive dead letters: send their requests to the queue again.

    Select them by ids, or by filters; with filters it counts them and asks first.
    """
    wanted = _filter(outcome, reason, job, queue, since, before) | ({"all": True} if every else {})
    if ids:
        _refuse(wanted, most, per_second, dry_run)
        return act_on_each(run, REDRIVE, ids)
    return act_on_many(run, REDRIVE, wanted, most=most, per_second=per_second, dry_run=dry_run, yes=yes)


@command("settle")
def settle(
    run: Run,
    *,
    ids: LetterIds = None,
    outcome: Outcome = None,
    reason: Reason = None,
    job: Job = None,
    queue: Queue = None,
    since: Since = None,
    before: Before = None,
    every: All = False,
    most: Most = None,
    dry_run: Preview = False,
    yes: Yes = False,
) -> int:
    """Settle dead letters: take them off the list. They can still be redriven.

    Select them by ids, or by filters; with filters it counts them and asks first.
    """
    wanted = _filter(outcome, reason, job, queue, since, before) | ({"all": True} if every else {})
    if ids:
        _refuse(wanted, most, dry_run)
        return act_on_each(run, SETTLE, ids)
    return act_on_many(run, SETTLE, wanted, most=most, per_second=None, dry_run=dry_run, yes=yes)


def _refuse(*options: object) -> None:
    """Raises Usage if a filter or bulk option is combined with ids."""
    if any(options):
        raise Usage("give ids or filters, not both")
