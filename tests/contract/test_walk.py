"""The types that one message passes through in the app, on real adapters, as docs/design.md lists them."""

from __future__ import annotations

import base64
import json
import re
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from types import FrameType
from typing import Any

from devstack.azurite import Azurite
from devstack.batch import BatchSimulator
from shared.batch.lanes import Lanes
from shared.clock import SystemClock
from shared.deletion.delivery import Delivery
from shared.settings import Settings
from shared.storage.queues import QueueSender
from shared.storage.table import AzureTable
from shared.wiring.services import Adapters, App
from shared.wiring.storage_clients import queue_service, table_service
from tests.contract.batch_calls import CountedTokens, client
from tests.fakes.app import ENVIRONMENT

DESIGN = Path(__file__).parents[2] / "docs/design.md"
MOST = 12
BESIDE = {"record.Key", "strict_model.Surroundings", "transactions.Insert", "transactions.Merge"}
"""Not the message in another form, but a row's name, the context of a check, and the inside of an adapter."""


def listed() -> list[str]:
    """The types that the design document lists."""
    section = DESIGN.read_text("utf-8").split("## One message through the code")[1].split("\n## ")[0]
    return re.findall(r"^\d+\. `([\w.]+)`", section, re.MULTILINE)


class Walk:
    """Records the app's types whose objects are created during a call."""

    def __init__(self) -> None:
        self.types: set[type] = set()

    def named(self) -> set[str]:
        """The recorded types by module and name, without private ones."""
        return {f"{t.__module__.rpartition('.')[2]}.{t.__name__}" for t in self.types if t.__name__[0] != "_"}

    def follow(self, act: Callable[[], Any]) -> Any:
        """Runs a call while recording types, and returns its result."""
        sys.setprofile(self._see)
        try:
            return act()
        finally:
            sys.setprofile(None)

    def _see(self, frame: FrameType, event: str, arg: object) -> None:
        if event == "call" and frame.f_code.co_name == "__init__":
            self._note(type(frame.f_locals.get("self")))
        elif event == "return" and not isinstance(arg, type):
            self._note(type(arg))

    def _note(self, found: type) -> None:
        if found.__module__.startswith("shared.") and not issubclass(found, Enum | Exception):
            self.types.add(found)


def app_on(azurite: Azurite, batch: BatchSimulator, token: str) -> App:
    """The app on real adapters, with queues and tables that only this test uses."""
    own = uuid.uuid4().hex
    settings = Settings.from_env(
        ENVIRONMENT
        | {
            "TaskDeleteStorage": azurite.connection_string,
            "BATCH_ACCOUNT_URLS": batch.url,
            "REQUEST_TABLE_NAME": f"r{own}",
            "DEAD_LETTER_TABLE_NAME": f"l{own}",
            "RESULT_MESSAGE_ENCODING": "base64",
        }
    )
    tables = table_service(settings)
    return App(
        settings,
        Adapters(
            AzureTable(tables, settings.request_table),
            AzureTable(tables, settings.dead_letter_table),
            QueueSender(queue_service(settings)),
            client(batch.url, CountedTokens(token)),
            Lanes(settings.batch_accounts, 1),
            SystemClock(),
        ),
    )


def delivery(task: str) -> Delivery:
    """A message as the queue trigger hands it over."""
    now = datetime.now(UTC)
    body = {"clientRequestId": str(uuid.uuid4()), "jobId": "job1", "taskId": task}
    return Delivery("requests", str(uuid.uuid4()), 1, now, now + timedelta(minutes=10), json.dumps(body).encode())


def test_a_message_passes_the_types_that_the_design_lists(
    azurite: Azurite, batch_simulator: BatchSimulator, batch_token: str
) -> None:
    """From delivery to result, a message passes exactly the types that docs/design.md lists."""
    batch_simulator.seed(id="job1", tasks=["task1", "task2"])
    app = app_on(azurite, batch_simulator, batch_token)
    app.worker.deliver(delivery("task1"))  # Makes the tables, and the connections.

    walk = Walk()
    [text] = walk.follow(lambda: app.worker.deliver(delivery("task2")))

    assert json.loads(base64.b64decode(text))["data"]["outcome"] == "deleted"
    assert walk.named() - BESIDE == set(listed())
    assert len(listed()) <= MOST
