"""The workflows do what a person at a terminal does, and keep no secret."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.azd_parameters import PARAMETERS, asked_for, assignments

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = ROOT / ".github" / "workflows"


def jobs(name: str) -> dict[str, Any]:
    """The jobs of a workflow."""
    return dict(yaml.safe_load((WORKFLOWS / name).read_text(encoding="utf-8"))["jobs"])


def test_ci_runs_make_targets_alone() -> None:
    """What passes here passes on a laptop: every step is a target of the Makefile."""
    runs = [step["run"] for job in jobs("ci.yml").values() for step in job["steps"] if "run" in step]

    assert runs
    assert [run for run in runs if not re.fullmatch(r"make [a-z-]+", run)] == []


def test_ci_covers_the_oldest_and_the_deployed_python() -> None:
    """Both versions of .python-version are tested."""
    versions = (ROOT / ".python-version").read_text(encoding="utf-8").split()

    assert sorted(jobs("ci.yml")["test"]["strategy"]["matrix"]["python"]) == sorted(versions)


@pytest.mark.parametrize("name", ["ci.yml", "deploy.yml"])
def test_workflow_uses_no_stored_secret(name: str) -> None:
    """Deployment signs in with the token of its run; nothing reads the store of secrets."""
    assert "secrets." not in (WORKFLOWS / name).read_text(encoding="utf-8")


def test_deployment_takes_over_the_variables_that_are_set() -> None:
    """Names come from the parameter file; unset and unknown variables stay behind, and each is one line."""
    names = asked_for(PARAMETERS.read_text(encoding="utf-8"))
    variables = {"VNET_ENABLED": "true", "ALERT_EMAIL": " ", "OTHER": "x", "BATCH_ACCOUNT_IDS": '[\n"/a",\n"/b"\n]'}

    assert assignments(variables, names) == ['BATCH_ACCOUNT_IDS=[ "/a", "/b" ]', "VNET_ENABLED=true"]
