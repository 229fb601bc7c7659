"""Checks that a deployment works: `python -m scripts.verify_deployment`.

azd runs this after each deployment (azure.yaml). The deployment's outputs come from the environment, where azd puts
them for its hooks, or else from `azd env get-values`. There are three checks, each for faults that the one before
cannot find: the app's health; the functions that the platform has registered, because it starts an app only for those;
and a dry-run message on the request queue, until it has a result. Nothing is deleted. VERIFY_DEPLOYMENT=false skips
the checks.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from scripts.app_functions import declared
from scripts.azure_calls import Answer, Azure, azd_values

ROOT = Path(__file__).resolve().parents[1]
HEALTH_SECONDS = 900
"""New roles take some minutes to take effect, and the app starts in that time."""
SYNC_SECONDS = 300
MESSAGE_SECONDS = 600
PAUSE_SECONDS = 15

HEALTH_CAUSES = """\
health was not 200 within {minutes} minutes: {last}
Likely causes:
- 404, or 503 without a body: the app did not load. Check the Python version: `az functionapp show` must say 3.13, and
  the traces in Application Insights name the exception.
- 503 that names `storage` or `identity`: a role has not taken effect yet, or was removed. `azd provision --no-state` restores it.
- 503 that names `settings`: the text says which. `azd env set`, then `azd provision`.
- 401 or 403: sign-in or network rules keep the call from the app.
- no answer: the name does not resolve here; with APP_PUBLIC_ACCESS=false it does so only inside the network."""

FUNCTIONS_CAUSES = """\
the platform does not know {missing}, even after a sync: it would never start the app for them.
Deploy again (`azd deploy`); if that does not help, restart the app and deploy once more.
https://github.com/Azure/azure-functions-host/issues/10169"""

MESSAGE_CAUSES = """\
a dry-run message sent to the request queue had no result after {minutes} minutes: {last}
Likely causes:
- 404: no instance took the message, although HTTP works. Run `azd deploy` again, or restart the app.
  https://github.com/Azure/azure-functions-host/issues/11877
- `retrying` with 401 or 403 from Batch: the app has no role on the Batch account, or a new role has not taken effect yet.
  {role_commands}
- `retrying` otherwise: the account's URL in BATCH_ACCOUNT_URLS, or its firewall."""


_Found = TypeVar("_Found")


class Unwell(Exception):
    """Raised when a check fails; the text describes the fault and its possible causes."""


