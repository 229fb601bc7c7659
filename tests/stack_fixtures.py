"""Fixtures of the local stack that several tiers share: a simulated Batch account and a managed identity.

A conftest imports the ones that its tier needs. Each test gets its own servers, on free ports.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devstack.batch import BatchSimulator
from devstack.identity import IdentityEndpoint

BATCH_RESOURCE = "https://batch.core.windows.net/"
BATCH_SCOPE = "https://batch.core.windows.net//.default"


@pytest.fixture
def batch_simulator() -> Iterator[BatchSimulator]:
    """A running Batch account without jobs."""
    with BatchSimulator(transition_seconds=0.1) as simulator:
        yield simulator


@pytest.fixture
def identity_endpoint() -> Iterator[IdentityEndpoint]:
    """A running managed-identity endpoint whose tokens the simulated account accepts."""
    with IdentityEndpoint() as endpoint:
        yield endpoint


@pytest.fixture
def stack_environment(batch_simulator: BatchSimulator, identity_endpoint: IdentityEndpoint) -> dict[str, str]:
    """The settings that point the app at both servers; storage is not included."""
    return {
        "BATCH_ACCOUNT_URLS": batch_simulator.url,
        "BATCH_CREDENTIAL": "managed_identity",
        **identity_endpoint.environment,
    }


@pytest.fixture
def batch_token(identity_endpoint: IdentityEndpoint) -> str:
    """An access token that the simulated account accepts."""
    return identity_endpoint.token(BATCH_RESOURCE)["access_token"]
