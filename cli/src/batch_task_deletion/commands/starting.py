"""`clean-up` and `sweep`: here the app finds the tasks itself."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from batch_task_deletion import forms
from batch_task_deletion.app import command
from batch_task_deletion.faults import Exit, OutOfReach, Usage
from batch_task_deletion.find import object_of
from batch_task_deletion.following import follow
from batch_task_deletion.options import BatchUrl, DeleteAfter, DryRun, Timeout, Wait, checking, filled
from batch_task_deletion.output import cell
from batch_task_deletion.request import new_id
from batch_task_deletion.run import Run
from batch_task_deletion.subject import Kind, Subject
from batch_task_deletion.text import escaped


class Select(StrEnum):
    """Which completed tasks of a job a clean-up deletes."""

    COMPLETED = "completed"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


def _delay_of(which: str) -> Any:
    return typer.Option(
        f"--delete-after-{which}",
        metavar="WHEN",
        callback=checking(forms.delay),
        help=f"The same for tasks that {which}; if only one of the two is given, the other tasks are kept.",
    )


@command("clean-up")
def clean_up(
    run: Run,
    *,
    job: Annotated[str, typer.Argument(metavar="JOB", help="The job whose completed tasks are deleted.")],
    select: Annotated[Select | None, typer.Option("--select", help="Which completed tasks; default: all.")] = None,
    delete_after: DeleteAfter = None,
    delete_after_succeeded: Annotated[str | None, _delay_of("succeeded")] = None,
    delete_after_failed: Annotated[str | None, _delay_of("failed")] = None,
    no_require_job_completed: Annotated[
        bool, typer.Option("--no-require-job-completed", help="Do not wait for the job to complete.")
    ] = False,
    batch_url: BatchUrl = None,
    dry_run: DryRun = False,
    wait: Wait = False,
    timeout: Timeout = None,
) -> int:
    """Delete the completed tasks of a job, immediately or a set time after each task ended."""
    run.deadline(timeout, waits=wait)
    try:
        forms.job_id(job)
    except ValueError as fault:
        raise Usage(f"{escaped(job)}: the job {fault}") from None
    classes = {"succeeded": delete_after_succeeded, "failed": delete_after_failed}
    by_class = {name: delay for name, delay in classes.items() if delay is not None}
    if by_class and delete_after is not None:
        raise Usage(
            "--delete-after applies to all tasks; it cannot be combined with --delete-after-succeeded or -failed"
        )
    event: dict[str, Any] = {"clientRequestId": new_id(), "jobId": job}
    event |= {"select": select.value} if select else {}
    event |= {"deleteAfter": by_class or delete_after} if by_class or delete_after else {}
    event |= {"requireJobCompleted": False} if no_require_job_completed else {}
    event |= {"batchUrl": batch_url} if batch_url else {}
    event |= {"dryRun": True} if dry_run else {}
    subject = Subject(Kind.CLEAN_UP, event["clientRequestId"], dry_run)
    run.unfinished = lambda: ["the clean-up may have been accepted", *_watch(run, subject)]
    document = object_of(run.client.post(Kind.CLEAN_UP.value, event))
    return _started(run, subject, document, wait=wait, timeout=timeout)


@command("sweep")
def sweep(
    run: Run,
    *,
    policy: Annotated[
        str | None, typer.Option("--policy", metavar="NAME", callback=filled, help="Only this policy; default: all.")
    ] = None,
    batch_url: BatchUrl = None,
    dry_run: DryRun = False,
    wait: Wait = False,
    timeout: Timeout = None,
) -> int:
    """Sweep now: request the deletion of every task whose time is up under a retention policy."""
    run.deadline(timeout, waits=wait)
    body: dict[str, Any] = {"policy": policy, "batchUrl": batch_url, "dryRun": dry_run or None}
    run.unfinished = lambda: ["the sweep may have started; `summary` shows each account's last sweep"]
    answer = run.client.post(Kind.SWEEP.value, {name: value for name, value in body.items() if value is not None})
    if answer.status == 409 and answer.repeated:
        run.output.remark("an earlier response was lost: the running sweep may be the one that this command started")
    document = object_of(answer)
    subject = Subject(Kind.SWEEP, _sweep_id(document, answer.location), dry_run)
    return _started(run, subject, document, wait=wait, timeout=timeout)


def _sweep_id(document: dict[str, Any], location: str) -> str:
    """The sweep's id, from the document or the `Location` header. Raises OutOfReach."""
    try:
        return forms.guid(str(document.get("sweepId") or location.partition("?")[0].rpartition("/")[2]))
    except ValueError:
        raise OutOfReach("the service at this address is not the app: its sweep has no id") from None


def _started(run: Run, subject: Subject, document: dict[str, Any], *, wait: bool, timeout: str | None) -> int:
    if document:
        run.output.document(document)
    word = subject.kind.word + (" (dry run)" if subject.dry_run else "")
    run.output.say(f"{word} {subject.id}: {cell(document.get('state', 'accepted'))}")
    run.unfinished = lambda: [f"the {word} was accepted", *_watch(run, subject)]
    if not wait:
        return Exit.SUCCESS
    ended = follow(run, [subject], run.deadline(timeout))
    answer = run.client.get(subject.path, subject.query)
    if not run.output.json and answer.status == 200:
        run.output.fields(object_of(answer))
    return ended


def _watch(run: Run, subject: Subject) -> list[str]:
    """The command with which to continue waiting."""
    words = ["watch", subject.id, *(["--dry-run"] if subject.dry_run else [])]
    return ["to continue waiting:", f"  {run.command(*words)}"]
