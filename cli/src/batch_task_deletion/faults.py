"""Why a command ends early, and its exit code.

Fault
+-- Usage         2  the arguments or a file are wrong; nothing was sent
+-- Refused       1  the app refused
+-- OutOfReach    3  the app cannot be reached, rejects the key or is failing
|   +-- AnswerLost   the same, but the app may have acted
+-- TimeUp        4  `--timeout` has passed
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NoReturn


class Exit(IntEnum):
    """The exit codes."""

    SUCCESS = 0
    FAILURE = 1
    USAGE = 2
    OUT_OF_REACH = 3
    TIME_UP = 4
    INTERRUPTED = 130
    READER_GONE = 141  # the code a shell reports for a program killed by SIGPIPE


class Fault(Exception):
    """Ends a command. `document` is the API's response, if there is one."""

    code = Exit.FAILURE

    def __init__(self, text: str, document: Any = None) -> None:
        super().__init__(text)
        self.text = text
        self.document = document


class Usage(Fault):
    """Raised before anything is sent."""

    code = Exit.USAGE


class Refused(Fault):
    """Raised when the app refuses a call."""


class OutOfReach(Fault):
    """Raised when retrying the call cannot help, or has not helped for a minute."""

    code = Exit.OUT_OF_REACH


class AnswerLost(OutOfReach):
    """Raised when it is unknown whether the app acted."""


class TimeUp(Fault):
    """Raised when `--timeout` has passed."""

    code = Exit.TIME_UP

    def __init__(self) -> None:
        super().__init__("--timeout has passed; the work goes on in the app")


def bad_line(number: int, fault: object) -> NoReturn:
    """Ends a command because of a line in its file, before anything is sent."""
    raise Usage(f"line {number}: {fault}; nothing was sent")
