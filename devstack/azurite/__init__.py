"""Azurite, Microsoft's storage emulator, from the pinned npm package: queues and tables for the local stack."""

from devstack.azurite.emulator import Azurite
from devstack.azurite.install import ensure_installed

__all__ = ["Azurite", "ensure_installed"]
