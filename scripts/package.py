"""Packages the app for deployment: `python scripts/package.py` fills build/app and build/app.zip, and lists them.

.funcignore decides which files of the app are included. The libraries are included in the tested versions
(constraints.txt), as wheels for the platform's Linux and Python, whatever machine this runs on. azd runs this before it
zips build/app (azure.yaml), with any Python that it finds, so only the standard library and pip may be used.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if not __package__:
    # Run as a file, Python looks for modules beside it only.
    sys.path.insert(0, str(ROOT))

from scripts.package_libraries import LIBRARIES, PackagingFailed, add_libraries  # noqa: E402

IGNORE_FILE = ".funcignore"
# Without an ignore file in the folder, azd leaves out every __pycache__ (createDeployableZip in azure-dev).
_STAGED_IGNORE = "# Nothing is left out: this folder holds what scripts/package.py chose.\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_WHO = "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"


class IgnoreRules:
    """The part of .gitignore's syntax that .funcignore uses: anchors, folders, wildcards, `!`; the last match wins."""

    def __init__(self, text: str) -> None:
        lines = (line.strip() for line in text.splitlines())
        self._patterns = [line for line in lines if line and not line.startswith("#")]

    def ships(self, path: str, *, folder: bool) -> bool:
        """Whether a path relative to the root belongs in the package, given that its parent does."""
        result = True
        for pattern in self._patterns:
            wanted = pattern.startswith("!")
            if self._matches(pattern.removeprefix("!"), path, folder=folder):
                result = wanted
        return result

    @staticmethod
    def _matches(pattern: str, path: str, *, folder: bool) -> bool:
        if pattern.endswith("/") and not folder:
            return False
        bare = pattern.strip("/")
        if "/" not in pattern.rstrip("/"):
            return fnmatchcase(path.rpartition("/")[2], bare)
        # `*` does not match a slash, so the pattern needs as many parts as the path.
        parts, wanted = path.split("/"), bare.split("/")
        return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


def shipped(root: Path) -> list[str]:
    """The files of the app itself, relative to the root, in order."""
    rules = IgnoreRules((root / IGNORE_FILE).read_text(encoding="utf-8"))
    return sorted(_walk(root, "", rules))


def _walk(root: Path, prefix: str, rules: IgnoreRules) -> Iterator[str]:
    for entry in (root / prefix).iterdir():
        path = f"{prefix}/{entry.name}".lstrip("/")
        if rules.ships(path, folder=entry.is_dir()):
            if entry.is_dir():
                yield from _walk(root, path, rules)
            else:
                yield path


def stage(root: Path, into: Path) -> None:
    """Empties a folder and fills it with the app itself."""
    shutil.rmtree(into, ignore_errors=True)
    for path in shipped(root):
        target = into / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, target)
    (into / IGNORE_FILE).write_text(_STAGED_IGNORE, encoding="utf-8")


def add_bytecode(into: Path, python: str) -> None:
    """Compiles every module in a folder with an interpreter of the deployed version."""
    # Validated by hash, not by the source's time, which unpacking changes (PEP 552). The libraries' sources need not be
    # checked at all, since the package is mounted read-only.
    command = [python, "-m", "compileall", "-q", "-s", str(into), "--invalidation-mode"]
    # Otherwise the order of sets, and with it the bytecode, would differ between runs.
    steady = {**os.environ, "PYTHONHASHSEED": "0"}
    if (into / LIBRARIES).is_dir():
        subprocess.run([*command, "unchecked-hash", str(into / LIBRARIES)], check=True, env=steady)
    subprocess.run([*command, "checked-hash", "-x", r"[\\/]\.python_packages[\\/]", str(into)], check=True, env=steady)


def compiler_for(version: str) -> str | None:
    """The path of an interpreter of the deployed version (no other can compile for it); None if there is none."""
    for command in ([sys.executable], [f"python{version}"], ["python3"], ["python"], ["py", f"-{version}"]):
        with suppress(OSError):
            # In the checkout, whose .python-version steers the shims of pyenv; their answer holds everywhere.
            asked = [*command, "-c", _WHO]
            shown = subprocess.run(asked, capture_output=True, text=True, check=False, cwd=ROOT).stdout.partition(" ")
            if shown[0] == version:
                return shown[2].rstrip("\n")
    return None


def pack(staged: Path, archive: Path) -> list[zipfile.ZipInfo]:
    """Zips a staged folder and returns the entries. The same files make the same bytes."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as package:
        for path in sorted(path for path in staged.rglob("*") if path.is_file() and path.name != IGNORE_FILE):
            entry = zipfile.ZipInfo(path.relative_to(staged).as_posix(), _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            package.writestr(entry, path.read_bytes())
        return package.infolist()


def deployed_python(root: Path) -> str:
    """The minor version that the platform runs, such as `3.13`."""
    return (root / ".python-version").read_text(encoding="utf-8").split()[0]


def main(arguments: list[str] | None = None) -> int:
    """Packs, prints the list and the size, and returns the exit code."""
    asked = _arguments(arguments)
    into, wanted = asked.into, deployed_python(ROOT)
    stage(ROOT, into)
    try:
        if asked.libraries:
            add_libraries(ROOT, into, wanted, telemetry=asked.telemetry)
    except PackagingFailed as fault:
        print(f"not packed: {fault}", file=sys.stderr)
        return 1
    if python := compiler_for(wanted):
        add_bytecode(into, python)
    archive = into.with_name(f"{into.name}.zip")
    entries = pack(into, archive)
    print(*(f"{entry.file_size:>8} {entry.filename}" for entry in entries), sep="\n")
    print(
        f"{sum(entry.file_size for entry in entries):>8} bytes in {len(entries)} files, {archive.stat().st_size} packed into {archive}"
    )
    if not python:
        print(f"Without bytecode: the platform runs Python {wanted}, and only that Python can compile for it.")
    return 0


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Packs the app as deployment ships it.")
    parser.add_argument("--into", type=Path, default=ROOT / "build" / "app", help="folder to fill; it is emptied first")
    parser.add_argument(
        "--telemetry",
        action=argparse.BooleanOptionalAction,
        # The spellings of true that azd accepts (strconv.ParseBool).
        default=os.environ.get("TELEMETRY_ENABLED", "").lower() in {"1", "t", "true"},
        help="include azure-monitor-opentelemetry (default: what TELEMETRY_ENABLED says)",
    )
    parser.add_argument("--libraries", action=argparse.BooleanOptionalAction, default=True, help="ship the libraries")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
