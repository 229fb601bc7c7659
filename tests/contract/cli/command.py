"""Runs the command line, in this process with a clock that tests control, or in a separate process."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from batch_task_deletion.main import main

ROOT = Path(__file__).resolve().parents[3]
SOURCES = ROOT / "cli" / "src"


class WoundClock:
    """A clock whose time passes only while the command sleeps."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []
        self._guard = threading.Lock()

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        with self._guard:
            self.time += seconds
            self.slept.append(seconds)


@dataclass(frozen=True)
class Ended:
    """Exit code and output of a finished run."""

    code: int
    out: str
    err: str

    @property
    def documents(self) -> list[Any]:
        """Standard output parsed as JSON lines; fails if a line is not JSON."""
        return [json.loads(line) for line in self.out.splitlines()]


class Command:
    """Runs the command line with an app's address in its environment."""

    def __init__(self, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.clock = WoundClock()
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        monkeypatch.setenv("BATCH_TASK_DELETION_URL", url)

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Ended:
        """Runs the command line in this process, without a terminal."""
        self._monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        self._capsys.readouterr()
        code = main(arguments, self.clock)
        written = self._capsys.readouterr()
        return Ended(int(code), written.out, written.err)


def environment(url: str = "", **more: str) -> dict[str, str]:
    """The environment variables that a process of the command needs, with the address of the app."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    told = {"BATCH_TASK_DELETION_URL": url} if url else {}
    return {**kept, "PYTHONPATH": str(SOURCES), **told, **more}


def program(*arguments: str) -> list[str]:
    """The arguments that run the command line in a separate process."""
    return [sys.executable, "-m", "batch_task_deletion", *arguments]


def in_process(
    arguments: Sequence[str], env: Mapping[str, str], *, stdin: bytes = b"", cwd: Path | None = None
) -> Ended:
    """Runs the command line in a separate process, without a terminal."""
    ended = subprocess.run(
        program(*arguments), env=dict(env), input=stdin, capture_output=True, cwd=cwd, timeout=300, check=False
    )
    return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())
