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
from batch_task_deletion.listing import records
from batch_task_deletion.options import Yes, checking, filled
from batch_task_deletion.run import Run

_COLUMNS = ("id", "firstSeenAt", "outcome", "reason", "jobId", "taskId", "attempts", "redrivenAt", "settledAt", "error")

Outcome = Annotated[
    str | None,
    typer.Option("--outcome", metavar="OUTCOME", callback=filled, help="failed, exhausted, rejected or conflict."),
]
Reason = Annotated[
    str | None, typer.Option("--reason", metavar="CODE", callback=filled, help="The code that a letter has as reason.")
]
Job = Annotated[str | None, typer.Option("--job", metavar="JOB", callback=filled, help="The job.")]
Queue = Annotated[
    str | None, typer.Option("--queue", metavar="QUEUE", callback=filled, help="The queue that it came from.")
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="INSTANT", callback=checking(forms.instant), help="First seen then or later."),
]
Before = Annotated[
    str | None,
    typer.Option("--before", metavar="INSTANT", callback=checking(forms.instant), help="First seen before."),
]
All = Annotated[bool, typer.Option("--all", help="All that can be taken, where no filter is given.")]
Most = Annotated[int | None, typer.Option("--most", min=1, metavar="N", help="So many in all; absent: no bound.")]
PerSecond = Annotated[
    int | None, typer.Option("--per-second", min=1, max=1000, metavar="N", help="How many a second are put back.")
]
Preview = Annotated[bool, typer.Option("--dry-run", help="Tells how many the filters take, and does nothing.")]
LetterIds = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Ids of dead letters.")]


def _filter(
    outcome: str | None, reason: str | None, job: str | None, queue: str | None, since: str | None, before: str | None
) -> Filter:
    """The filters that were given, under the names that the API has for them."""
    wanted = {"outcome": outcome, "reason": reason, "jobId": job, "queue": queue, "since": since, "before": before}
    return {name: value for name, value in wanted.items() if value is not None}


@command("dead-letters")
def dead_letters(
    run: Run,
    *,
    wanted: Annotated[str | None, typer.Argument(metavar="ID", help="One letter, with its body.")] = None,
    outcome: Outcome = None,
    reason: Reason = None,
    job: Job = None,
    queue: Queue = None,
    since: Since = None,
    before: Before = None,
    settled: Annotated[
        bool, typer.Option("--settled", help="Those that were settled, in place of the others.")
    ] = False,
    most: Most = None,
) -> int:
    """Shows what could not be done, newest first.

    With an ID that dead letter whole, with the body as it was received.
    """
    query = _filter(outcome, reason, job, queue, since, before) | ({"settled": "true"} if settled else {})
    if wanted is not None:
        if query or most:
            raise Usage("give an ID or filters, not both")
        run.output.fields(object_of(run.client.get(f"/dead-letters/{typed_id(wanted)}")))
        return Exit.AS_ASKED
    found = records(run, "/dead-letters", query, most)
    run.output.table(_COLUMNS, ([letter.get(name) for name in _COLUMNS] for letter in found))
    return Exit.AS_ASKED


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
    """Puts dead letters back on their queues.

    Those with the ids, or all that the filters take: these after one question.
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
    """Takes dead letters off the list.

    Those with the ids, or all that the filters take: these after one question. They can still be redriven.
    """
    wanted = _filter(outcome, reason, job, queue, since, before) | ({"all": True} if every else {})
    if ids:
        _refuse(wanted, most, dry_run)
        return act_on_each(run, SETTLE, ids)
    return act_on_many(run, SETTLE, wanted, most=most, per_second=None, dry_run=dry_run, yes=yes)


def _refuse(*options: object) -> None:
    """Raises Usage for any option that is about many, beside ids."""
    if any(options):
        raise Usage("give ids or filters, not both")
