"""Waits for what was asked for, shows how far it is, and judges how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from batch_task_deletion.faults import Exit
from batch_task_deletion.output import cell
from batch_task_deletion.progress import Shown, progress
from batch_task_deletion.run import Run
from batch_task_deletion.subject import Kind, Subject, ended_as_asked, is_over, outcomes, steps
from batch_task_deletion.text import counted
from batch_task_deletion.waiting import wait

MOST_TOLD = 20


class Following:
    """What is known of those that are waited for."""

    def __init__(self, run: Run, subjects: Sequence[Subject], shown: Shown) -> None:
        self._run = run
        self._total = len(subjects)
        self._shown = shown
        self._last: dict[Subject, dict[str, Any]] = {}
        self.over = 0
        self.outcomes: Counter[str] = Counter()
        self.otherwise: list[tuple[Subject, dict[str, Any] | None]] = []

    def seen(self, subject: Subject, document: dict[str, Any] | None) -> None:
        """Hears of one look."""
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
        """With `--json`, each request once it is done, and the others whenever something changed."""
        if ended or (subject.kind is not Kind.REQUEST and self._last.get(subject) != document):
            self._run.output.document(document)
        if subject.kind is not Kind.REQUEST:
            self._last[subject] = document

    def _end(self, subject: Subject, document: dict[str, Any] | None) -> None:
        if document is None:
            self.outcomes["unknown"] += 1
            self.otherwise.append((subject, None))
            return
        self.outcomes += outcomes(subject.kind, document)
        if not ended_as_asked(subject.kind, document):
            self.otherwise.append((subject, document))


def follow(run: Run, subjects: Sequence[Subject], deadline: float | None) -> Exit:
    """Waits until all are over and tells how they ended. Raises TimeUp."""
    if not subjects:
        return Exit.AS_ASKED
    with progress("waiting", run.clock) as shown:
        shown.update(0, None if len(subjects) == 1 else len(subjects))
        following = Following(run, subjects, shown)
        wait(run.client, subjects, following.seen, deadline)
    tell(run, following)
    return Exit.OTHERWISE if following.otherwise else Exit.AS_ASKED


def tell(run: Run, following: Following) -> None:
    """The outcomes with their numbers, and what did not end as asked."""
    ends = ", ".join(f"{number:,} {name}" for name, number in sorted(following.outcomes.items()))
    run.output.say(f"done: {ends or 'nothing was to be deleted'}")
    for subject, document in following.otherwise[:MOST_TOLD]:
        run.output.remark(f"{subject.kind.word} {subject.id}: {why(subject, document)}")
    if (more := len(following.otherwise) - MOST_TOLD) > 0:
        run.output.remark(f"and {counted(more, 'other')} that did not end as asked")


def why(subject: Subject, document: dict[str, Any] | None) -> str:
    """How something ended that did not end as asked."""
    if document is None:
        return "is not known"
    if subject.kind is Kind.REQUEST:
        data = (document.get("result") or {}).get("data") or {}
        said = f"jobs/{cell(data.get('jobId'))}/tasks/{cell(data.get('taskId'))} {cell(data.get('outcome'))}"
        return said + (f", {cell(data['error'])}" if data.get("error") else "")
    error = f", {cell(document['error'])}" if document.get("error") else ""
    return f"{cell(document.get('state'))}, {cell(dict(outcomes(subject.kind, document)))}{error}"
