"""Installs the emulator, which the first start of the stack would do otherwise: `python -m devstack.azurite`."""

from __future__ import annotations

from devstack.azurite.install import ensure_installed

if __name__ == "__main__":
    ensure_installed()
