"""Waits for requests, clean-ups and sweeps, shows their progress, and reports how they ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from batch_task_deletion.faults import Exit
from batch_task_deletion.output import cell
from batch_task_deletion.progress import Shown, progress
from batch_task_deletion.run import Run
from batch_task_deletion.subject import Kind, Subject, is_over, outcomes, steps, succeeded
from batch_task_deletion.text import counted
from batch_task_deletion.waiting import wait

MOST_SHOWN = 20


class Following:
    """The state of everything that is being waited for."""

    def __init__(self, run: Run, subjects: Sequence[Subject], shown: Shown) -> None:
        self._run = run
        self._total = len(subjects)
        self._shown = shown
        self._last: dict[Subject, dict[str, Any]] = {}
        self.over = 0
        self.outcomes: Counter[str] = Counter()
        self.failed: list[tuple[Subject, dict[str, Any] | None]] = []

    def seen(self, subject: Subject, document: dict[str, Any] | None) -> None:
        """Takes in the result of one look-up."""
        ended = document is None or is_over(subject.kind, document)
        if document is not None:
            self._print(subject, document, ended=ended)
        if ended:
            self.over += 1
            self._end(subject, document)
        if self._total == 1 and document is not None:
            done, total = steps(subject.kind, document)
            self._shown.update(done, total, f"{subject.kind.word} {cell(document.get('state'))}")
        else:
            self._shown.update(self.over, self._total)

    def _print(self, subject: Subject, document: dict[str, Any], *, ended: bool) -> None:
        """With `--json`: a request once it is done, a clean-up or sweep whenever it has changed."""
        if ended or (subject.kind is not Kind.REQUEST and self._last.get(subject) != document):
            self._run.output.document(document)
        if subject.kind is not Kind.REQUEST:
            self._last[subject] = document

    def _end(self, subject: Subject, document: dict[str, Any] | None) -> None:
        if document is None:
            self.outcomes["unknown"] += 1
            self.failed.append((subject, None))
            return
        self.outcomes += outcomes(subject.kind, document)
        if not succeeded(subject.kind, document):
            self.failed.append((subject, document))


def follow(run: Run, subjects: Sequence[Subject], deadline: float | None) -> Exit:
    """Waits until all are over and reports how they ended. Raises TimeUp."""
    if not subjects:
        return Exit.SUCCESS
    with progress("waiting", run.clock) as shown:
        shown.update(0, None if len(subjects) == 1 else len(subjects))
        following = Following(run, subjects, shown)
        wait(run.client, subjects, following.seen, deadline)
    report(run, following)
    return Exit.FAILURE if following.failed else Exit.SUCCESS


def report(run: Run, following: Following) -> None:
    """Prints the count of each outcome, and everything that did not succeed."""
    ends = ", ".join(f"{number:,} {name}" for name, number in sorted(following.outcomes.items()))
    run.output.say(f"done: {ends or 'there was nothing to delete'}")
    for subject, document in following.failed[:MOST_SHOWN]:
        run.output.remark(f"{subject.kind.word} {subject.id}: {why(subject, document)}")
    if (more := len(following.failed) - MOST_SHOWN) > 0:
        run.output.remark(f"and {counted(more, 'other')} that did not succeed")


def why(subject: Subject, document: dict[str, Any] | None) -> str:
    """How something that did not succeed ended."""
    if document is None:
        return "not found"
    if subject.kind is Kind.REQUEST:
        data = (document.get("result") or {}).get("data") or {}
        said = f"jobs/{cell(data.get('jobId'))}/tasks/{cell(data.get('taskId'))} {cell(data.get('outcome'))}"
        return said + (f", {cell(data['error'])}" if data.get("error") else "")
    error = f", {cell(document['error'])}" if document.get("error") else ""
    return f"{cell(document.get('state'))}, {cell(dict(outcomes(subject.kind, document)))}{error}"
