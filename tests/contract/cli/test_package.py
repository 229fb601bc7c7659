"""The command line's package: its contents, its installation, and completion in shells."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.contract.cli.command import ROOT, environment

SHELLS = {
    "bash": {"COMP_WORDS": "batch-task-deletion {words}", "COMP_CWORD": "{count}"},
    "zsh": {"_TYPER_COMPLETE_ARGS": "batch-task-deletion {words}"},
    "fish": {"_TYPER_COMPLETE_ARGS": "batch-task-deletion {words}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which pip installed the built package, without network access."""
    folder = tmp_path_factory.mktemp("package")
    source = shutil.copytree(ROOT / "cli", folder / "cli", ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check"]
    quiet = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "wheel", *quiet, "--wheel-dir", str(folder), str(source)], check=True, timeout=300)
    [wheel] = folder.glob("*.whl")
    subprocess.run([*pip, "install", *quiet, "--target", str(folder / "site"), str(wheel)], check=True, timeout=300)
    return folder


def test_it_holds_its_own_modules_alone(installed: Path) -> None:
    """The wheel holds the command's own modules alone: nothing of the app, the local stack or the tests."""
    [wheel] = installed.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        tops = {name.partition("/")[0] for name in opened.namelist()}
    assert tops == {"batch_task_deletion", wheel.name.rpartition("-py3")[0] + ".dist-info"}


def test_the_installed_program_runs(installed: Path) -> None:
    """The installed command runs by its name, outside this repository."""
    env = environment() | {"PYTHONPATH": str(installed / "site")}
    script = installed / "site" / "bin" / "batch-task-deletion"
    shown = subprocess.run([script, "--version"], env=env, cwd=installed, capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("batch-task-deletion 1.")


def test_an_installation_by_pip_is_the_project_itself() -> None:
    """The package depends on requests, rich and typer, which it imports, and on nothing else."""
    told = (ROOT / "cli" / "pyproject.toml").read_text()
    assert 'dependencies = ["requests>=2.32,<3", "rich>=13.9", "typer>=0.29,<1"]' in told


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("cle", {"clean-up", "clean-ups"}),
        ("--json dele", {"delete"}),
        ("delete --delete", {"--delete-after"}),
        ("--url http://127.0.0.1 clean-up --select fai", {"failed"}),
        ("redrive --per", {"--per-second"}),
    ],
)
def test_shells_complete_commands_options_and_values(shell: str, words: str, expected: set[str]) -> None:
    """Shells complete commands, options and values, also when options stand before the command."""
    asked = {name: text.format(words=words, count=len(words.split())) for name, text in SHELLS[shell].items()}
    env = environment(**asked, _BATCH_TASK_DELETION_COMPLETE=f"complete_{shell}")
    command = [sys.executable, "-m", "batch_task_deletion"]
    shown = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60).stdout

    assert all(word in shown for word in expected)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_completion_of_a_shell_can_be_shown(shell: str) -> None:
    """The command prints a completion script for each supported shell."""
    env = environment(_BATCH_TASK_DELETION_COMPLETE=f"source_{shell}")
    command = [sys.executable, "-m", "batch_task_deletion"]
    shown = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert "_BATCH_TASK_DELETION_COMPLETE=complete_" + shell in shown.stdout
