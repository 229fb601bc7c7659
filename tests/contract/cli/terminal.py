"""A pseudo-terminal, for testing what the command line shows to a person."""

from __future__ import annotations

import os
import pty
import subprocess

from tests.contract.cli.command import environment, program


def on_terminal(arguments: list[str], url: str, typed: str = "", **env: str) -> tuple[int, str]:
    """Runs the command on a terminal and types a text; returns the exit code and everything shown."""
    main, side = pty.openpty()
    told = environment(url, **{"TERM": "xterm", "COLUMNS": "200", **env})
    with subprocess.Popen(program(*arguments), stdin=side, stdout=side, stderr=side, env=told) as process:
        os.close(side)
        os.write(main, typed.encode())
        shown = read_all(main)
        process.wait(60)
    os.close(main)
    return process.returncode, shown


def read_all(terminal: int) -> str:
    """Reads from a terminal until its other side is closed."""
    found = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            return found.decode()
        if not part:
            return found.decode()
        found += part
