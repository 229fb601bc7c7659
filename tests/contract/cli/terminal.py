"""A terminal of the tests' own, for what the command shows to a person."""

from __future__ import annotations

import os
import pty
import subprocess

from tests.contract.cli.command import environment, program


def on_terminal(arguments: list[str], url: str, typed: str = "", **env: str) -> tuple[int, str]:
    """Runs the command on a terminal and types; the exit code, and all that was written to it."""
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
    """What comes from a terminal until nobody holds the other side."""
    found = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            return found.decode()
        if not part:
            return found.decode()
        found += part
