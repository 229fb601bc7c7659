"""CPU and memory of processes, from /proc; Linux only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_USER, _SYSTEM = 11, 12  # after the closing bracket of the name; proc(5)


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process and of its current children."""
    return sum(_cpu(Path(f"/proc/{member}/stat")) for member in family(pid))


def app_cpu_seconds(pid: int) -> float:
    """CPU seconds of the app alone: of the worker processes that the host has started for it."""
    return cpu_seconds(pid) - _cpu(Path(f"/proc/{pid}/stat"))


def memory_mib(pid: int, field: str = "VmRSS") -> float:
    """Resident memory of a process and its children; with `VmHWM` the peak of each."""
    kib = 0
    for member in family(pid):
        with suppress(OSError, IndexError, ValueError):
            kib += int(Path(f"/proc/{member}/status").read_text().partition(field + ":")[2].split()[0])
    return kib / 1024


def family(pid: int) -> Iterator[int]:
    """The process with all of its descendants."""
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").glob("[0-9]*"):
            for child in (task / "children").read_text().split():
                yield from family(int(child))


def _cpu(stat: Path) -> float:
    with suppress(OSError, IndexError, ValueError):
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS
    return 0.0
