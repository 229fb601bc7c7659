"""Fixtures of this tier: the stand-ins for the cloud services."""

from __future__ import annotations

from tests.stack_fixtures import batch_simulator, batch_token, identity_endpoint, stack_environment

__all__ = ["batch_simulator", "batch_token", "identity_endpoint", "stack_environment"]
