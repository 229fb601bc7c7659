"""Runs a module with its threads named for the kernel too, so that /proc tells the CPU of each.

Python tells the kernel the names of threads from 3.14 on. `python -m bench.named_threads MODULE [ARGUMENT...]`
"""

from __future__ import annotations

import ctypes
import runpy
import sys
import threading

_PR_SET_NAME = 15  # linux/prctl.h; the kernel keeps 15 characters


def name_threads() -> None:
    """From now on each thread says its name when it begins."""
    prctl = ctypes.CDLL(None).prctl
    run = threading.Thread.run

    def named(thread: threading.Thread) -> None:
        prctl(_PR_SET_NAME, thread.name.encode()[:15], 0, 0, 0)
        run(thread)

    threading.Thread.run = named  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    name_threads()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
