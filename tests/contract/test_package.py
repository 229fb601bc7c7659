"""The deployment package holds the app and its libraries alone, and can be imported."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from importlib.util import source_from_cache
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name as canonical

from scripts.app_functions import declared
from scripts.package import (
    IgnoreRules,
    compiler_for,
    deployed_python,
    main,
    shipped,
)
from scripts.package_libraries import LIBRARIES, PackagingFailed, add_libraries

ROOT = Path(__file__).resolve().parents[2]

# Runs in a fresh interpreter without any library but the package's own.
IMPORT_APP = """
import json, sys, time
began = time.perf_counter()
import function_app, azure_functions_runtime
from azure_functions_runtime.version import VERSION
names = sorted(function.get_function_name() for function in function_app.app.get_functions())
if "telemetry" in sys.argv:
    import azure.monitor.opentelemetry
files = [file for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))]
print(json.dumps({"seconds": time.perf_counter() - began, "names": names, "files": files, "worker": VERSION}))
"""
START_LIMIT_SECONDS = 30
"""After which the host gives a worker up: https://github.com/Azure/azure-functions-host/issues/10482"""

PLATFORM = deployed_python(ROOT)
INTERPRETER = compiler_for(PLATFORM)
needs_platform_python = pytest.mark.skipif(INTERPRETER is None, reason=f"no Python {PLATFORM}, which the platform runs")


def built(into: Path, *options: str) -> Path:
    """The package with its libraries, built as for a deployment, zipped and unpacked."""
    assert main(["--into", str(into / "staged"), *options]) == 0
    with zipfile.ZipFile(into / "staged.zip") as package:
        package.extractall(into / "app")
    return into / "app"


def imported(app: Path, *arguments: str) -> dict[str, Any]:
    """What the app reports about itself when the platform's Python loads it from the package alone."""
    assert INTERPRETER is not None
    # Nothing of this process' environment may help: no settings, no path to the checkout; -S: no installed library.
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": LIBRARIES, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [INTERPRETER, "-S", "-c", IMPORT_APP, *arguments]
    answer = subprocess.run(command, cwd=app, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return dict(json.loads(answer.stdout))


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package without telemetry; its libraries come from the package index, as in set-up."""
    return built(tmp_path_factory.mktemp("package"), "--no-telemetry")


def test_package_holds_the_app_and_nothing_around_it() -> None:
    """The package has host.json, function_app.py, requirements.txt and shared/, and no development folder."""
    files = shipped(ROOT)

    assert {"host.json", "function_app.py", "requirements.txt", "shared/settings.py"} <= set(files)
    page = {path.relative_to(ROOT).as_posix() for path in (ROOT / "shared" / "api" / "page").iterdir()}
    assert page <= set(files)
    assert {"shared/api/page/page.html", "shared/api/page/page.css", "shared/api/page/main.js"} <= page
    assert {path.partition("/")[0] for path in files} == {"host.json", "function_app.py", "requirements.txt", "shared"}
    assert not [path for path in files if path.endswith(".pyc") or "settings.json" in path]


@needs_platform_python
def test_package_imports_with_its_own_libraries_alone(package: Path) -> None:
    """The unpacked package imports on the platform's Python, with all libraries from the package itself."""
    answer = imported(package)

    assert answer["names"] == sorted(declared(ROOT))
    outside = [file for file in answer["files"] if Path(file).is_absolute() and not Path(file).is_relative_to(package)]
    assert [file for file in outside if "site-packages" in file or str(ROOT) in file] == []


@needs_platform_python
def test_worker_is_the_one_that_is_tested(package: Path) -> None:
    """The package brings the worker version pinned in requirements.txt, not the platform's default."""
    answer = imported(package)

    (pinned,) = re.findall(r"^azure-functions-runtime==(\S+);", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert answer["worker"] == pinned
    assert any(LIBRARIES in file and "azure_functions_runtime" in file for file in answer["files"])


@needs_platform_python
def test_package_starts_within_the_host_s_patience(package: Path) -> None:
    """Importing and indexing the app takes less than a third of the time that the host allows."""
    assert imported(package)["seconds"] < START_LIMIT_SECONDS / 3


@needs_platform_python
@pytest.mark.slow
def test_telemetry_ships_when_it_is_asked_for(tmp_path: Path) -> None:
    """With `--telemetry` the package includes OpenTelemetry and still starts in a third of the allowed time."""
    answer = imported(built(tmp_path, "--telemetry"), "telemetry")

    assert answer["seconds"] < START_LIMIT_SECONDS / 3
    assert any("opentelemetry" in file for file in answer["files"])


def test_package_ships_what_is_pinned(package: Path) -> None:
    """Every library in the package has its version from constraints.txt, and telemetry is left out."""
    pins = {
        canonical(name): version
        for file in ("constraints.txt", "requirements.txt")
        for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / file).read_text(), re.MULTILINE)
    }
    found = {canonical(each.name): each.version for each in metadata.distributions(path=[str(package / LIBRARIES)])}

    assert {"azure-functions", "azure-functions-runtime", "pydantic", "cryptography"} <= found.keys()
    assert {name: version for name, version in found.items() if pins[name] != version} == {}
    assert [name for name in found if "opentelemetry" in name] == []
    assert {path.name.rpartition("-")[2] for path in package.rglob("*.cpython-*.so")} == {"gnu.so"}


