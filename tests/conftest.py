"""What applies to every test: its tier, its time limit, and the same environment on every machine."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from devstack.azurite import Azurite

TESTS = Path(__file__).parent

SECONDS_BY_TIER = {"unit": 300, "contract": 600, "worker": 600, "e2e": 1800, "browser": 600}
"""The time limit of one test in each tier, generous enough for a busy machine."""

AMBIENT = (
    "AZURE_",
    "AZUREWEBJOBSSTORAGE",
    "APPLICATIONINSIGHTS_",
    "BATCH_",
    "DEAD_LETTER_",
    "FUNCTIONS_",
    "IDENTITY_",
    "IMDS_",
    "JOB_COMPLETION_",
    "MSI_",
    "OPERATION_BUDGET_",
    "PROTECTED_JOBS",
    "REQUEST_",
    "RESULT_",
    "RETENTION_",
    "STORAGE_TIMEOUT_",
    "TASKDELETESTORAGE",
)
"""Prefixes, in capitals, of the environment variables that configure the app or an Azure library."""

PROXIES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"})

# The same examples in every run: a red run is then the fault of the change that is being tested.
settings.register_profile(
    "repeatable",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=50,
    # A busy machine is no fault of the test.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")


def pytest_configure() -> None:
    """Cleans the environment of the process as well, for fixtures that outlive one test."""
    for name in _ambient(os.environ):
        del os.environ[name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks each test with the tier that its directory is named after."""
    for item in items:
        tier = item.path.relative_to(TESTS).parts[0]
        if tier not in SECONDS_BY_TIER:
            raise pytest.UsageError(f"{item.path} lies in no tier: {', '.join(SECONDS_BY_TIER)}")
        item.add_marker(tier)
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SECONDS_BY_TIER[tier], func_only=True))


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """A storage emulator for all tests of one process; `unique_name` keeps them apart."""
    with Azurite() as emulator:
        yield emulator


@pytest.fixture
def unique_name() -> Callable[[str], str]:
    """Makes names that are valid for queues and tables and that no other test has."""
    return lambda prefix: f"{prefix}{uuid.uuid4().hex[:12]}"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _ambient(os.environ):
        monkeypatch.delenv(name)


def _ambient(names: Iterable[str]) -> list[str]:
    return [name for name in names if name.upper() in PROXIES or name.upper().startswith(AMBIENT)]
