"""The GitHub workflows do what a person at a terminal does, and use no stored secret."""

from __future__ import annotations

import json
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
    """Every command in the CI workflow is a target of the Makefile."""
    runs = [step["run"] for job in jobs("ci.yml").values() for step in job["steps"] if "run" in step]

    assert runs
    assert [run for run in runs if not re.fullmatch(r"make [a-z-]+", run)] == []


def test_ci_covers_the_oldest_and_the_deployed_python() -> None:
    """CI tests exactly the versions in .python-version."""
    versions = (ROOT / ".python-version").read_text(encoding="utf-8").split()

    assert sorted(jobs("ci.yml")["test"]["strategy"]["matrix"]["python"]) == sorted(versions)


@pytest.mark.parametrize("name", sorted(path.name for path in WORKFLOWS.glob("*.yml")))
def test_workflow_uses_no_stored_secret(name: str) -> None:
    """No workflow reads a stored secret."""
    assert "secrets." not in (WORKFLOWS / name).read_text(encoding="utf-8")


def steps(name: str, job: str) -> list[str]:
    """The commands of a job, in order."""
    return [step["run"].strip() for step in jobs(name)[job]["steps"] if "run" in step]


def test_reviewers_see_what_would_change() -> None:
    """The deployment waits for a preview that runs outside the protected environment."""
    assert "environment" not in jobs("deploy.yml")["preview"]
    assert any(step.startswith("azd provision --preview") for step in steps("deploy.yml", "preview"))
    assert jobs("deploy.yml")["deploy"]["needs"] == "preview"
    assert jobs("deploy.yml")["deploy"]["environment"] == "${{ inputs.environment }}"


def test_deployment_gives_roles_back_waits_for_them_and_is_looked_at() -> None:
    """The deployment workflow provisions without cached state, uploads with retries, and verifies the result."""
    assert steps("deploy.yml", "deploy")[-3:] == [
        "azd provision --no-prompt --no-state",
        "python3 -m scripts.deploy_patiently",
        "python3 -m scripts.verify_deployment",
    ]


def test_developer_cli_finds_its_workflow() -> None:
    """azure-dev.yml, the workflow that azd looks for, runs deploy.yml."""
    assert jobs("azure-dev.yml")["deploy"]["uses"] == "./.github/workflows/deploy.yml"


def test_hooks_run_scripts_that_exist() -> None:
    """The hooks in azure.yaml run existing scripts, with the same command for each shell."""
    service = yaml.safe_load((ROOT / "azure.yaml").read_text(encoding="utf-8"))["services"]["api"]

    assert service["remoteBuild"] is False
    for hook in ("prepackage", "postdeploy"):
        posix, windows = service["hooks"][hook]["posix"]["run"], service["hooks"][hook]["windows"]["run"]
        assert posix.replace("python3", "python") == windows
        path = posix.split()[-1]
        assert (ROOT / path).is_file() or (ROOT / f"{path.replace('.', '/')}.py").is_file()


def test_container_of_development_has_the_deployed_python() -> None:
    """The development container has the deployed Python version and runs `make setup`."""
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    deployed = (ROOT / ".python-version").read_text(encoding="utf-8").split()[0]

    assert f":{deployed}-" in container["image"]
    assert container["postCreateCommand"] == "make setup"


def test_deployment_takes_over_the_variables_that_are_set() -> None:
    """Known variables that are set are passed to the deployment, one line each; others are left out."""
    names = asked_for(PARAMETERS.read_text(encoding="utf-8"))
    variables = {"VNET_ENABLED": "true", "ALERT_EMAIL": " ", "OTHER": "x", "BATCH_ACCOUNT_IDS": '[\n"/a",\n"/b"\n]'}

    assert assignments(variables, names) == ['BATCH_ACCOUNT_IDS=[ "/a", "/b" ]', "VNET_ENABLED=true"]
