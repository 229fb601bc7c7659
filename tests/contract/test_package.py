"""What deployment ships: the app, nothing of its surroundings, and enough to be imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from importlib import metadata
from importlib.util import source_from_cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts.package import IgnoreRules, pack, shipped, stage

ROOT = Path(__file__).resolve().parents[2]

# Runs in a fresh interpreter; prints the files of the modules that the import brought in.
IMPORT_APP = """
import json, sys
before = set(sys.modules)
import function_app
new = [sys.modules[name] for name in set(sys.modules) - before]
print(json.dumps([function_app.__file__, [file for file in (getattr(m, "__file__", None) for m in new) if file]]))
"""


def canonical(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return name.lower().replace("_", "-").replace(".", "-")


def owners(files: set[str]) -> set[str]:
    """The installed distributions that files belong to."""
    return {
        canonical(distribution.name)
        for distribution in metadata.distributions()
        if any(str(distribution.locate_file(file)) in files for file in distribution.files or [])
    }


def needed(requirements: Path) -> set[str]:
    """The distributions that a requirements file brings in, with all that they depend on."""
    lines = requirements.read_text(encoding="utf-8").splitlines()
    waiting = [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]
    found: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        name = canonical(requirement.name)
        if name not in found:
            found.add(name)
            waiting += [Requirement(text) for text in metadata.requires(name) or []]
    return found


def unpacked(into: Path, *, bytecode: bool) -> Path:
    """The package, zipped and unpacked again."""
    stage(ROOT, into / "staged", bytecode=bytecode)
    pack(into / "staged", into / "app.zip")
    with zipfile.ZipFile(into / "app.zip") as package:
        package.extractall(into / "app")
    return into / "app"


def test_package_holds_the_app_and_nothing_around_it() -> None:
    """One host.json, the entry point, its requirements and the library; no folder of development."""
    files = shipped(ROOT)

    assert {"host.json", "function_app.py", "requirements.txt", "shared/settings.py"} <= set(files)
    assert {path.partition("/")[0] for path in files} == {"host.json", "function_app.py", "requirements.txt", "shared"}
    assert not [path for path in files if path.endswith(".pyc") or "settings.json" in path]


def test_package_imports_with_the_runtime_requirements_alone(tmp_path: Path) -> None:
    """`function_app` loads from the unpacked package and pulls in no package of development."""
    app = unpacked(tmp_path, bytecode=False)
    # Nothing of this process' environment may help: no settings, no path to the checkout.
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(app), "PYTHONDONTWRITEBYTECODE": "1"}

    answer = subprocess.run(
        [sys.executable, "-c", IMPORT_APP], cwd=app, env=environment, capture_output=True, text=True, check=False
    )

    assert answer.returncode == 0, answer.stderr
    file, modules = json.loads(answer.stdout)
    assert Path(file).is_relative_to(app)
    distributions = owners(set(modules))
    assert "azure-functions" in distributions
    assert distributions <= needed(ROOT / "requirements.txt")


def test_telemetry_that_is_off_is_not_even_imported() -> None:
    """Nothing of OpenTelemetry is loaded by the app or by what it uses, once all services are put together."""
    script = (
        "import os, sys; import function_app; from shared.wiring.connect import Wiring; "
        "Wiring(os.environ).app(); print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    sample = json.loads((ROOT / "local.settings.sample.json").read_text(encoding="utf-8"))["Values"]

    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=sample, capture_output=True, text=True, check=False
    )

    assert (answer.stdout.strip(), answer.stderr) == ("[]", "")


def test_bytecode_is_checked_by_hash(tmp_path: Path) -> None:
    """Each module's bytecode is in the package and stays good when unpacking changes the files' times (PEP 552)."""
    app = unpacked(tmp_path, bytecode=True)
    sources = set(app.rglob("*.py"))
    compiled = {Path(source_from_cache(path)): path.read_bytes() for path in app.rglob("*.pyc")}

    assert compiled.keys() == sources
    assert {int.from_bytes(code[4:8], "little") for code in compiled.values()} == {0b11}


def test_same_files_give_the_same_archive(tmp_path: Path) -> None:
    """Two packings of one checkout do not differ, so that a deployment can be compared with the source."""
    for name in ("one", "two"):
        stage(ROOT, tmp_path / name, bytecode=False)
        pack(tmp_path / name, tmp_path / f"{name}.zip")

    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


@pytest.mark.parametrize(
    ("path", "folder", "expected"),
    [
        ("shared", True, True),
        ("shared/settings.py", False, True),
        ("shared/__pycache__", True, False),
        ("shared/settings.pyc", False, False),
        ("function_app.py", False, True),
        ("new_folder", True, False),
        ("new_file.txt", False, False),
        ("local.settings.json", False, False),
    ],
)
def test_ignore_file_names_what_ships(path: str, folder: bool, expected: bool) -> None:
    """What .funcignore does not name stays behind, new folders and secrets first of all."""
    rules = IgnoreRules((ROOT / ".funcignore").read_text(encoding="utf-8"))

    assert rules.ships(path, folder=folder) is expected
