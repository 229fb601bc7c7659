"""Packs the app as deployment ships it: `python scripts/package.py` fills build/app and build/app.zip, and lists them.

What ships, .funcignore says. azd runs this before it zips build/app (azure.yaml). Only the standard library is
needed, because azd runs it with whatever Python there is.
"""

from __future__ import annotations

import argparse
import py_compile
import shutil
import sys
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IGNORE_FILE = ".funcignore"

# Without an ignore file in the folder, azd leaves out every __pycache__ (createDeployableZip in azure-dev).
_STAGED_IGNORE = "# Nothing is left out: this folder holds what scripts/package.py chose.\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)


class IgnoreRules:
    """The part of .gitignore's language that .funcignore uses: anchors, folders, wildcards, `!`; the last match rules."""

    def __init__(self, text: str) -> None:
        lines = (line.strip() for line in text.splitlines())
        self._patterns = [line for line in lines if line and not line.startswith("#")]

    def ships(self, path: str, *, folder: bool) -> bool:
        """Whether a path relative to the root belongs into the package, given that its parent does."""
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
        # `*` does not reach over a slash, so that as many parts have to match as there are.
        parts, wanted = path.split("/"), bare.split("/")
        return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


def shipped(root: Path) -> list[str]:
    """The files of the package, relative to the root, in order."""
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


def stage(root: Path, into: Path, *, bytecode: bool) -> None:
    """Fills a folder with the package, emptied before. With bytecode, each module's lies beside it."""
    shutil.rmtree(into, ignore_errors=True)
    for path in shipped(root):
        target = into / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, target)
        if bytecode and target.suffix == ".py":
            # By hash: unpacking changes times, and times are what bytecode is checked by otherwise.
            mode = py_compile.PycInvalidationMode.CHECKED_HASH
            py_compile.compile(str(target), dfile=path, doraise=True, invalidation_mode=mode)
    (into / IGNORE_FILE).write_text(_STAGED_IGNORE, encoding="utf-8")


def pack(staged: Path, archive: Path) -> list[zipfile.ZipInfo]:
    """Zips a staged folder, the same bytes for the same files, and returns the entries."""
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
    """Packs, prints the list and the size; the exit code."""
    parser = argparse.ArgumentParser(description="Packs the app as deployment ships it.")
    parser.add_argument("--into", type=Path, default=ROOT / "build" / "app", help="folder to fill; it is emptied first")
    into = parser.parse_args(arguments).into
    wanted = deployed_python(ROOT)
    bytecode = wanted == f"{sys.version_info.major}.{sys.version_info.minor}"
    stage(ROOT, into, bytecode=bytecode)
    archive = into.with_suffix(".zip")
    entries = pack(into, archive)
    for entry in entries:
        print(f"{entry.file_size:>8} {entry.filename}")
    total = sum(entry.file_size for entry in entries)
    print(f"{total:>8} bytes in {len(entries)} files, {archive.stat().st_size} packed into {archive}")
    if not bytecode:
        print(f"Without bytecode: the platform runs Python {wanted}, and only that Python can compile for it.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
