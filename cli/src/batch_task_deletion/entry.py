"""The console script. It imports nothing but the standard library at first, so that Ctrl-C is quiet from the start."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn


def script() -> NoReturn:
    """Loads the program, runs it, and exits with its code."""
    _be_quiet_while_loading()
    from batch_task_deletion.faults import Exit
    from batch_task_deletion.main import AT_ONCE, main
    from batch_task_deletion.streams import are_flushed

    for stream in (sys.stdout, sys.stderr):
        # Characters that the terminal's encoding lacks are shown as their codes.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        _let_ctrl_c_interrupt()
        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
    if code in AT_ONCE or not are_flushed():
        # Exit immediately: the interpreter would wait for calls in other threads, or fail to write what is left.
        os._exit(code)
    sys.exit(code)


def _be_quiet_while_loading() -> None:
    """While the program loads, Ctrl-C ends it immediately.

    A KeyboardInterrupt would be raised inside whatever library is being imported, and might not get out of it.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))


def _let_ctrl_c_interrupt() -> None:
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
