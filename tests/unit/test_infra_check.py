"""The evaluated templates give the app all that it relies on, and mistakes in them are found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from scripts.app_functions import declared
from scripts.azd_parameters import PARAMETERS, asked_for
from scripts.infra_check import contract, snapshots
from scripts.infra_check.__main__ import problems

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def infra(tmp_path: Path) -> Path:
    """A copy of the templates and their snapshots that a test may break."""
    shutil.copytree(ROOT / "infra", tmp_path / "infra")
    return tmp_path / "infra"


def spoil(file: Path, old: str, new: str) -> None:
    """Replaces a text that must occur."""
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_snapshots_are_sound(infra: Path) -> None:
    """The committed snapshots are up to date and without problems."""
    assert problems(infra, ROOT, None) == []


def test_every_setting_that_the_app_reads_is_deployed() -> None:
    """Every setting that the app reads is deployed in every shape."""
    names = contract.settings_read()

    assert {"REQUEST_QUEUE_NAME", "BATCH_ACCOUNT_URLS", "REQUEST_RETENTION_DAYS"} <= names
    for shape in snapshots.load(ROOT / "infra"):
        assert names <= contract.app_settings(shape).keys(), shape.name


@pytest.mark.parametrize(
    ("shape", "old", "new", "problem"),
    [
        (
            "defaults",
            "'default', 'task-delete-requests-poison')]",
            "'default', 'task-delete-requests-poisoned')]",
            "queue task-delete-requests-poison is used and not created",
        ),
        (
            "everything",
            "'default', 'results')]",
            "'default', 'result')]",
            "queue results is used and not created",
        ),
        (
            "defaults",
            "'default', 'taskdeletiondeadletters')]",
            "'default', 'taskdeletiondeadletter')]",
            "table taskdeletiondeadletters is used and not created",
        ),
        (
            "defaults",
            '"JOB_COMPLETION_QUEUE_NAME": "job-completions"',
            '"JOB_COMPLETION_QUEUE_NAME": "Job-Completions"',
            "setting JOB_COMPLETION_QUEUE_NAME must be 3 to 56",
        ),
        (
            "several-accounts",
            "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
            "8a0f0c08-91a1-4084-bc3d-661d67233fed",
            "the app does not get the role Storage Queue Data Contributor",
        ),
        (
            "defaults",
            "48e5e92e-a480-4e71-aa9c-2778f4c13781",
            "6aaa78f1-f7de-44ca-8722-c64a23943cae",
            "role 6aaa78f1-f7de-44ca-8722-c64a23943cae is given, which is not pinned",
        ),
        (
            "existing-network",
            '"BATCH_MAX_CONCURRENCY":',
            '"BATCH_MAXIMUM_CONCURRENCY":',
            "setting BATCH_MAX_CONCURRENCY is not set",
        ),
        (
            "no-batch-rights",
            '"TaskDeleteStorage__tableServiceUri":',
            '"TaskDeleteStorage__tableServiceUrl":',
            "setting TaskDeleteStorage__tableServiceUri is not set",
        ),
        (
            "no-batch-rights",
            "https://render.westeurope.batch.azure.com",
            "http://render.westeurope.batch.azure.com",
            "setting BATCH_ACCOUNT_URLS",
        ),
        (
            "defaults",
            "[format('{0}/.default', environment().batch)]",
            "[format('{0}.default', environment().batch)]",
            "setting BATCH_TOKEN_SCOPE",
        ),
        (
            "defaults",
            '"BATCH_MAX_ATTEMPTS": "12"',
            '"BATCH_MAX_ATTEMPTS": "21"',
            "setting BATCH_MAX_ATTEMPTS differs from the app's default",
        ),
        (
            "defaults",
            '"BATCH_CREDENTIAL": "managed_identity"',
            '"BATCH_CREDENTIAL": "managed-identity"',
            "setting BATCH_CREDENTIAL must be managed_identity or developer",
        ),
        ("defaults", '"version": "3.13"', '"version": "3.14"', "the runtime is python 3.14, not python 3.13"),
        ("everything", '"azd-env-name"', '"azd-environment"', "Microsoft.Storage/storageAccounts has no tags"),
        ("defaults", '"FUNCTION_URL": "', '"FUNCTION_URL": "[listKeys()]', "output FUNCTION_URL may be secret"),
        ("defaults", '"AZURE_FUNCTION_NAME"', '"FUNCTION_KEY"', "output FUNCTION_KEY may be secret"),
        ("defaults", '"diagnostics": []', '"diagnostics": ["not expanded"]', "not expanded"),
    ],
)
def test_slip_is_found(infra: Path, shape: str, old: str, new: str, problem: str) -> None:
    """A wrong name, id, value or output in a snapshot is found and reported with its shape."""
    spoil(infra / "snapshots" / f"{shape}.snapshot.json", old, new)

    found = problems(infra, ROOT, None)

    assert [line for line in found if line.startswith(f"{shape}: ") and problem in line], found


@pytest.mark.parametrize("file", ["main.bicep", "app/storage.bicep", "queries/poison-queues.kql"])
def test_template_newer_than_its_snapshots_is_found(infra: Path, file: str) -> None:
    """A changed template whose snapshots were not renewed is found, even without a compiler."""
    spoil(infra / file, "\n", "\n\n")

    assert problems(infra, ROOT, None) == ["a template is newer than the snapshots: run `make infra-snapshots`"]


def test_line_ends_of_a_checkout_do_not_count(infra: Path) -> None:
    """Templates checked out with Windows line ends have the same digest."""
    before = snapshots.digest(infra)
    spoil(infra / "main.bicep", "\n", "\r\n")

    assert snapshots.digest(infra) == before


def test_parameter_file_without_its_snapshot_is_found(infra: Path) -> None:
    """A parameter file without a snapshot is found."""
    (infra / "snapshots" / "new.bicepparam").write_text("using '../main.bicep'\n", encoding="utf-8")

    assert problems(infra, ROOT, None)[0] == "new.bicepparam has no snapshot: run `make infra-snapshots`"


def test_parameter_that_the_developer_cli_does_not_know_is_found(infra: Path) -> None:
    """A parameter that main.parameters.json lacks, or that main.bicep does not declare, is found."""
    spoil(infra / "main.parameters.json", '"vnetEnabled"', '"vnetEnable"')

    assert problems(infra, ROOT, None) == [
        "main.parameters.json lacks vnetEnabled",
        "main.parameters.json gives vnetEnable, which main.bicep does not declare",
    ]


def test_app_that_names_another_queue_or_python_is_found(infra: Path, tmp_path: Path) -> None:
    """Other queue names or Python versions in the repository than in the templates are found."""
    sample = json.dumps({"Values": {"RESULT_QUEUE_NAME": "outcomes"}})
    (tmp_path / "local.settings.sample.json").write_text(sample, encoding="utf-8")
    (tmp_path / ".python-version").write_text("3.14\n3.13\n", encoding="utf-8")

    found = problems(infra, tmp_path, None)

    assert (
        "defaults: RESULT_QUEUE_NAME is outcomes in local.settings.sample.json and task-delete-results in the template"
        in found
    )
    assert "defaults: the runtime is python 3.13, not python 3.14" in found


def test_an_output_never_steers_the_next_deployment() -> None:
    """No output has a parameter's variable name, which azd would reuse, except BATCH_ACCOUNT_URLS."""
    outputs = {name for shape in snapshots.load(ROOT / "infra") for name in shape.outputs}

    assert outputs & asked_for(PARAMETERS.read_text(encoding="utf-8")) == {"BATCH_ACCOUNT_URLS"}


def test_instances_can_be_kept_ready_for_what_the_app_has() -> None:
    """The template accepts always-ready instances for `http` and for each function that is not HTTP."""
    functions = {name for name, trigger in declared(ROOT).items() if trigger != "route"}
    text = (ROOT / "infra" / "app" / "types.bicep").read_text(encoding="utf-8")
    (names,) = [part.split("@", 1)[0] for part in text.split("  name:\n") if "'http'" in part]

    assert {name.strip(" |'\n") for name in names.splitlines()} - {""} == {
        "http",
        *(f"function:{name}" for name in functions),
    }
