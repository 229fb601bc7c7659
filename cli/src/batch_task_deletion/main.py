"""Parses the arguments, runs the command, and returns its exit code."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from batch_task_deletion.app import app
from batch_task_deletion.clock import Clock, SystemClock
from batch_task_deletion.commands import add_all
from batch_task_deletion.faults import Exit, ReaderGone, Unwritable
from batch_task_deletion.run import PROGRAM, Origin
from batch_task_deletion.streams import note, writing
from batch_task_deletion.text import escaped

add_all()

AT_ONCE = frozenset({Exit.INTERRUPTED, Exit.TERMINATED, Exit.READER_GONE, Exit.UNWRITABLE})
"""The codes after which threads may still be calling, or buffers cannot be written."""


def main(arguments: Sequence[str], clock: Clock | None = None) -> int:
    """Runs the command that the arguments name, and returns its exit code."""
    try:
        return _run(arguments, Origin(arguments, clock or SystemClock()))
    except ReaderGone as gone:
        return gone.code
    except Unwritable as lost:
        note(f"Error: {lost.text}")
        return lost.code


def _run(arguments: Sequence[str], origin: Origin) -> int:
    program = typer.main.get_command(app)
    try:
        # Only the help, the version and the completion are written by typer itself.
        with writing():
            code = program.main(list(arguments), PROGRAM, standalone_mode=False, obj=origin)
    except typer.TyperException as fault:
        return _usage(fault)
    except typer.Abort:
        return Exit.INTERRUPTED
    except SystemExit as ended:
        # typer turns a closed pipe into the exit code 1 when it prints the help.
        if isinstance(ended.__context__, BrokenPipeError):
            raise ReaderGone from None
        raise
    return code if isinstance(code, int) else 0


def _usage(fault: typer.TyperException) -> int:
    """Reports what is wrong with the arguments."""
    context = getattr(fault, "ctx", None)
    message = fault.format_message()
    if not message or type(fault).__name__ == "NoArgsIsHelpError":
        note(context.get_help() if context else message)
        return Exit.USAGE
    if context:
        note(f"{context.get_usage()}\nTry '{context.command_path} --help' for help.\n")
    note(f"Error: {escaped(message)}")
    return Exit.USAGE
