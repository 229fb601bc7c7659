"""One run of a command: its options, its client, its output, and how it ends."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from batch_task_deletion import forms
from batch_task_deletion.client import Client
from batch_task_deletion.clock import Clock, SystemClock
from batch_task_deletion.faults import Exit, Fault, OutOfReach, TimeUp, Usage
from batch_task_deletion.output import Output
from batch_task_deletion.target import choose

PROGRAM = "batch-task-deletion"
LONGEST_COMMAND = 8_000
"""Characters; the shortest limit of a common shell is 8,191."""


@dataclass(frozen=True)
class Origin:
    """The arguments as typed, and the clock."""

    typed: Sequence[str] = ()
    clock: Clock = field(default_factory=SystemClock)


@dataclass
class Run:
    """What every command is given."""

    url: str | None
    key_file: Path | None
    azd: bool
    output: Output
    origin: Origin
    unfinished: Callable[[], list[str]] = field(default=list)
    """For a run that ends before its work does: what was sent, and the command to continue with."""

    @property
    def clock(self) -> Clock:
        return self.origin.clock

    @cached_property
    def client(self) -> Client:
        """Created on first use, so that azd is not run if other options are wrong."""
        target = choose(self.url, self.key_file, azd=self.azd, environment=os.environ)
        if target.remark:
            self.output.remark(target.remark)
        return Client(target, self.clock)

    def deadline(self, timeout: str | None, *, waits: bool = True) -> float | None:
        """When `--timeout` passes. Raises Usage if the command does not wait."""
        if timeout is None:
            return None
        if not waits:
            raise Usage("--timeout limits the waiting, so it needs --wait")
        return self.clock.now() + forms.duration(timeout)

    def again(self, option: str = "", value: str = "") -> str:
        """The command as typed, plus one option if it is missing. The option goes first, since a `--` may follow."""
        more = [option, value] if option and option not in self.origin.typed else []
        return shlex.join([PROGRAM, *more, *self.origin.typed])

    def command(self, *words: str) -> str:
        """Another command for the same app; empty if it is too long for a shell."""
        said = [*words]
        said += ["--url", self.url] if self.url is not None else []
        said += ["--key-file", str(self.key_file)] if self.key_file is not None else []
        said += ["--azd"] if self.azd else []
        text = shlex.join([PROGRAM, *said])
        return text if len(text) <= LONGEST_COMMAND else ""

    def carry_out(self, command: Callable[[], int]) -> int:
        """Runs a command and returns its exit code, whatever ends it."""
        try:
            return command()
        except (TimeUp, OutOfReach) as fault:
            self.output.fault(fault)
            self.output.lines(self.unfinished())
            return fault.code
        except Fault as fault:
            self.output.fault(fault)
            return fault.code
        except KeyboardInterrupt:
            sys.stderr.write("\n" if sys.stderr.isatty() else "")
            self.output.lines(["interrupted", *self.unfinished()])
            return Exit.INTERRUPTED
