"""`make soak`: thousands of requests by queue and HTTP, with storms, lost replies, duplicates, stops and SIGKILLs."""

from __future__ import annotations

import argparse
import random
import sys
import time
import uuid
from pathlib import Path

import requests
from azure.storage.queue import QueueClient

from devstack.client import AppClient
from devstack.soak.chaos import Chaos
from devstack.soak.ledger import Ledger
from devstack.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
JOB = "soak"
WAVE = 40
MOST_OPEN = 400
"""No more requests are sent while this many lack a result: the emulator slows down as a queue grows."""
DUPLICATES = 0.1
OVER_HTTP = 0.3
# Small budget and lease, so that what a killed host held comes back within the run.
SETTINGS = {
    "OPERATION_BUDGET_SECONDS": "20",
    "BATCH_RETRY_BASE_SECONDS": "0.5",
    "BATCH_RETRY_MAX_SECONDS": "20",
    "BATCH_MAX_ATTEMPTS": "100",
}
LEASE_SECONDS = 60


def main() -> int:
    """Runs the soak test; 0 if all promises were kept."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--requests", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=3_600, help="gives up after this long")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    deadline = time.monotonic() + arguments.seconds
    with Stack(ROOT, env=SETTINGS, lease_seconds=LEASE_SECONDS) as stack:
        run = Run(stack, arguments.requests, arguments.seed)
        run.feed(deadline)
        run.finish(deadline)
        broken = run.judged()
    for promise in broken:
        tell(promise)
    tell(f"{len(broken)} promises were broken." if broken else "All promises were kept.")
    return 1 if broken else 0


class Run:
    """One run against one stack."""

    def __init__(self, stack: Stack, count: int, seed: int) -> None:
        self._stack = stack
        self._app = AppClient(stack)
        self._random = random.Random(seed)
        self._count = count
        self.ledger = Ledger()
        self.chaos = Chaos(stack, self._app, seed)
        self._app.seed({"id": JOB, "state": "active", "tasks": {"count": count, "prefix": "t-"}})

    def feed(self, deadline: float) -> None:
        """Sends waves of requests, as fast as they are processed."""
        while len(self.ledger.asked) < self._count and time.monotonic() < deadline:
            if len(self.ledger.missing) < MOST_OPEN:
                self._wave()
            self.chaos.step()
            self._look()

    def finish(self, deadline: float) -> None:
        """Waits, without further faults, until every request has a result and the queues are empty."""
        self._app.recover()
        while time.monotonic() < deadline and (self.ledger.missing or any(self._left().values())):
            self._look()

    def judged(self) -> list[str]:
        """Prints the figures of the run; returns the promises that it broke."""
        chaos, ledger, deletes = self.chaos, self.ledger, self._app.journal()
        tell(f"{chaos.kills} SIGKILLs and {chaos.stops} stops of the host")
        tell(f"{chaos.storms} storms, {ledger.certainties()['inferred']} lost replies")
        tell(f"{len(ledger.asked):8}  requests, sent {ledger.sent} times over both doors, duplicates included")
        tell(f"{len(ledger.messages):8}  result messages, {len(ledger.missing)} requests without one")
        tell(f"{len(deletes):8}  DELETEs that reached Batch")
        return ledger.broken(deletes, self._left())

    def _wave(self) -> None:
        for _ in range(min(WAVE, self._count - len(self.ledger.asked))):
            task = f"t-{len(self.ledger.asked) + 1}"
            body = {"clientRequestId": str(uuid.uuid4()), "jobId": JOB, "taskId": task}
            self.ledger.asked[body["clientRequestId"]] = task
            self._send(body)
            if self._random.random() < DUPLICATES:
                self._send(body)

    def _send(self, body: dict[str, str]) -> None:
        """Sends over HTTP or the queue; a call not answered with 202 or 200 is repeated on the queue."""
        self.chaos.step()
        self.ledger.sent += 1
        if self._random.random() < OVER_HTTP and self._stack.host_running:
            try:
                if self._app.post(body) in {200, 202}:
                    return
            except requests.RequestException:
                self.ledger.sent += 1
        self._app.put(body)

    def _look(self) -> None:
        self.ledger.take(self._app.results())
        done = len(self.ledger.asked) - len(self.ledger.missing)
        sys.stderr.write(f"\r{done} of {self._count} done, {self.chaos.kills} kills, {self.chaos.storms} storms ")
        time.sleep(0.1)

    def _left(self) -> dict[str, int]:
        return {name: _count(self._app.queue(part)) for part, name in self._app.queues.items()}


def _count(queue: QueueClient) -> int:
    return queue.get_queue_properties().approximate_message_count or 0


def tell(text: str) -> None:
    """Prints a line for the person at the terminal."""
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
