"""Waits for a program's end, by a signal or because one of its threads asks for it."""

from __future__ import annotations

import os
import signal
from types import FrameType


class Ending:
    """Waits in the main thread for SIGTERM, SIGINT or `end`.

    It reads a pipe, because a main thread that waits for a lock is not woken by a signal delivered to another thread.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _on_signal)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)

    def end(self) -> None:
        """Ends the wait, from any thread."""
        os.write(self._write, b"\0")

    def wait(self) -> None:
        """Returns when it is time to end."""
        os.read(self._read, 1)


def _on_signal(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)  # a second one ends the process at once
