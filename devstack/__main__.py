"""`make up`: the local stack on its usual ports, running until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
import uuid
import webbrowser
from contextlib import suppress
from pathlib import Path
from types import FrameType

import requests

from devstack import core_tools
from devstack.azurite.install import InstallFailed
from devstack.program import ProgramFailed
from devstack.stack import ROOT, START_SECONDS, Stack
from devstack.stack_settings import USUAL_PORTS, where_free

LOGS = ROOT / ".stack" / "logs"
LOOK_SECONDS = 1.0

PAGE = "/api/operations?code=local"
"""The operator's page. The stack needs no key; with any key in the address, the page does not ask for one."""

STUBBORN = "task-13"
REFUSED_ONCE = {
    "job": "example",
    "task": STUBBORN,
    "status": 400,
    "code": "InvalidRequestBody",
    "message": "The simulated account refuses this task once, so that there is a dead letter to redrive.",
    "totalTimes": 1,
}

UP = """
The local stack is up; Ctrl-C ends it.

  page        {http}{page}
  app         {http}/api          (description: {http}/api/openapi.json)
  Batch       {batch}      (control calls: {batch}/_control)
  identity    {identity}
  queues      {queues}
  tables      {tables}
  logs        {logs}

The simulated account has a job "example" with tasks task-1 to task-100; it refuses to delete {stubborn} once.
Delete one, on the page or by hand, and check its status:

  curl -s {http}/api/task-deletions -H 'content-type: application/json' \\
    -d '{{"clientRequestId": "{id}", "jobId": "example", "taskId": "task-1"}}'
  curl -s {http}/api/task-deletions/{id}
"""


def main() -> int:
    """Starts the stack and waits; 1 when it cannot start or the host ended by itself."""
    parser = argparse.ArgumentParser(prog="python -m devstack", description=__doc__)
    parser.add_argument("--func", action="store_true", help="run the app in `func` of the Azure Functions Core Tools")
    parser.add_argument(
        "--set", action="append", default=[], type=setting, metavar="NAME=VALUE", help="an app setting; repeatable"
    )
    parser.add_argument("--open", action="store_true", help="open the operator's page in the browser")
    options = parser.parse_args()
    if options.func and not core_tools.is_installed():
        print("--func needs the Azure Functions Core Tools on the path", file=sys.stderr)
        return 1
    logs = _folder_of_this_run()
    signal.signal(signal.SIGTERM, _as_ctrl_c)
    try:
        ports = where_free(USUAL_PORTS)
        with Stack(ROOT, ports=ports, logs=logs, core_tools=options.func, env=dict(options.set)) as stack:
            furnish(stack.batch_url)
            print(describe(stack), flush=True)
            if options.open and not webbrowser.open(stack.http_url + PAGE):
                print(f"no browser was found; open {stack.http_url}{PAGE}", file=sys.stderr)
            while stack.host_running:
                time.sleep(LOOK_SECONDS)
            print(f"the host ended by itself; see {logs}", file=sys.stderr)
            return 1
    except (ProgramFailed, InstallFailed) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped")
        return 0


def setting(text: str) -> tuple[str, str]:
    """`NAME=VALUE` as its two parts."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError("must be NAME=VALUE")
    return name, value


def furnish(batch_url: str) -> None:
    """Creates tasks in the simulated account, and one failure."""
    job = {"id": "example", "tasks": {"count": 100, "prefix": "task-"}}
    for path, body in (("jobs", job), ("faults", REFUSED_ONCE)):
        requests.post(f"{batch_url}/_control/{path}", json=body, timeout=START_SECONDS).raise_for_status()


def describe(stack: Stack) -> str:
    """The addresses of everything, and the first commands to try."""
    return UP.format(
        http=stack.http_url,
        batch=stack.batch_url,
        identity=stack.identity_url,
        queues=stack.azurite.queue_url,
        tables=stack.azurite.table_url,
        logs=stack.logs,
        id=uuid.uuid4(),
        page=PAGE,
        stubborn=STUBBORN,
    )


def _folder_of_this_run() -> Path:
    """The log folder of this run, separate because another stack may be running. Removes the folders of finished runs."""
    for old in LOGS.glob("[0-9]*"):
        # The process id may now belong to another user's process, which cannot be queried.
        with suppress(PermissionError):
            try:
                os.kill(int(old.name), 0)
            except (ValueError, ProcessLookupError):
                shutil.rmtree(old, ignore_errors=True)
    return LOGS / str(os.getpid())


def _as_ctrl_c(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
