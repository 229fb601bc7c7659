"""Runs the command, in this process with a clock that is wound, or in one of its own."""

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
    """Time that passes only while somebody sleeps."""

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
    """How a run ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def documents(self) -> list[Any]:
        """Standard output as JSON lines; fails where a line is none."""
        return [json.loads(line) for line in self.out.splitlines()]


class Command:
    """The command with the address of an app in its environment."""

    def __init__(self, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.clock = WoundClock()
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        monkeypatch.setenv("BATCH_TASK_DELETION_URL", url)

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Ended:
        """Runs it in this process, which has no terminal."""
        self._monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        self._capsys.readouterr()
        code = main(arguments, self.clock)
        written = self._capsys.readouterr()
        return Ended(int(code), written.out, written.err)


def environment(url: str = "", **more: str) -> dict[str, str]:
    """What a process of the command needs, and the address of the app."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    told = {"BATCH_TASK_DELETION_URL": url} if url else {}
    return {**kept, "PYTHONPATH": str(SOURCES), **told, **more}


def program(*arguments: str) -> list[str]:
    """The command line that runs it in a process of its own."""
    return [sys.executable, "-m", "batch_task_deletion", *arguments]


def in_process(
    arguments: Sequence[str], env: Mapping[str, str], *, stdin: bytes = b"", cwd: Path | None = None
) -> Ended:
    """Runs it in a process of its own, without a terminal."""
    ended = subprocess.run(
        program(*arguments), env=dict(env), input=stdin, capture_output=True, cwd=cwd, timeout=300, check=False
    )
    return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())
