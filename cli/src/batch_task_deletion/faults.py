"""What ends a command early, and the exit code that it ends with.

Fault
+-- Usage         2  what was typed, or a file that was named, is wrong; nothing was sent
+-- Refused       1  the app answered otherwise than was asked for
+-- OutOfReach    3  the app cannot be reached, refuses the key or is not in order
|   +-- AnswerLost   the same, where the app may have done what it was asked for
+-- TimeUp        4  `--timeout` is over
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NoReturn


class Exit(IntEnum):
    """The exit codes."""

    AS_ASKED = 0
    OTHERWISE = 1
    USAGE = 2
    OUT_OF_REACH = 3
    TIME_UP = 4
    INTERRUPTED = 130
    READER_GONE = 141  # what a shell shows of a program that SIGPIPE ended


class Fault(Exception):
    """Ends a command; `document` is the API's own answer where there is one."""

    code = Exit.OTHERWISE

    def __init__(self, text: str, document: Any = None) -> None:
        super().__init__(text)
        self.text = text
        self.document = document


class Usage(Fault):
    """Raised before anything is sent."""

    code = Exit.USAGE


class Refused(Fault):
    """Raised when the app says no."""


class OutOfReach(Fault):
    """Raised when another try of the same call would not help, or has not helped for a minute."""

    code = Exit.OUT_OF_REACH


class AnswerLost(OutOfReach):
    """Raised when it is not known whether the app did what it was asked for."""


class TimeUp(Fault):
    """Raised when the person does not want to wait longer."""

    code = Exit.TIME_UP

    def __init__(self) -> None:
        super().__init__("the time that --timeout gives is over; the work goes on")


def bad_line(number: int, fault: object) -> NoReturn:
    """Ends a command over a line of its file, before anything is sent."""
    raise Usage(f"line {number}: {fault}; nothing was sent")
