"""`delete`: requests the deletion of tasks named on the command line or in a file."""

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
from batch_task_deletion.request import new_id
from batch_task_deletion.run import Run
from batch_task_deletion.sending import MOST_SHOWN, Call, Sending, calls_of_lines, calls_of_tasks
from batch_task_deletion.text import counted, escaped

File = Annotated[
    str | None,
    typer.Option(
        "--file",
        "-f",
        metavar="FILE",
        callback=filled,
        help="JSON lines, CSV with a header, or one TASK or JOB/TASK per line; - is standard input.",
    ),
]
JobOfLines = Annotated[
    str | None,
    typer.Option("--job", metavar="JOB", callback=checking(forms.job_id), help="The job for all lines of the file."),
]
Again = Annotated[bool, typer.Option("--again", help="Use new ids, to send a file's requests once more.")]
RequestId = Annotated[
    str | None,
    typer.Option(
        "--client-request-id",
        metavar="GUID",
        callback=checking(forms.guid),
        help="Derive the new ids from this one, to resume an interrupted command.",
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
    """Request the deletion of tasks, given as JOB TASK... or as the lines of a --file.

    Sending the same file twice deletes each task once: a line's id is derived from its contents.
    """
    run.deadline(timeout, waits=wait)
    parent = client_request_id.lower() if client_request_id else new_id()
    options = _given(batchUrl=batch_url, deleteAfter=delete_after, dryRun=dry_run or None)
    if file is None:
        if again or job_of_lines:
            raise Usage("--again and --job need --file; without it, give JOB TASK...")
        return _send(run, *_of_tasks(run, parent, job, tasks or [], options), wait=wait, timeout=timeout)
    if job is not None:
        raise Usage("give JOB TASK... or --file, not both; --job sets the job for the lines of a file")
    if client_request_id and not again:
        raise Usage("with --file, --client-request-id needs --again")
    lines = read_lines(read_file(file), options | _given(jobId=job_of_lines), parent if again else None)
    sending = Sending(len(lines))
    go_on = run.again("--client-request-id", parent) if again else run.again()
    run.unfinished = lambda: _of_file(sending, "" if file == STANDARD_INPUT else go_on)
    if not lines:
        run.output.say("the file has no lines; nothing was sent")
    return _send(run, sending, calls_of_lines(lines), wait=wait, timeout=timeout)


def _of_tasks(
    run: Run, parent: str, job: str | None, tasks: list[str], options: dict[str, Any]
) -> tuple[Sending, list[Call]]:
    """The calls for tasks named on the command line. Raises Usage."""
    if job is None or not tasks:
        raise Usage("no tasks selected: give JOB TASK... or --file")
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
    _report(run, sending)
    ended = follow(run, sending.requested, run.deadline(timeout)) if wait else Exit.SUCCESS
    return ended if sending.all_requested else Exit.FAILURE


def _report(run: Run, sending: Sending) -> None:
    """Prints how many requests the app accepted now, had accepted earlier, or refused, and why."""
    if not sending.sent:
        return
    counts = sending.counts
    said = f"{counted(sending.sent, 'deletion')} requested: {counts['accepted']:,} accepted"
    said += f", {counts['replayed']:,} accepted earlier" if counts["replayed"] else ""
    refused = sending.sent - len(sending.requested)
    said += f", {refused:,} refused" if refused else ""
    run.output.say(said)
    if sending.repeated and counts["replayed"]:
        run.output.remark("a response was lost: some of those accepted earlier may be this command's")
    for item in sending.refused:
        where = f"jobs/{cell(item.get('jobId'))}/tasks/{cell(item.get('taskId'))}"
        run.output.remark(f"{where} ({cell(item.get('clientRequestId'))}): {cell(item.get('error'))}")
    if refused > MOST_SHOWN:
        run.output.remark(f"and {refused - MOST_SHOWN:,} more; --json shows them all")
    if len(sending.requested) <= MOST_SHOWN and not run.output.json:
        for subject in sending.requested:
            run.output.say(f"  {subject.id}")


def _of_file(sending: Sending, go_on: str) -> list[str]:
    """How much of a file was sent, and the command to continue with."""
    place = f", up to line {sending.last_line:,}" if sending.last_line else ""
    said = [f"sent: {sending.sent:,} of {counted(sending.total, 'request')}{place}{_maybe(sending)}"]
    return [*said, "to continue, run the same command; nothing is deleted twice:", f"  {go_on}"] if go_on else said


def _of_arguments(run: Run, sending: Sending, parent: str) -> list[str]:
    """The same for tasks named on the command line."""
    said = [f"sent: {sending.sent:,} of {counted(sending.total, 'request')}{_maybe(sending)}"]
    if sending.sent < sending.total:
        return [*said, "to continue with the same ids:", f"  {run.again('--client-request-id', parent)}"]
    dry_run = sending.requested and sending.requested[0].dry_run
    ids = [subject.id for subject in sending.requested]
    go_on = run.command("watch", *ids, *(["--dry-run"] if dry_run else []))
    return [*said, "to continue waiting:", f"  {go_on}"] if go_on and ids else said


def _maybe(sending: Sending) -> str:
    return f"; {sending.on_the_way:,} more may have arrived" if sending.on_the_way else ""


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
