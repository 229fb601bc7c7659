"""Rules of the source tree that no linter checks."""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pure_modules import PURE

ROOT = Path(__file__).parents[2]
LONGEST = 250
LONGEST_FUNCTION = 40
LONGEST_BY_NAME = {"function_app.py": 250}

WRITTEN = {".py", ".toml", ".json", ".txt", ".md", ".bicep", ".yaml", ".yml", ".sh", ".js", ".mjs", ".css", ".html"}
WRITTEN_WITHOUT_SUFFIX = {"Makefile", "LICENSE", "run"}
NOT_OURS = {"node_modules", "generated", "build", "__pycache__"}


def _sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in (ROOT / folder).rglob("*.py") if "node_modules" not in path.parts)


def _imports(path: Path) -> set[str]:
    """The modules that a file imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def _written() -> Iterator[Path]:
    """The files that a person wrote; folders with a leading dot belong to tools, except that of the checks."""
    for folder, inside, names in os.walk(ROOT):
        inside[:] = [name for name in inside if name not in NOT_OURS and (name == ".ci" or not name.startswith("."))]
        yield from (p for n in names if (p := Path(folder, n)).suffix in WRITTEN or n in WRITTEN_WITHOUT_SUFFIX)


def test_only_the_triggers_know_the_functions_library() -> None:
    """Only `shared/triggers.py` imports azure.functions."""
    users = {path.relative_to(ROOT).as_posix() for path in _sources("shared") if "azure.functions" in _imports(path)}
    assert users == {"shared/triggers.py"}


def test_the_list_of_functions_does_not_know_the_local_stack() -> None:
    """`function_app.py` imports nothing of devstack, tests or bench."""
    tops = {name.partition(".")[0] for name in _imports(ROOT / "function_app.py")}
    assert tops & {"devstack", "tests", "bench"} == set()


def test_the_local_stack_does_not_know_the_app() -> None:
    """The local stack imports nothing of the app but its clock, so that it cannot share the app's mistakes."""
    known = {name for path in _sources("devstack") for name in _imports(path) if name.partition(".")[0] == "shared"}
    assert known <= {"shared.clock"}  # both read the time through the same interface


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_imports_only_the_standard_library_and_pydantic(module: str) -> None:
    """A pure module imports only the standard library, pydantic, and modules of the app."""
    # typing_extensions comes with pydantic, which wants its TypedDict before Python 3.12.
    allowed = {*sys.stdlib_module_names, "pydantic", "pydantic_core", "typing_extensions"}
    names = _imports(ROOT / "shared" / f"{module}.py")
    assert {name for name in names if name.partition(".")[0] not in allowed and not name.startswith("shared")} == set()


def test_no_module_is_too_long_to_read_in_one_sitting() -> None:
    """No module has more than 250 lines, test modules excepted."""
    shared_by_tests = (path for path in _sources("tests") if not path.name.startswith("test_"))
    files = [*_sources("shared", "devstack"), ROOT / "function_app.py", *shared_by_tests]
    lengths = {path: len(path.read_text().splitlines()) for path in files}
    too_long = {str(p.relative_to(ROOT)): n for p, n in lengths.items() if n > LONGEST_BY_NAME.get(p.name, LONGEST)}
    assert too_long == {}


def test_no_function_is_longer_than_a_screen() -> None:
    """No function outside the tests has more than 40 lines."""
    functions = {
        f"{path.relative_to(ROOT)}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in _sources("shared", "cli", "devstack", "bench", "scripts")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: lines for name, lines in functions.items() if lines > LONGEST_FUNCTION} == {}


def test_nothing_is_left_for_later_and_nothing_points_outside() -> None:
    """No file has a reminder of work to do, or a path of a developer's machine."""
    # Written so that it does not find itself.
    forbidden = re.compile(r"\b(?:TO" r"DO|FIX" r"ME)\b|(?<![\w.>}])/(?:root|Users|home/(?!site/))")
    hits = {
        str(path.relative_to(ROOT)): found[0]
        for path in _written()
        if (found := forbidden.search(path.read_text(encoding="utf-8")))
    }
    assert hits == {}


def test_the_sample_of_the_settings_names_each_one_that_the_code_reads() -> None:
    """local.settings.sample.json names every setting that the code reads."""
    source = (ROOT / "shared" / "settings.py").read_text()
    read = set(re.findall(r'read\.\w+\(\s*"([A-Z_]+)"', source))
    sample = json.loads((ROOT / "local.settings.sample.json").read_text())["Values"]
    assert len(read) > 15
    assert read - sample.keys() == set()
