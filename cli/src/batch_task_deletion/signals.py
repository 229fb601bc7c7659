"""SIGTERM ends a command as Ctrl-C does: the command first says what was sent."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from batch_task_deletion.faults import Exit


class Terminated(KeyboardInterrupt):
    """Raised by SIGTERM. As a KeyboardInterrupt, it is not caught by libraries that catch `Exception`."""


@contextmanager
def terminable() -> Iterator[None]:
    """Within it, SIGTERM raises Terminated, unless whoever started the program ignores the signal."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


def words_and_code(interrupt: KeyboardInterrupt) -> tuple[str, Exit]:
    """How an interrupted command ends."""
    return ("terminated", Exit.TERMINATED) if isinstance(interrupt, Terminated) else ("interrupted", Exit.INTERRUPTED)
