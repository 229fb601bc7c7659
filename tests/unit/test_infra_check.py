"""The templates in infra/ keep the contract, and a slip in one of them is found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from scripts.infra_check import contract
from scripts.infra_check.evaluation import Resource, deployed
from scripts.infra_check.template import load
from scripts.infra_check.verdict import problems

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def infra(tmp_path: Path) -> Path:
    """A copy of the templates that a test may spoil."""
    shutil.copytree(ROOT / "infra", tmp_path / "infra")
    # Parsed here, because the tests' time limit does not count fixtures: the unspoilt files are then remembered.
    load(tmp_path / "infra")
    return tmp_path / "infra"


@pytest.fixture
def resources(infra: Path) -> list[Resource]:
    """What the templates deploy."""
    return deployed(load(infra), (infra / "main.bicep").resolve())


def spoil(file: Path, old: str, new: str) -> None:
    """Replaces a text that must be there."""
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_templates_are_sound(infra: Path) -> None:
    """The templates as they stand have no problem."""
    assert problems(infra, ROOT) == []


def test_every_setting_that_the_app_reads_is_deployed(resources: list[Resource]) -> None:
    """The names come from the app itself, which is asked to read its settings."""
    names = contract.settings_read()

    assert {"REQUEST_QUEUE_NAME", "BATCH_ACCOUNT_URLS", "REQUEST_RETENTION_DAYS"} <= names
    assert names <= contract.app_settings(resources).keys()


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        (
            "main.bicep",
            "'${requestQueueName}-poison'",
            "'${requestQueueName}-poisoned'",
            "queue task-delete-requests-poison is used and not created",
        ),
        (
            "main.bicep",
            "      resultQueueName\n",
            "      'task-delete-result'\n",
            "queue task-delete-results is used and not created",
        ),
        (
            "main.bicep",
            "      deadLetterTableName\n",
            "      'taskdeletiondeadletter'\n",
            "table taskdeletiondeadletters is used and not created",
        ),
        (
            "main.bicep",
            "string = 'job-completions'",
            "string = 'Job-Completions'",
            "setting JOB_COMPLETION_QUEUE_NAME must be 3 to 56",
        ),
        (
            "app/roles.bicep",
            "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
            "8a0f0c08-91a1-4084-bc3d-661d67233fed",
            "the app does not get the role Storage Queue Data Contributor",
        ),
        (
            "app/batch-access.bicep",
            "48e5e92e-a480-4e71-aa9c-2778f4c13781",
            "6aaa78f1-f7de-44ca-8722-c64a23943cae",
            "submitter gives role 6aaa78f1-f7de-44ca-8722-c64a23943cae",
        ),
        (
            "app/settings.bicep",
            "  BATCH_MAX_CONCURRENCY:",
            "  BATCH_MAXIMUM_CONCURRENCY:",
            "setting BATCH_MAX_CONCURRENCY is not set",
        ),
        (
            "app/settings.bicep",
            "TaskDeleteStorage__tableServiceUri:",
            "TaskDeleteStorage__tableServiceUrl:",
            "setting TaskDeleteStorage__tableServiceUri is not set",
        ),
        (
            "app/settings.bicep",
            "BATCH_MAX_ATTEMPTS: '12'",
            "BATCH_MAX_ATTEMPTS: '21'",
            "setting BATCH_MAX_ATTEMPTS differs from the app's default",
        ),
        (
            "app/settings.bicep",
            "BATCH_CREDENTIAL: 'managed_identity'",
            "BATCH_CREDENTIAL: 'managed-identity'",
            "setting BATCH_CREDENTIAL must be managed_identity or developer",
        ),
        (
            "app/settings.bicep",
            "REQUEST_TABLE_NAME: requestTableName",
            "REQUEST_TABLE_NAME: requestTable",
            "requestTable is used and not declared",
        ),
        (
            "app/alerts.bicep",
            "${prefix}-mail",
            "${prefixes}-mail",
            "prefixes is used and not declared",
        ),
        (
            "app/identity.bicep",
            "@2023-01-31",
            "@2023-02-31",
            "which is not pinned",
        ),
        (
            "app/identity.bicep",
            "output principalId",
            "output principal",
            "module identity has no output principalId",
        ),
        (
            "main.bicep",
            "    identityClientId: identity.outputs.clientId\n",
            "",
            "module settings does not get identityClientId",
        ),
        (
            "main.bicep",
            "output FUNCTION_URL string = functionApp.outputs.url",
            "output FUNCTION_URL string = group.listKeys().primary",
            "output FUNCTION_URL may be secret",
        ),
        (
            "main.bicep",
            "output AZURE_FUNCTION_NAME string",
            "output FUNCTION_KEY string",
            "output FUNCTION_KEY may be secret",
        ),
        (
            "main.parameters.json",
            '"vnetEnabled"',
            '"vnetEnable"',
            "main.parameters.json lacks vnetEnabled",
        ),
    ],
)
def test_slip_is_found(infra: Path, file: str, old: str, new: str, problem: str) -> None:
    """Each misspelling of a name, an id, a version or a symbol is told with what it concerns."""
    spoil(infra / file, old, new)

    found = problems(infra, ROOT)

    assert [line for line in found if problem in line], found


def test_file_that_is_no_bicep_is_one_problem(infra: Path) -> None:
    """A syntax error names its file and hides nothing behind a traceback."""
    (infra / "app" / "identity.bicep").write_text("resource identity = {\n", encoding="utf-8")

    (found,) = problems(infra, ROOT)

    assert found.startswith("identity.bicep: ")


def test_app_that_names_another_queue_or_python_is_found(infra: Path, tmp_path: Path) -> None:
    """The laptop and the cloud use the same names and the same Python."""
    sample = json.dumps({"Values": {"RESULT_QUEUE_NAME": "outcomes"}})
    (tmp_path / "local.settings.sample.json").write_text(sample, encoding="utf-8")
    (tmp_path / ".python-version").write_text("3.14\n3.13\n", encoding="utf-8")

    assert problems(infra, tmp_path) == [
        "RESULT_QUEUE_NAME is outcomes in local.settings.sample.json and task-delete-results in the template",
        "function-app.bicep: the runtime is python 3.13, not python 3.14",
    ]
