"""`make up`: the local stack on its usual ports, running until Ctrl-C."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
import uuid
from types import FrameType

from devstack.azurite.install import InstallFailed
from devstack.program import ProgramFailed
from devstack.stack import ROOT, Stack
from devstack.stack_settings import USUAL_PORTS, where_free

LOGS = ROOT / ".stack" / "logs"
LOOK_SECONDS = 1.0

UP = """
The local stack is up; Ctrl-C ends it.

  app         {http}/api          (description: {http}/api/openapi.json)
  Batch       {batch}      (control calls: {batch}/_control)
  identity    {identity}
  queues      {queues}
  tables      {tables}
  logs        {logs}

Make a job with three tasks, ask for the deletion of one, and look at how it went:

  curl -s {batch}/_control/jobs -d '[{{"id": "render-7", "tasks": {{"count": 3, "prefix": "frame-"}}}}]'
  curl -s {http}/api/task-deletions -H 'content-type: application/json' \\
    -d '{{"clientRequestId": "{id}", "jobId": "render-7", "taskId": "frame-1"}}'
  curl -s {http}/api/task-deletions/{id}
"""


def main() -> int:
    """Starts the stack and waits; 1 when it cannot start or the host ended by itself."""
    parser = argparse.ArgumentParser(prog="python -m devstack", description=__doc__)
    parser.add_argument("--func", action="store_true", help="run the app in `func` of the Azure Functions Core Tools")
    options = parser.parse_args()
    if options.func and shutil.which("func") is None:
        print("--func needs the Azure Functions Core Tools on the path", file=sys.stderr)
        return 1
    shutil.rmtree(LOGS, ignore_errors=True)
    signal.signal(signal.SIGTERM, _as_ctrl_c)
    try:
        with Stack(ROOT, ports=where_free(USUAL_PORTS), logs=LOGS, core_tools=options.func) as stack:
            print(describe(stack), flush=True)
            while stack.host_running:
                time.sleep(LOOK_SECONDS)
            print(f"the host ended by itself; see {LOGS}", file=sys.stderr)
            return 1
    except (ProgramFailed, InstallFailed) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped")
        return 0


def describe(stack: Stack) -> str:
    """Where everything is, and what to type first."""
    return UP.format(
        http=stack.http_url,
        batch=stack.batch_url,
        identity=stack.identity_url,
        queues=stack.azurite.queue_url,
        tables=stack.azurite.table_url,
        logs=stack.logs,
        id=uuid.uuid4(),
    )


def _as_ctrl_c(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
