"""Sets up what every make target needs: a virtual environment and the storage emulator, both inside this checkout.

It uses only the standard library, because it runs before anything is installed. If all is in place, it ends at once.
`--this` makes the environment with the interpreter that runs this script, and replaces one of another version.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ("requirements.txt", "requirements-telemetry.txt", "requirements-dev.txt", "constraints.txt")
OLDEST = (3, 11)

# 3.13 is what runs in Azure, and the oldest version for which the genuine worker library exists.
INTERPRETERS = ("python3.13", "python3", "python3.14", "python3.12", "python3.11", sys.executable, "/usr/bin/python3")

# A name on the search path proves nothing: it may be a pyenv shim without a version behind it, or lack ensurepip.
PROBE = "import sys, venv, ensurepip; print(*sys.version_info[:2], sys.executable)"


class SetUpFailed(Exception):
    """Raised when manual action is needed; the text says what."""


def main() -> int:
    """Sets up. If that fails, says in one line why."""
    try:
        set_up(ROOT, sys.executable if "--this" in sys.argv[1:] else None)
    except SetUpFailed as error:
        print(f"set-up failed: {error}", file=sys.stderr)
        return 1
    return 0


def set_up(root: Path, interpreter: str | None = None) -> None:
    """Brings .venv and the emulator up to date with the requirements, the lock file and a named interpreter."""
    python = root / ".venv" / "bin" / "python"
    stamp = root / ".venv" / ".installed-from"
    wanted = fingerprint(root)
    emulator = [str(python), "-m", "devstack.azurite"]
    usable = runs(str(python), interpreter)
    if stamp.exists() and stamp.read_text() == wanted and usable:
        run("the storage emulator", emulator, root)
        return
    started = time.monotonic()
    if not usable:
        make_environment(root, (interpreter,) if interpreter else INTERPRETERS)
    print("installing the requirements and the storage emulator, once, which takes about a minute", flush=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    run("the requirements", [*pip, "-r", "requirements-dev.txt"], root)
    run("the storage emulator", emulator, root)
    stamp.write_text(wanted)
    print(f"set up in {time.monotonic() - started:.0f} s", flush=True)


def runs(python: str, interpreter: str | None) -> bool:
    """Whether the environment's Python runs and has the requested version."""
    return probe(python) is not None and (interpreter is None or version(python) == version(interpreter))


def version(command: str) -> str:
    """An interpreter's output for `--version`, such as `Python 3.13.1`."""
    return subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout.strip()


def make_environment(root: Path, interpreters: Iterable[str]) -> None:
    """Makes .venv with the first suitable interpreter, replacing an existing one."""
    interpreter = choose(interpreters)
    print(f"making .venv with {interpreter}", flush=True)
    shutil.rmtree(root / ".venv", ignore_errors=True)
    run("a virtual environment", [interpreter, "-m", "venv", str(root / ".venv")], root)


def choose(candidates: Iterable[str]) -> str:
    """The first candidate that runs, is new enough and can make a virtual environment."""
    for candidate in candidates:
        path = probe(candidate)
        if path:
            return path
    raise SetUpFailed(
        f"no Python {OLDEST[0]}.{OLDEST[1]} or newer that can make a virtual environment"
        " (on Debian and Ubuntu that takes the package python3-venv)"
    )


def probe(command: str) -> str | None:
    """The interpreter behind a command, or None when it is missing, too old or incomplete."""
    try:
        # In the checkout, because pyenv's shims follow its .python-version.
        shown = subprocess.run([command, "-c", PROBE], capture_output=True, text=True, check=False, cwd=ROOT)
    except OSError:
        return None
    if shown.returncode:
        return None
    major, minor, path = shown.stdout.strip().split(" ", 2)
    return path if (int(major), int(minor)) >= OLDEST else None


def fingerprint(root: Path) -> str:
    """A fingerprint of the requirements: it changes when one of them does."""
    return hashlib.sha256(b"\0".join((root / name).read_bytes() for name in REQUIREMENTS)).hexdigest()


def run(what: str, command: list[str], root: Path) -> None:
    """Runs one step. Raises SetUpFailed with the end of its output."""
    ended = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if ended.returncode:
        raise SetUpFailed(f"installing {what} ended with code {ended.returncode}\n{ended.stdout.strip()[-4000:]}")


if __name__ == "__main__":
    sys.exit(main())
