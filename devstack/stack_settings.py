"""The configuration of the local stack's parts: ports, app settings and environment."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace

from devstack.identity import DEFAULT_HEADER, MSI_PATH

INHERITED = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV")
INHERITED_PREFIXES = ("PYTHON", "COVERAGE_", "DOTNET_")

REQUIRED_SETTINGS = {
    "FUNCTIONS_WORKER_RUNTIME": "python",
    "PYTHON_THREADPOOL_THREAD_COUNT": "32",
    "REQUEST_QUEUE_NAME": "task-delete-requests",
    "JOB_COMPLETION_QUEUE_NAME": "job-completions",
    "RESULT_QUEUE_NAME": "task-delete-results",
    "REQUEST_TABLE_NAME": "taskdeletions",
    "DEAD_LETTER_TABLE_NAME": "taskdeletiondeadletters",
    "BATCH_CREDENTIAL": "managed_identity",
    "STORAGE_TIMEOUT_SECONDS": "60",
}
"""What has no default; the names of the tables, which have to be there before the app starts; and patience with an
emulator that shares a small machine with everything else.
"""


@dataclass(frozen=True)
class Ports:
    """Where each part listens on the loopback address; 0 takes a free port."""

    blob: int = 0
    queue: int = 0
    table: int = 0
    batch: int = 0
    identity: int = 0
    http: int = 0

    @property
    def storage(self) -> tuple[int, int, int]:
        """The emulator's three ports."""
        return self.blob, self.queue, self.table


USUAL_PORTS = Ports(blob=10000, queue=10001, table=10002, batch=8101, identity=8102, http=7071)
"""Those of local.settings.sample.json, of Azurite and of the Core Tools."""


def where_free(wanted: Ports) -> Ports:
    """The wanted ports, with a free one in place of each that something else listens on."""
    taken = {name: 0 for name, port in vars(wanted).items() if not _is_free(port)}
    return replace(wanted, **taken)


def app_settings(
    connection_string: str, batch_url: str, identity_url: str, chosen: Mapping[str, str]
) -> dict[str, str]:
    """The settings of the app on the local stack; what was `chosen` wins."""
    # A developer's own sign-in is asked last: an identity endpoint that is named would answer first, with its made-up token.
    is_developer = chosen.get("BATCH_CREDENTIAL") == "developer"
    identity = {} if is_developer else {"IDENTITY_ENDPOINT": identity_url + MSI_PATH, "IDENTITY_HEADER": DEFAULT_HEADER}
    return {
        **REQUIRED_SETTINGS,
        "AzureWebJobsStorage": connection_string,
        "TaskDeleteStorage": connection_string,
        "BATCH_ACCOUNT_URLS": batch_url,
        **identity,
        **chosen,
    }


def inherited_environment() -> dict[str, str]:
    """The environment of a part, without proxies, credentials or app settings from the developer's shell."""
    return {
        name: value for name, value in os.environ.items() if name in INHERITED or name.startswith(INHERITED_PREFIXES)
    }


def free_port() -> int:
    """A port that was free a moment ago, for programs that cannot choose a port themselves and report it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do; otherwise a port whose last connection has just been closed counts as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
