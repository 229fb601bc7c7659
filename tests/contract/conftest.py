"""Fixtures of this tier, the stand-ins for the cloud services, and the choice of the host."""

from __future__ import annotations

import pytest

from devstack import core_tools
from tests.contract.host_process import HostProcess
from tests.stack_fixtures import batch_simulator, batch_token, identity_endpoint, stack_environment

__all__ = ["batch_simulator", "batch_token", "identity_endpoint", "stack_environment"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--func`, which runs the host tests against the real host: `make test-host ARGS="--func"`."""
    parser.addoption("--func", action="store_true", help="test `func` of the Core Tools in place of devstack/host")


def pytest_configure(config: pytest.Config) -> None:
    """Chooses the host that the host tests run, and fails if it is not installed."""
    HostProcess.real = bool(config.getoption("--func", default=False))
    if HostProcess.real and not core_tools.is_installed():
        raise pytest.UsageError("--func needs the Azure Functions Core Tools on the path")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Under `--func`, skips what only the local host does, and allows for the real host's longer leases."""
    for item in items:
        if HostProcess.real and item.get_closest_marker("local_host"):
            item.add_marker(pytest.mark.skip(reason="only the local host does so, on purpose; see devstack/host"))
        if HostProcess.real and item.path.name.startswith("test_host_"):
            item.add_marker(pytest.mark.timeout(1800, func_only=True))
