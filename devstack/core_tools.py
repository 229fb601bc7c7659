"""The real Functions host, run by `func` of the Azure Functions Core Tools."""

from __future__ import annotations

import shutil
from pathlib import Path

import requests

from devstack.program import Program

_CALL_SECONDS = 30


def is_installed() -> bool:
    """Whether `func` is on the path."""
    return shutil.which("func") is not None


def command(port: int) -> list[str]:
    """How it is started, in the directory of the app."""
    return ["func", "start", "--port", str(port)]


def wait_until_up(program: Program, url: str, route: str, seconds: float) -> None:
    """Returns when a GET of `route` is answered with success. Raises ProgramFailed.

    The log does not tell: its line about the worker comes before the port is open, and never at level Warning.
    The host itself is up once /admin/host/ping answers; its routes come later.
    """
    program.wait_until(lambda: _answers(f"{url}/admin/host/ping") and _answers(url + route), seconds)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=_CALL_SECONDS).ok
    except requests.RequestException:
        return False


def write_settings(app_dir: Path) -> None:
    """An empty settings file, without which the tools ask for the language; all settings are in the environment."""
    (app_dir / "local.settings.json").write_text('{"IsEncrypted": false, "Values": {}}')
