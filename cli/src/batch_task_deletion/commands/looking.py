"""`status`, `watch` and `cancel` for requests, clean-ups and sweeps."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from batch_task_deletion.app import command
from batch_task_deletion.client import SIDE_BY_SIDE
from batch_task_deletion.faults import Exit, Refused
from batch_task_deletion.find import Found, find, object_of
from batch_task_deletion.following import follow
from batch_task_deletion.forms import typed_id
from batch_task_deletion.options import Id, Ids, OfDryRun, Timeout
from batch_task_deletion.output import cell
from batch_task_deletion.run import Run
from batch_task_deletion.text import counted


@command("status")
def status(run: Run, wanted: Id, dry_run: OfDryRun = False) -> int:
    """Show a request, clean-up or sweep."""
    found = find(run.client, typed_id(wanted), dry_run=dry_run)
    run.output.fields(found.document)
    return Exit.SUCCESS


@command("watch")
def watch(run: Run, wanted: Ids, dry_run: OfDryRun = False, timeout: Timeout = None) -> int:
    """Wait until requests, clean-ups or sweeps are done; the exit code shows how they ended."""
    ids = list(dict.fromkeys(typed_id(text) for text in wanted))
    run.unfinished = lambda: ["to continue waiting:", f"  {run.again()}"]
    deadline = run.deadline(timeout)
    found, missing = _find_all(run, ids, dry_run=dry_run, deadline=deadline)
    for fault in missing:
        run.output.fault(fault)
    ended = follow(run, [one.subject for one in found], deadline)
    return Exit.FAILURE if missing else ended


def _find_all(run: Run, ids: list[str], *, dry_run: bool, deadline: float | None) -> tuple[list[Found], list[Refused]]:
    """Those that were found, and the errors for those that were not."""
    client = run.client

    def one(wanted: str) -> Found | Refused:
        try:
            return find(client, wanted, dry_run=dry_run, deadline=deadline)
        except Refused as fault:
            return fault

    pool = ThreadPoolExecutor(SIDE_BY_SIDE)
    try:
        results = list(pool.map(one, ids))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return [one for one in results if isinstance(one, Found)], [one for one in results if isinstance(one, Refused)]


@command("cancel")
def cancel(run: Run, wanted: Id, dry_run: OfDryRun = False) -> int:
    """Cancel a request, clean-up or sweep."""
    found = find(run.client, typed_id(wanted), dry_run=dry_run)
    subject = found.subject
    document = object_of(run.client.delete(subject.path, subject.query))
    run.output.document(document)
    left = int(document.get("open") or 0)
    rest = f"; {counted(left, 'request')} open until their messages arrive" if left else ""
    run.output.say(f"{subject.kind.word} {subject.id}: cancelled, {cell(document.get('state'))}{rest}")
    return Exit.SUCCESS
