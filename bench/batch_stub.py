"""The Batch account of the measurements: a stub in C, compiled at first use, or a slow one if there is no compiler."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

from bench.processes import cpu_seconds
from devstack.program import Program
from devstack.stack_settings import inherited_environment

SOURCE = Path(__file__).with_suffix(".c")
BUILT = Path(__file__).resolve().parents[1] / ".stack" / "bench"
COMPILERS = ("cc", "gcc", "clang")
START_SECONDS = 30


def stub_command() -> list[str]:
    """The command that starts the stub; says so if it is the slow one."""
    target = BUILT / f"batch_stub-{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]}"
    if target.exists():
        return [str(target)]
    compiler = next((found for name in COMPILERS if (found := shutil.which(name))), None)
    if compiler is None:
        return _slow("no C compiler (cc, gcc, clang) is on the path")
    BUILT.mkdir(parents=True, exist_ok=True)
    built = subprocess.run(
        [compiler, "-O2", "-o", str(target), str(SOURCE)], capture_output=True, text=True, check=False
    )
    return [str(target)] if built.returncode == 0 else _slow(f"{compiler} failed: {built.stderr.strip()[-500:]}")


def _slow(why: str) -> list[str]:
    print(f"{why}; the stub in Python takes its place, and its CPU is part of every figure", file=sys.stderr)
    return [sys.executable, "-m", "bench.slow_stub"]


class BatchStub:
    """The stub as a context manager. `rate` is the number of calls per second that it accepts; 0 means all."""

    def __init__(self, *, latency_ms: float = 0, rate: float = 0, logs: Path) -> None:
        self.url = ""
        command = [*stub_command(), "0", str(latency_ms), str(rate)]
        self._program = Program("Batch stub", command, log=logs / "batch_stub.log", env=inherited_environment())
        self._program.cwd = SOURCE.parents[1]

    def __enter__(self) -> Self:
        self._program.start()
        self.url = self._program.wait_for(r"(?m)^http://127\.0\.0\.1:\d+$", START_SECONDS)[0]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._program.stop()

    @property
    def pid(self) -> int:
        return self._program.pid

    def cpu_seconds(self) -> float:
        """CPU seconds since its start."""
        return cpu_seconds(self.pid)

    def counts(self) -> dict[str, int]:
        """DELETEs `served` and `refused`, and the `distinct` tasks among those served."""
        counts: dict[str, int] = requests.get(f"{self.url}/_stats", timeout=30).json()
        return counts

    def limit(self, rate: float) -> None:
        """Sets another limit; 0 lifts it."""
        requests.post(f"{self.url}/_limit?rate={rate}", timeout=30).raise_for_status()

    def reset(self) -> None:
        """Sets the counts to zero."""
        requests.post(f"{self.url}/_reset", timeout=30).raise_for_status()
