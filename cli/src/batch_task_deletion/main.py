"""The entry point: parses the arguments, runs the command, and exits with its code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn, TextIO

import typer

from batch_task_deletion.app import app
from batch_task_deletion.clock import Clock, SystemClock
from batch_task_deletion.commands import add_all
from batch_task_deletion.faults import Exit
from batch_task_deletion.run import PROGRAM, Origin
from batch_task_deletion.text import escaped

add_all()


def script() -> NoReturn:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        # A character that the terminal's encoding lacks is shown by its code.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = Exit.READER_GONE
    if code in {Exit.INTERRUPTED, Exit.READER_GONE}:
        # Exit immediately: the interpreter would wait for calls in other threads, or flush to a closed pipe.
        os._exit(code)
    sys.exit(code)


def main(arguments: Sequence[str], clock: Clock | None = None) -> int:
    """Runs the command that the arguments name, and returns its exit code."""
    program = typer.main.get_command(app)
    origin = Origin(arguments, clock or SystemClock())
    try:
        code = program.main(list(arguments), PROGRAM, standalone_mode=False, obj=origin)
    except typer.TyperException as fault:
        return _usage(fault, sys.stderr)
    except typer.Abort:
        return Exit.INTERRUPTED
    return code if isinstance(code, int) else 0


def _usage(fault: typer.TyperException, stream: TextIO) -> int:
    """Reports what is wrong with the arguments."""
    context = getattr(fault, "ctx", None)
    message = fault.format_message()
    if not message or type(fault).__name__ == "NoArgsIsHelpError":
        stream.write(f"{context.get_help() if context else message}\n")
        return Exit.USAGE
    if context:
        stream.write(f"{context.get_usage()}\nTry '{context.command_path} --help' for help.\n\n")
    stream.write(f"Error: {escaped(message)}\n")
    return Exit.USAGE
