"""A deployment passes only when it is healthy, known to the platform, and woken by its queue."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scripts.app_functions import declared
from scripts.azure_calls import Answer, Azure
from scripts.deploy_patiently import deploy
from scripts.verify_deployment import Deployment, Patience, Unwell

ROOT = Path(__file__).resolve().parents[2]
OUTPUTS = {
    "AZURE_SUBSCRIPTION_ID": "00000000-0000-4000-8000-0000000000aa",
    "AZURE_RESOURCE_GROUP": "rg-test",
    "AZURE_FUNCTION_NAME": "func-test",
    "FUNCTION_URL": "https://func-test.azurewebsites.net",
    "HEALTH_URL": "https://func-test.azurewebsites.net/api/health",
    "TASK_DELETIONS_URL": "https://func-test.azurewebsites.net/api/task-deletions",
    "REQUEST_QUEUE_URL": "https://sttest.queue.core.windows.net/task-delete-requests",
}
DONE = {"state": "done", "result": {"data": {"outcome": "notFound"}}}


@dataclass
class Cloud:
    """Azure as the script sees it: canned answers by address, and a record of the calls."""

    health: list[Answer] = field(default_factory=lambda: [Answer(200, "{}")])
    functions: list[set[str]] = field(default_factory=lambda: [set(declared(ROOT))])
    put: list[Answer] = field(default_factory=lambda: [Answer(201, "")])
    status: list[Answer] = field(default_factory=lambda: [Answer(200, json.dumps(DONE))])
    calls: list[tuple[str, str, Mapping[str, str]]] = field(default_factory=list)
    sent: list[dict[str, object]] = field(default_factory=list)
    now: float = 0.0

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        self.calls.append((method, url, headers))
        if url.endswith("/api/health"):
            return self._next(self.health)
        if "/functions?" in url:
            names = self.functions.pop(0) if len(self.functions) > 1 else self.functions[0]
            return Answer(200, json.dumps({"value": [{"name": f"func-test/{name}"} for name in names]}))
        if "listkeys" in url:
            return Answer(200, json.dumps({"functionKeys": {"default": "the-key"}}))
        if url.endswith("/messages"):
            (text,) = re.findall(r"<MessageText>(.*)</MessageText>", (body or b"").decode())
            self.sent.append(json.loads(base64.b64decode(text)))
            return self._next(self.put)
        return self._next(self.status) if "/task-deletions/" in url else Answer(204, "")

    @staticmethod
    def _next(answers: list[Answer]) -> Answer:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def verify(self, **outputs: str) -> list[str]:
        """The script's output for this cloud."""
        said: list[str] = []
        azure = Azure(send=self.send, token=lambda audience: f"token for {audience}")
        patience = Patience(clock=lambda: self.now, sleep=self.sleep)
        Deployment({**OUTPUTS, **outputs}, azure, patience, said.append).verify(ROOT)
        return said


def test_well_deployment_is_told_in_three_lines() -> None:
    """A good deployment is reported in three lines: health, functions, and a dry-run message through the queue."""
    cloud = Cloud()

    said = cloud.verify()

    assert [line.partition(":")[0] for line in said] == ["health", "functions", "queue"]
    assert cloud.now == 0
    (request,) = cloud.sent
    assert request["dryRun"] is True
    tokens = {url.split("/")[2]: headers.get("Authorization") for _, url, headers in cloud.calls}
    assert tokens["management.azure.com"] == "Bearer token for https://management.azure.com"
    assert tokens["sttest.queue.core.windows.net"] == "Bearer token for https://storage.azure.com"
    ((_, url, headers),) = [call for call in cloud.calls if "/task-deletions/" in call[1]]
    assert (url.rpartition("?")[2], headers["x-functions-key"]) == ("dryRun=true", "the-key")


def test_roles_that_spread_are_waited_for() -> None:
    """While new role assignments take effect, failing health and refused messages are retried."""
    cloud = Cloud(
        health=[Answer(503, "storage"), Answer(0, "no answer"), Answer(200, "")],
        put=[Answer(403, ""), Answer(201, "")],
        status=[Answer(404, ""), Answer(200, '{"state": "retrying"}'), Answer(200, json.dumps(DONE))],
    )

    assert len(cloud.verify()) == 3
    assert cloud.now == 75


@pytest.mark.parametrize(
    ("cloud", "fault"),
    [
        (Cloud(health=[Answer(503, '{"checks": {"storage": "403"}}')]), 'health was not 200 .*"storage": "403"'),
        (Cloud(health=[Answer(404, "")]), "the app did not load"),
        (Cloud(functions=[{"get_health"}]), "does not know .*delete_tasks.* even after a sync"),
        (Cloud(put=[Answer(403, "")]), "did not take a message"),
        (Cloud(put=[Answer(400, "")]), "did not take a message"),
        (Cloud(status=[Answer(404, "")]), "404: no instance took the message"),
        (
            Cloud(status=[Answer(200, '{"state": "retrying", "lastError": {"code": "403"}}')]),
            "no role on the Batch account",
        ),
    ],
)
def test_fault_is_told_with_its_causes(cloud: Cloud, fault: str) -> None:
    """A lasting fault ends the script with the last answer and what to do about it."""
    with pytest.raises(Unwell, match=re.compile(fault, re.DOTALL)):
        cloud.verify()


def test_functions_that_the_platform_missed_are_synced() -> None:
    """If the platform does not know all functions, the script syncs them and checks again."""
    cloud = Cloud(functions=[{"get_health"}, set(declared(ROOT))])

    cloud.verify()

    posted = [url.partition("?")[0] for method, url, _ in cloud.calls if method == "POST"]
    assert posted[0].endswith("/sites/func-test/host/default/sync")


@pytest.mark.parametrize("name", ["VNET_ENABLED", "ENTRA_AUTH_ENABLED"])
def test_message_is_left_out_where_it_cannot_arrive(name: str) -> None:
    """With a private network or a sign-in, no message is sent, and the last line says why."""
    cloud = Cloud()

    said = cloud.verify(**{name: "true"})

    assert name in said[-1]
    assert cloud.sent == []


def test_other_clouds_have_their_own_manager() -> None:
    """The app's host name selects the cloud, and so the management endpoint."""
    cloud = Cloud()

    cloud.verify(FUNCTION_URL="https://func-test.azurewebsites.us")

    assert any(url.startswith("https://management.usgovcloudapi.net/") for _, url, _ in cloud.calls)


def test_upload_is_tried_again_on_a_role_that_is_not_believed_yet_alone() -> None:
    """An upload refused because of a new role is retried for half an hour; any other failure ends at once."""
    refused = (1, "ERROR: InaccessibleStorageException: 403 Forbidden")
    waited: list[float] = []

    def tried(*answers: tuple[int, str]) -> int:
        left = list(answers)
        return deploy(lambda: left.pop(0), lambda: sum(waited), waited.append)

    assert tried(refused, refused, (0, "")) == 0
    assert waited == [60, 60]
    assert tried((2, "ERROR: quota")) == 2
    assert tried(*[refused] * 40) == 1
    assert sum(waited) == 1800 + 2 * 60
