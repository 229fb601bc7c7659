"""The faults of a run, chosen by a seeded random generator."""

from __future__ import annotations

import random
import time
from typing import Any

from devstack.client import AppClient
from devstack.stack import Stack

STOPS = 0.5
"""The share of stops, which give running work ten seconds; the rest are SIGKILLs, which give it none."""
STORMS: tuple[dict[str, Any], ...] = (
    {"status": 429, "retryAfter": 2, "totalTimes": 60},
    {"status": 503, "totalTimes": 40},
    {"status": 500, "totalTimes": 20},
    {"drop": True, "totalTimes": 30},
    {"drop": True, "afterEffect": True, "totalTimes": 60},
    {"status": 409, "code": "NodeNotReady", "totalTimes": 5},
    {"delaySeconds": 2, "totalTimes": 40},
)


class Chaos:
    """Storms over the Batch account, and sudden deaths and stops of the host, each at a random time."""

    def __init__(self, stack: Stack, app: AppClient, seed: int) -> None:
        self._stack = stack
        self._app = app
        self._random = random.Random(seed)
        self._next_storm = time.monotonic() + 2
        self._next_kill = time.monotonic() + self._random.uniform(5, 15)
        self.storms = self.kills = self.stops = 0

    def step(self) -> None:
        """Applies the faults that are due. Called from the thread that started the stack."""
        now = time.monotonic()
        if now >= self._next_storm:
            # A storm ends even with faults left over: the app calls a throttled account less, and would take minutes.
            self._app.recover()
            self._app.break_down(self._random.choice(STORMS))
            self.storms += 1
            self._next_storm = now + self._random.uniform(2, 8)
        if now >= self._next_kill:
            if self._random.random() < STOPS:
                self._stack.stop_host()
                self.stops += 1
            else:
                self._stack.kill_host()
                self.kills += 1
            self._stack.start_host()
            self._next_kill = time.monotonic() + self._random.uniform(10, 30)
