"""Installs what only the browser tests need: playwright, axe-core and, from the system's packages, Chromium.

`python -m scripts.browser_tools` installs what is missing, or says what to install. Playwright does not download a
browser: it drives the installed one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from devstack.azurite.install import find_node

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests" / "browser"
REQUIREMENTS = ROOT / "requirements-browser.txt"
AXE = TESTS / "node_modules" / "axe-core" / "axe.min.js"
STAMP = TESTS / "node_modules" / ".installed-from"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class ToolMissing(Exception):
    """Raised when something has to be installed by hand; the text says what."""


def chromium() -> str | None:
    """The browser: what `CHROMIUM` names, else the first of the usual names on the search path."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


def main() -> int:
    """Installs whatever is missing; returns 1 if that fails."""
    try:
        _install_playwright()
        _install_axe()
        _install_chromium()
    except ToolMissing as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


def _install_playwright() -> None:
    wanted = [line for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    for line in wanted:
        name, _, version = line.partition("==")
        try:
            is_there = metadata.version(name) == version
        except metadata.PackageNotFoundError:
            is_there = False
        if not is_there:
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
            _run("playwright", [*pip, "-r", str(REQUIREMENTS)])
            return


def _install_axe() -> None:
    lock = hashlib.sha256((TESTS / "package-lock.json").read_bytes()).hexdigest()
    if AXE.exists() and STAMP.exists() and STAMP.read_text() == lock:
        return
    node = find_node()
    if node is None:
        raise ToolMissing("the browser tests need npm, for the accessibility scan")
    _run("axe-core", [*node.npm, "ci", "--no-audit", "--no-fund", "--silent", "--prefix", str(TESTS)])
    STAMP.write_text(lock)


def _install_chromium() -> None:
    if chromium():
        return
    text = "the browser tests need Chromium: `apt-get install chromium` on Debian, or CHROMIUM=/path/to/it"
    # On a throw-away machine, such as those of CI, install without asking.
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise ToolMissing(text)
    _run("chromium", ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "chromium"])


def _run(what: str, command: list[str]) -> None:
    print(f"installing {what}", flush=True)
    ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if ended.returncode:
        raise ToolMissing(f"installing {what} ended with code {ended.returncode}\n{ended.stdout.strip()[-4000:]}")


if __name__ == "__main__":
    sys.exit(main())
