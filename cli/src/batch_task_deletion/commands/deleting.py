"""`delete`: asks for the deletion of tasks, from the command line or from a file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from batch_task_deletion import forms
from batch_task_deletion.app import command
from batch_task_deletion.faults import Exit, Usage
from batch_task_deletion.following import follow
from batch_task_deletion.lines import STANDARD_INPUT, read_file, read_lines
from batch_task_deletion.options import BatchUrl, DeleteAfter, DryRun, Timeout, Wait, checking, filled
from batch_task_deletion.output import cell
from batch_task_deletion.progress import progress
from batch_task_deletion.run import Run
from batch_task_deletion.sending import MOST_TOLD, Call, Sending, calls_of_lines, calls_of_tasks
from batch_task_deletion.text import counted, escaped
from batch_task_deletion.wish import new_id

File = Annotated[
    str | None,
    typer.Option(
        "--file",
        "-f",
        metavar="FILE",
        callback=filled,
        help="JSON lines, CSV with a header, or TASK or JOB/TASK a line; - is standard input.",
    ),
]
JobOfLines = Annotated[
    str | None,
    typer.Option("--job", metavar="JOB", callback=checking(forms.job_id), help="The job of the file's lines."),
]
Again = Annotated[bool, typer.Option("--again", help="New ids for the lines of a file that was sent before.")]
RequestId = Annotated[
    str | None,
    typer.Option(
        "--client-request-id",
        metavar="GUID",
        callback=checking(forms.guid),
        help="What the new ids are derived from, to go on with a command that was interrupted.",
    ),
]


@command("delete")
def delete(
    run: Run,
    *,
    job: Annotated[str | None, typer.Argument(metavar="JOB", help="The job of the tasks.")] = None,
    tasks: Annotated[list[str] | None, typer.Argument(metavar="TASK", help="The tasks to delete.")] = None,
    file: File = None,
    job_of_lines: JobOfLines = None,
    batch_url: BatchUrl = None,
    delete_after: DeleteAfter = None,
    again: Again = False,
    client_request_id: RequestId = None,
    dry_run: DryRun = False,
    wait: Wait = False,
    timeout: Timeout = None,
) -> int:
    """Asks for the deletion of tasks.

    Those of JOB TASK..., or the lines of a --file.

    The same file sent twice deletes once: the id of a line follows from what the line asks for.
    """
    run.deadline(timeout, waits=wait)
    parent = client_request_id.lower() if client_request_id else new_id()
    options = _given(batchUrl=batch_url, deleteAfter=delete_after, dryRun=dry_run or None)
    if file is None:
        if again or job_of_lines:
            raise Usage("--again and --job belong to --file; write JOB TASK...")
        return _send(run, *_of_tasks(run, parent, job, tasks or [], options), wait=wait, timeout=timeout)
    if job is not None:
        raise Usage("give JOB TASK... or --file, not both; --job names the job of a file's lines")
    if client_request_id and not again:
        raise Usage("with --file, --client-request-id goes with --again")
    lines = read_lines(read_file(file), options | _given(jobId=job_of_lines), parent if again else None)
    sending = Sending(len(lines))
    go_on = run.again("--client-request-id", parent) if again else run.again()
    run.unfinished = lambda: _of_file(sending, "" if file == STANDARD_INPUT else go_on)
    if not lines:
        run.output.say("the file has no lines; nothing was asked for")
    return _send(run, sending, calls_of_lines(lines), wait=wait, timeout=timeout)


def _of_tasks(
    run: Run, parent: str, job: str | None, tasks: list[str], options: dict[str, Any]
) -> tuple[Sending, list[Call]]:
    """The calls for tasks that the command line names. Raises Usage."""
    if job is None or not tasks:
        raise Usage("which tasks? Give JOB TASK..., or --file")
    for rule, text in ((forms.job_id, job), *((forms.task_id, task) for task in tasks)):
        try:
            rule(text)
        except ValueError as fault:
            raise Usage(f"{escaped(text)}: {fault}") from None
    calls = list(calls_of_tasks(parent, job, tasks, options))
    sending = Sending(sum(len(call.requests) for call in calls))
    run.unfinished = lambda: _of_arguments(run, sending, parent)
    return sending, calls


def _send(run: Run, sending: Sending, calls: Iterable[Call], *, wait: bool, timeout: str | None) -> int:
    with progress("sending", run.clock) as shown:
        shown.update(0, sending.total)
        for call in calls:
            run.output.document(sending.send(run.client, call))
            shown.update(sending.sent, sending.total)
    _tell(run, sending)
    ended = follow(run, sending.asked_for, run.deadline(timeout)) if wait else Exit.AS_ASKED
    return ended if sending.all_asked_for else Exit.OTHERWISE


def _tell(run: Run, sending: Sending) -> None:
    """What the app said: how many are new, were asked for before, or are refused and why."""
    if not sending.sent:
        return
    counts = sending.counts
    said = f"{counted(sending.sent, 'deletion')} asked for: {counts['accepted']:,} accepted"
    said += f", {counts['replayed']:,} asked for before" if counts["replayed"] else ""
    refused = sending.sent - len(sending.asked_for)
    said += f", {refused:,} refused" if refused else ""
    run.output.say(said)
    if sending.repeated and counts["replayed"]:
        run.output.remark("an answer was lost: of those asked for before, some may have been asked for by this command")
    for item in sending.refused:
        where = f"jobs/{cell(item.get('jobId'))}/tasks/{cell(item.get('taskId'))}"
        run.output.remark(f"{where} ({cell(item.get('clientRequestId'))}): {cell(item.get('error'))}")
    if refused > MOST_TOLD:
        run.output.remark(f"and {refused - MOST_TOLD:,} more; --json has them all")
    if len(sending.asked_for) <= MOST_TOLD and not run.output.json:
        for subject in sending.asked_for:
            run.output.say(f"  {subject.id}")


def _of_file(sending: Sending, go_on: str) -> list[str]:
    """What of a file was sent, and the command that goes on."""
    place = f", up to line {sending.last_line:,}" if sending.last_line else ""
    said = [f"sent: {sending.sent:,} of {counted(sending.total, 'request')}{place}{_maybe(sending)}"]
    return [*said, "the same command goes on, and deletes nothing twice:", f"  {go_on}"] if go_on else said


def _of_arguments(run: Run, sending: Sending, parent: str) -> list[str]:
    """The same for tasks that the command line named."""
    said = [f"sent: {sending.sent:,} of {counted(sending.total, 'request')}{_maybe(sending)}"]
    if sending.sent < sending.total:
        return [*said, "this goes on, with the same ids:", f"  {run.again('--client-request-id', parent)}"]
    dry_run = sending.asked_for and sending.asked_for[0].dry_run
    ids = [subject.id for subject in sending.asked_for]
    go_on = run.command("watch", *ids, *(["--dry-run"] if dry_run else []))
    return [*said, "this goes on waiting:", f"  {go_on}"] if go_on and ids else said


def _maybe(sending: Sending) -> str:
    return f"; {sending.on_the_way:,} more may have arrived" if sending.on_the_way else ""


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
