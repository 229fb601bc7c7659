"""`python -m scripts.deploy_patiently`: retries `azd deploy` for up to half an hour until a new role has taken effect.

The app's identity writes its package into the storage account. A role that was assigned a minute ago may not have
taken effect there yet, and azd gives up at the first 403 (https://github.com/Azure/azure-dev/issues/8026). Only that
fault is retried.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable

PATIENCE_SECONDS = 1800
PAUSE_SECONDS = 60
_NOT_BELIEVED_YET = re.compile(r"InaccessibleStorageException|AuthorizationPermissionMismatch")


def deploy(
    run: Callable[[], tuple[int, str]],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """The exit code of the last try."""
    end = clock() + PATIENCE_SECONDS
    while True:
        code, said = run()
        if code == 0 or not _NOT_BELIEVED_YET.search(said) or clock() >= end:
            return code
        print(f"the storage account does not know the new role yet; again in {PAUSE_SECONDS} s", flush=True)
        sleep(PAUSE_SECONDS)


def azd_deploy() -> tuple[int, str]:
    """Runs azd, shows its output, and returns the output and the exit code."""
    said: list[str] = []
    command = ["azd", "deploy", "--no-prompt"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        for line in running.stdout or ():
            print(line, end="", flush=True)
            said.append(line)
    return running.returncode, "".join(said)


if __name__ == "__main__":
    sys.exit(deploy(azd_deploy))
