"""Shows progress: a bar on a terminal, elsewhere a line at most every 30 seconds."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Protocol, Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from batch_task_deletion.clock import Clock
from batch_task_deletion.output import console
from batch_task_deletion.text import escaped

EVERY_SECONDS = 30.0


class Shown(Protocol):
    """A progress display, as a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    def update(self, done: int, total: int | None, note: str = "") -> None: ...


def progress(what: str, clock: Clock) -> Shown:
    """The display that suits standard error."""
    return _Bar(what) if sys.stderr.isatty() else _Lines(what, clock)


class _Bar:
    def __init__(self, what: str) -> None:
        columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
        words = (
            TextColumn("{task.description}", markup=False),
            *columns,
            TextColumn("{task.fields[note]}", markup=False),
        )
        self._progress = Progress(*words, console=console(sys.stderr), transient=True, refresh_per_second=4)
        self._task: TaskID = self._progress.add_task(escaped(what), total=None, note="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def update(self, done: int, total: int | None, note: str = "") -> None:
        self._progress.update(self._task, completed=done, total=total, note=escaped(note))


class _Lines:
    def __init__(self, what: str, clock: Clock) -> None:
        self._what = escaped(what)
        self._clock = clock
        self._last_shown = clock.now()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return

    def update(self, done: int, total: int | None, note: str = "") -> None:
        if self._clock.now() - self._last_shown < EVERY_SECONDS:
            return
        self._last_shown = self._clock.now()
        of = "" if total is None else f" of {total:,}"
        sys.stderr.write(f"{self._what}: {done:,}{of}{' ' + escaped(note) if note else ''}\n")
        sys.stderr.flush()
