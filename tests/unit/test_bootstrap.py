"""Set-up on a fresh machine: which interpreter is used, and when packages are installed again."""

from __future__ import annotations

import shutil
import stat
import sys
from pathlib import Path

import pytest

from scripts.bootstrap import REQUIREMENTS, ROOT, SetUpFailed, choose, fingerprint, probe, run, runs


@pytest.fixture
def broken_shim(tmp_path: Path) -> str:
    """A python3.13 on the search path that runs nothing, as pyenv leaves behind."""
    shim = tmp_path / "python3.13"
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.13: command not found' >&2\nexit 127\n")
    shim.chmod(stat.S_IRWXU)
    return str(shim)


def test_an_interpreter_counts_only_when_it_runs(broken_shim: str) -> None:
    """An interpreter that does not run, or does not exist, is skipped."""
    assert choose([broken_shim, "python3.13-that-is-not-there", sys.executable]) == probe(sys.executable)


def test_an_old_interpreter_does_not_count(tmp_path: Path) -> None:
    """An interpreter older than Python 3.11 is skipped."""
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\necho 3 9 /usr/bin/python3.9\n")
    old.chmod(stat.S_IRWXU)
    assert probe(str(old)) is None


def test_an_environment_of_another_version_goes_when_one_is_named(tmp_path: Path) -> None:
    """`make test PYTHON=python3.11` runs with that version; without a name, any environment that runs will do."""
    other = tmp_path / "python"
    other.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.99.0 || echo 3 99 /opt/python3.99\n')
    other.chmod(stat.S_IRWXU)
    assert runs(str(other), None)
    assert not runs(str(other), sys.executable)
    assert runs(sys.executable, sys.executable)


def test_no_interpreter_at_all_is_said_in_words(broken_shim: str) -> None:
    """If no interpreter is usable, the error names the version and the Debian package that are needed."""
    with pytest.raises(SetUpFailed, match=r"no Python 3\.11 or newer.*python3-venv"):
        choose([broken_shim])


@pytest.mark.parametrize("changed", REQUIREMENTS)
def test_each_requirements_file_counts(tmp_path: Path, changed: str) -> None:
    """A change in any requirements file changes the fingerprint, so packages are installed again."""
    for name in REQUIREMENTS:
        shutil.copy(ROOT / name, tmp_path)
    before = fingerprint(tmp_path)
    with (tmp_path / changed).open("a") as requirements:
        requirements.write("one-more==1.0\n")
    assert before == fingerprint(ROOT) != fingerprint(tmp_path)


def test_a_step_that_fails_shows_its_output(tmp_path: Path) -> None:
    """A set-up step that fails shows its exit code and its output."""
    with pytest.raises(SetUpFailed, match=r"installing the moon ended with code 3\nno rocket"):
        run("the moon", [sys.executable, "-c", "print('no rocket'); raise SystemExit(3)"], tmp_path)