@dataclass(frozen=True)
class Patience:
    """How to wait; both parts can be replaced by those of a fake clock."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def until(self, look: Callable[[], _Found | None], seconds: float) -> _Found | None:
        """Repeats a check until it returns something, for a given time."""
        end = self.clock() + seconds
        while True:
            found = look()
            if found is not None or self.clock() >= end:
                return found
            self.sleep(PAUSE_SECONDS)


@dataclass(frozen=True)
class Deployment:
    """One deployment, by its outputs."""

    outputs: Mapping[str, str]
    azure: Azure = field(default_factory=Azure)
    patience: Patience = field(default_factory=Patience)
    say: Callable[[str], None] = print

    def verify(self, root: Path) -> None:
        """Runs all checks. Raises Unwell at the first failure."""
        self.health()
        self.functions(set(declared(root)))
        reason = self._no_message_because()
        if reason:
            self.say(f"no message was sent: {reason}")
        else:
            self.message()

    def health(self) -> None:
        """GET /api/health until it is 200."""
        last = [Answer(0, "")]

        def well() -> bool | None:
            last[0] = self.azure.get(self.outputs["HEALTH_URL"])
            return True if last[0].status == 200 else None

        if not self.patience.until(well, HEALTH_SECONDS):
            shown = f"{last[0].status} {last[0].text[:500]}"
            raise Unwell(HEALTH_CAUSES.format(minutes=HEALTH_SECONDS // 60, last=shown))
        self.say("health: 200")

    def functions(self, wanted: set[str]) -> None:
        """The platform must list exactly the functions that the app declares; if not, syncs the triggers and retries."""
        missing = [wanted]

        def complete() -> bool | None:
            missing[0] = wanted - self._listed()
            if missing[0]:
                # Like the portal's Refresh. /syncfunctiontriggers had no effect on this plan.
                self.azure.app(self.outputs, "POST", "/host/default/sync")
            return None if missing[0] else True

        if not self.patience.until(complete, SYNC_SECONDS):
            raise Unwell(FUNCTIONS_CAUSES.format(missing=", ".join(sorted(missing[0]))))
        self.say(f"functions: the platform knows all {len(wanted)}")

    def _listed(self) -> set[str]:
        answer = self.azure.app(self.outputs, "GET", "/functions").json() or {}
        return {each["name"].rpartition("/")[2] for each in answer.get("value", [])}

    def _no_message_because(self) -> str | None:
        """Why this machine cannot send a message or read its result."""
        if _is_on(self.outputs, "VNET_ENABLED"):
            return "with VNET_ENABLED the queue is reachable only from its network"
        if _is_on(self.outputs, "ENTRA_AUTH_ENABLED"):
            return "with ENTRA_AUTH_ENABLED reading its status takes a token for the app registration"
        if self.outputs.get("DEPLOYER_IS_PRODUCER", "true").lower() in {"0", "f", "false"}:
            return "with DEPLOYER_IS_PRODUCER=false the deployer may not send one"
        return None

    def message(self) -> None:
        """Sends a dry run through the queue and waits for its outcome."""
        request_id = str(uuid.uuid4())
        self._put({"clientRequestId": request_id, "jobId": "deployment-check", "taskId": "none", "dryRun": True})
        key = self.azure.app(self.outputs, "POST", "/host/default/listkeys").json()["functionKeys"]["default"]
        url = f"{self.outputs['TASK_DELETIONS_URL']}/{request_id}?dryRun=true"
        last = [Answer(0, "")]

        def done() -> dict[str, Any] | None:
            last[0] = self.azure.get(url, **{"x-functions-key": key})
            status = last[0].json() or {}
            return status if status.get("state") == "done" else None

        status = self.patience.until(done, MESSAGE_SECONDS)
        if status is None:
            commands = self.outputs.get("BATCH_ROLE_COMMANDS") or "Look at its role assignments."
            shown = f"{last[0].status} {last[0].text[:1000]}"
            minutes = MESSAGE_SECONDS // 60
            raise Unwell(MESSAGE_CAUSES.format(minutes=minutes, last=shown, role_commands=commands))
        outcome = status["result"]["data"]["outcome"]
        self.say(
            f"queue: a dry run for a task that does not exist ended as {outcome} (notFound: Batch answers the app)"
        )

    def _put(self, request: Mapping[str, Any]) -> None:
        text = base64.b64encode(json.dumps(request).encode()).decode()

        def taken() -> Answer | None:
            answer = self.azure.put_message(self.outputs["REQUEST_QUEUE_URL"], text)
            # The deployer's own role for sending is new too.
            return None if answer.status in {0, 403, 404} else answer

        answer = self.patience.until(taken, MESSAGE_SECONDS)
        if answer is None or answer.status != 201:
            raise Unwell(f"the request queue did not take a message: {answer}. Is the deployer among the producers?")


def _is_on(outputs: Mapping[str, str], name: str) -> bool:
    return outputs.get(name, "").lower() in {"1", "t", "true"}


def main(environment: Mapping[str, str]) -> int:
    """The exit code."""
    if environment.get("VERIFY_DEPLOYMENT", "true").lower() in {"0", "f", "false"}:
        print("not verified: VERIFY_DEPLOYMENT is false")
        return 0
    outputs = environment if "HEALTH_URL" in environment else {**environment, **azd_values()}
    try:
        Deployment(outputs).verify(ROOT)
    except Unwell as fault:
        print(f"THE DEPLOYMENT DOES NOT WORK: {fault}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
