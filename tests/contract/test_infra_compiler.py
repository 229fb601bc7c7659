"""The Bicep compiler accepts the templates as they are, and mistakes in them are found."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts.infra_check import compiler, contract, snapshots

ROOT = Path(__file__).resolve().parents[2]
BICEP = compiler.find()
ACCOUNT = (
    "/subscriptions/00000000-0000-4000-8000-0000000000aa/resourceGroups/rg/providers/Microsoft.Batch/batchAccounts/a"
)
LOOP = """
targetScope = 'subscription'
param ids array
module accounts 'account.bicep' = [for (id, i) in ids: {
  name: 'account-${i}'
  scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
  params: { name: split(id, '/')[8] }
}]
module settings 'settings.bicep' = {
  name: 'settings'
  scope: resourceGroup('rg')
  params: { urls: [for (id, i) in ids: accounts[i].outputs.url] }
}
"""

pytestmark = [
    pytest.mark.compiler,
    pytest.mark.skipif(BICEP is None, reason=compiler.MISSING),
]


@pytest.fixture
def infra(tmp_path: Path) -> Path:
    """A copy of the templates that a test may break, without the snapshots."""
    shutil.copytree(ROOT / "infra", tmp_path / "infra", ignore=shutil.ignore_patterns("snapshots"))
    (tmp_path / "infra" / "snapshots").mkdir()
    return tmp_path / "infra"


def spoil(file: Path, old: str, new: str) -> None:
    """Replaces a text that must occur."""
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def judged(infra: Path, parameters: str) -> tuple[list[str], list[snapshots.Shape]]:
    """What the compiler and Azure's engine report for one set of parameters, and the evaluated templates."""
    assert BICEP is not None
    always = "using '../main.bicep'\nparam environmentName = 'test'\nparam location = 'westeurope'\n"
    shape = infra / "snapshots" / "mine.bicepparam"
    shape.write_text(always + parameters, encoding="utf-8")
    return compiler.snapshot_faults(BICEP, shape), snapshots.load(infra)


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param(f"param batchAccountIds = ['{ACCOUNT}']", id="one account"),
        pytest.param(
            "param assignBatchRoles = false\nparam batchAccountUrls = ['https://a.westeurope.batch.azure.com']",
            id="no rights on the account",
        ),
    ],
)
def test_parameters_of_others_are_taken(infra: Path, parameters: str) -> None:
    """Parameter sets without a committed snapshot also compile and meet every requirement of the app."""
    said, shapes = judged(infra, parameters)

    assert said == []
    assert list(contract.problems(shapes, infra, ROOT)) == []


def test_command_for_the_owner_of_the_account_is_among_the_outputs(infra: Path) -> None:
    """If the deployment may not assign Batch roles, it outputs the az commands with which the owner can."""
    _, (shape,) = judged(infra, f"param assignBatchRoles = false\nparam batchAccountIds = ['{ACCOUNT}']")

    commands = str(shape.outputs["BATCH_ROLE_COMMANDS"])
    assert "az role assignment create" in commands
    assert ACCOUNT in commands


@pytest.mark.parametrize(
    ("parameters", "refusal"),
    [
        ("", "Name the Batch accounts: batchAccountIds (BATCH_ACCOUNT_IDS)"),
        ("param assignBatchRoles = false", "Name the Batch accounts: batchAccountIds or batchAccountUrls"),
        (
            f"param batchAccountIds = ['{ACCOUNT}']\nparam settingOverrides = {{ AzureWebJobsStorage: '' }}",
            "settingOverrides must not name AzureWebJobsStorage",
        ),
        (
            f"param batchAccountIds = ['{ACCOUNT}']\nparam entraAuthEnabled = true",
            "entraAuthEnabled needs entraClientId",
        ),
        (
            f"param batchAccountIds = ['{ACCOUNT}']\nparam vnetEnabled = true\nparam appSubnetId = '/a/subnets/b'",
            "Give both appSubnetId and endpointSubnetId, or neither",
        ),
        (
            f"param batchAccountIds = ['{ACCOUNT}']\nparam alwaysReady = [{{ name: 'function:nope', instanceCount: 1 }}]",
            "BCP036",
        ),
    ],
)
@pytest.mark.slow
def test_wrong_parameters_are_refused_before_anything_is_created(infra: Path, parameters: str, refusal: str) -> None:
    """Missing or contradictory parameters are refused before any resource is created, with a clear message."""
    said, _ = judged(infra, parameters)

    assert [line for line in said if refusal in line], said


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        pytest.param("app/storage.bicep", "allowSharedKeyAccess:", "allowSharedKeysAccess:", "BCP089", id="property"),
        pytest.param("main.bicep", "vnetEnabled bool = false", "vnetEnabled bool = 'no'", "BCP033", id="type"),
        pytest.param("app/alerts.bicep", "'${prefix}-${rule.name}'", "'${prefix}-rule'", "BCP179", id="loop"),
    ],
)
def test_slip_in_a_template_is_said(infra: Path, file: str, old: str, new: str, said: str) -> None:
    """The compiler reports a wrong property or type in a template."""
    spoil(infra / file, old, new)

    found, _ = judged(infra, f"param batchAccountIds = ['{ACCOUNT}']")

    assert [line for line in found if said in line], found


def test_loop_that_compiles_and_cannot_be_deployed_is_said(tmp_path: Path) -> None:
    """A loop that compiles into an unnamed copyIndex(), which Azure refuses (Azure/bicep #4453), is reported."""
    (tmp_path / "account.bicep").write_text("param name string\noutput url string = name\n", encoding="utf-8")
    (tmp_path / "settings.bicep").write_text("param urls array\noutput all array = urls\n", encoding="utf-8")
    (tmp_path / "main.bicep").write_text(LOOP, encoding="utf-8")
    shape = tmp_path / "main.bicepparam"
    shape.write_text(f"using 'main.bicep'\nparam ids = ['{ACCOUNT}']\n", encoding="utf-8")

    assert BICEP is not None
    said = compiler.snapshot_faults(BICEP, shape)

    assert [line for line in said if "The provided copy name '' doesn't exist" in line], said


def test_slip_that_compiles_breaks_the_contract(infra: Path) -> None:
    """A wrong queue name, role id or setting that compiles is found by comparing the result with the app."""
    spoil(infra / "main.bicep", "'${requestQueueName}-poison'", "'${requestQueueName}-poisoned'")
    spoil(infra / "app/roles.bicep", "974c5e8b-45b9-4653-ba55-5f855dd0fb88", "8a0f0c08-91a1-4084-bc3d-661d67233fed")
    spoil(infra / "app/settings.bicep", "  BATCH_MAX_CONCURRENCY:", "  BATCH_MAXIMUM_CONCURRENCY:")

    said, shapes = judged(infra, f"param batchAccountIds = ['{ACCOUNT}']")

    assert said == []
    found = list(contract.problems(shapes, infra, ROOT))
    for problem in (
        "queue task-delete-requests-poison is used and not created",
        "the app does not get the role Storage Queue Data Contributor",
        "setting BATCH_MAX_CONCURRENCY is not set",
    ):
        assert f"mine: {problem}" in found
