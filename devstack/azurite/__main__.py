"""Installs the emulator, which the first start of the stack would do otherwise: `python -m devstack.azurite`."""

from __future__ import annotations

import sys

from devstack.azurite.install import InstallFailed, ensure_installed

if __name__ == "__main__":
    try:
        ensure_installed()
    except InstallFailed as error:
        sys.exit(str(error))