def test_unpinned_library_stops_the_packing(tmp_path: Path) -> None:
    """Packing fails for a library without a pinned version, and the message names it."""
    for name, text in {".python-version": "3.13\n", "requirements.txt": "requests\n", "constraints.txt": ""}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")

    with pytest.raises(PackagingFailed, match=r"not pinned in constraints\.txt: requests"):
        add_libraries(tmp_path, tmp_path / "app", PLATFORM, telemetry=False)


def test_telemetry_that_is_off_is_not_even_imported() -> None:
    """With telemetry off, building all of the app's services imports nothing of OpenTelemetry."""
    script = (
        "import os, sys; import function_app; from shared.wiring.wiring import Wiring; "
        "Wiring(os.environ).app(); print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    sample = json.loads((ROOT / "local.settings.sample.json").read_text(encoding="utf-8"))["Values"]

    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=sample, capture_output=True, text=True, check=False
    )

    assert (answer.stdout.strip(), answer.stderr) == ("[]", "")


@needs_platform_python
def test_bytecode_is_checked_by_hash(package: Path) -> None:
    """The package has hash-based bytecode for every module, which stays valid when file times change (PEP 552)."""
    libraries = {path for path in package.rglob("*.pyc") if ".python_packages" in path.parts}
    app = set(package.rglob("*.pyc")) - libraries

    assert {Path(source_from_cache(str(path))) for path in app} == {
        path for path in package.rglob("*.py") if ".python_packages" not in path.parts
    }
    assert {int.from_bytes(path.read_bytes()[4:8], "little") for path in app} == {0b11}
    assert {int.from_bytes(path.read_bytes()[4:8], "little") for path in libraries} == {0b01}


def test_archive_lies_beside_the_folder_under_its_whole_name(tmp_path: Path) -> None:
    """A dot in the folder's name, as of a version, does not shorten the archive's."""
    assert main(["--into", str(tmp_path / "app-1.2"), "--no-libraries"]) == 0

    assert sorted(path.name for path in tmp_path.iterdir()) == ["app-1.2", "app-1.2.zip"]


def test_bytecode_is_left_out_where_no_python_can_make_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """No compiler is found for a Python version that is not on the machine, so no bytecode is packed."""
    monkeypatch.setenv("PATH", "")

    assert compiler_for("3.9") is None


@pytest.mark.slow
def test_same_checkout_gives_the_same_archive(tmp_path: Path) -> None:
    """Packing the same checkout twice gives identical archives."""
    for name in ("one", "two"):
        built(tmp_path / name, "--no-telemetry")

    assert (tmp_path / "one" / "staged.zip").read_bytes() == (tmp_path / "two" / "staged.zip").read_bytes()


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
    """Only what .funcignore names is shipped; new folders and secrets stay behind."""
    rules = IgnoreRules((ROOT / ".funcignore").read_text(encoding="utf-8"))

    assert rules.ships(path, folder=folder) is expected
