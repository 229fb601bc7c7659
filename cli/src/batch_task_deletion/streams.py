"""Writes lines to standard output and standard error, either of which may be gone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from batch_task_deletion.faults import ReaderGone, Unwritable


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a stream is a terminal; one that was closed before the start is None."""
    return stream is not None and stream.isatty()


@contextmanager
def writing() -> Iterator[None]:
    """Translates what goes wrong on standard output. Raises ReaderGone or Unwritable."""
    try:
        yield
    except BrokenPipeError:
        raise ReaderGone from None
    except OSError as fault:
        raise Unwritable(fault.strerror or str(fault)) from None


def put(line: str) -> None:
    """Writes a line to standard output. Raises ReaderGone or Unwritable."""
    if sys.stdout is None:
        raise Unwritable("it was closed")
    with writing():
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def note(line: str, end: str = "\n") -> None:
    """Writes a line to standard error. Raises ReaderGone; if it cannot be written for another reason, it is dropped.

    A lost remark does not stop the work.
    """
    if sys.stderr is None:
        return
    try:
        with writing():
            sys.stderr.write(line + end)
            sys.stderr.flush()
    except Unwritable:
        return


def are_flushed() -> bool:
    """Whether the buffers could be written. If not, the interpreter would fail on them when it exits."""
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except OSError:
        return False
    return True
