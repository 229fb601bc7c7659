"""The app's libraries for the package: the tested versions (constraints.txt), as wheels for the platform.

Only the standard library and pip may be used: scripts/package.py runs with any Python that azd finds.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

LIBRARIES = ".python_packages/lib/site-packages"
"""Where the worker looks for them (azure_functions_runtime/utils/constants.py)."""

# By the C library that a wheel needs, oldest first; that of Flex Consumption is newer than all of these.
_PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_27_x86_64", "manylinux_2_28_x86_64")
_PIN = re.compile(r"^([\w.-]+)==([^\s;]+)", re.MULTILINE)


class PackagingFailed(Exception):
    """Raised when manual action is needed; the text says what."""


def add_libraries(root: Path, into: Path, python: str, *, telemetry: bool) -> None:
    """Installs the requirements for the platform and its Python. Raises PackagingFailed with pip's output."""
    files = ["requirements.txt", *(["requirements-telemetry.txt"] if telemetry else [])]
    wanted = [line for name in files for line in (root / name).read_text(encoding="utf-8").splitlines()]
    pins: dict[str, str] = {}
    for name in ("constraints.txt", *files):
        pins |= {_canonical(name): pin for name, pin in _PIN.findall((root / name).read_text(encoding="utf-8"))}
    target = into / LIBRARIES
    # pip evaluates markers for the machine that it runs on. So they are evaluated here instead, and pip gets one level
    # of the dependency tree at a time, without markers.
    while missing := _missing(target, [line for line in wanted if line and line[0] not in "#-"], python):
        if unpinned := sorted(missing - pins.keys()):
            raise PackagingFailed(f"not pinned in constraints.txt: {', '.join(unpinned)}")
        _pip(target, [f"{name}=={pins[name]}" for name in sorted(missing)], python)
    # Command-line programs contain the path of this machine's Python, and RECORD files contain their hashes.
    shutil.rmtree(target / "bin", ignore_errors=True)
    for record in target.glob("*.dist-info/RECORD"):
        record.unlink()


def _missing(target: Path, wanted: list[str], python: str) -> set[str]:
    """Distributions that are required, directly or indirectly, but not installed."""
    # pip's copy of `packaging`: no other parser of requirements is on every machine.
    from pip._vendor.packaging.requirements import Requirement

    installed: dict[str, Distribution] = {_canonical(each.name): each for each in distributions(path=[str(target)])}
    waiting: list[tuple[Any, set[str]]] = [(Requirement(line), {""}) for line in wanted]
    asked: set[tuple[str, str]] = set()
    while waiting:
        requirement, extras_of_asker = waiting.pop()
        marker = requirement.marker
        if marker and not any(marker.evaluate(_environment(python, extra)) for extra in extras_of_asker):
            continue
        name, extras = _canonical(requirement.name), {"", *requirement.extras}
        if (found := {(name, extra) for extra in extras} - asked) and name in installed:
            waiting += [(Requirement(text), extras) for text in installed[name].requires or []]
        asked |= found
    return {name for name, _ in asked} - installed.keys()


def _environment(python: str, extra: str) -> dict[str, str]:
    """The values of the markers' variables on the platform (PEP 508)."""
    return {
        "extra": extra,
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }


def _pip(target: Path, requirements: list[str], python: str) -> None:
    # pip would compare a library's Requires-Python with the Python that runs pip; the pins are for the platform's.
    options = ["--ignore-requires-python", "--no-deps", "--no-compile", "--only-binary=:all:", "--implementation", "cp"]
    platforms = [option for platform in reversed(_PLATFORMS) for option in ("--platform", platform)]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    with tempfile.TemporaryDirectory() as folder:
        whole = [*command, *options, "--python-version", python, *platforms, "--target", folder, *requirements]
        ended = subprocess.run(whole, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if ended.returncode:
            raise PackagingFailed(f"pip ended with code {ended.returncode}\n{ended.stdout.strip()[-4000:]}")
        # Not directly into the target: pip would replace a whole folder of the same name, such as azure/.
        shutil.copytree(folder, target, dirs_exist_ok=True)


def _canonical(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
