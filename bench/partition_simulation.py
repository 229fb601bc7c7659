"""A simulation of 40 instances against table partitions that accept 2,000 entities per second each.

Partitions are alike, so one is simulated with the messages that fall on it: 16 partitions, and 32 messages in flight
on each instance. A message is claimed by one group transaction, deleted, and recorded by another one, which carries
the count of its parent under the ETag that was read before it; when another message's count came first, the whole
transaction is refused and sent again. A partition that has a second of work waiting answers 503, and the client
library waits and tries three times more; then the message comes back after a minute and its rows are written singly.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field, replace

from bench.arithmetic import Figures, per
from bench.rounds import Part, Plan

BUCKETS = 16
IN_FLIGHT = 32
ENTITIES_PER_SECOND = 2_000
"""The scalability target of one partition: https://learn.microsoft.com/azure/storage/tables/scalability-targets"""
ACCOUNT_PER_SECOND = 20_000
"""The scalability target of all tables of an account, from the same page."""
BUSY_SECONDS = 1.0
ROUND_TRIP_SECONDS = 0.005
CLIENT_TRIES = 4
CLIENT_WAITS = (0.2, 0.4, 0.8)
SETTLE_SECONDS = 10.0
"""How long a refused count is retried."""
LONGEST_PAUSE_SECONDS = 1.0
REDELIVERY_SECONDS = 60.0
DELETE_SECONDS = 0.02
PLACES = 32
"""DELETEs that one instance has in flight at once."""

Step = Generator[float, None, bool]


@dataclass(frozen=True)
class Design:
    """What the app does with a message; other values are other designs."""

    rows: int = 96
    claim_entities: float = 1.0
    """Entities written to claim one row; 0 in a design where the message itself carries the promise."""
    refused_costs: float = 1.0
    """The cost of a refused transaction as a share of an accepted one: unpublished, so the worst case is assumed."""
    count_rows: int = 16
    """The number of rows over which a bucket's count of one parent is spread at random."""
    pause_seconds: float = 0.02
    """Upper limit of the random pause after a refusal; each further refusal doubles it, up to one second."""


@dataclass
class World:
    """One partition, its clock, and what has happened."""

    instances: int
    design: Design
    random: random.Random
    now: float = 0.0
    free_at: float = 0.0
    versions: dict[int, int] = field(default_factory=dict)
    """The version of each count row."""
    counts: Counter[str] = field(default_factory=Counter)
    _events: list[tuple[float, int, Generator[float, None, object]]] = field(default_factory=list)
    _number: int = 0

    def start(self, process: Generator[float, None, object], at: float) -> None:
        """Starts a process."""
        self._number += 1
        heapq.heappush(self._events, (at, self._number, process))

    def run(self, until: float) -> None:
        """Moves the clock from event to event; a process yields how long it waits."""
        while self._events and self._events[0][0] <= until:
            self.now, _, process = heapq.heappop(self._events)
            with suppress(StopIteration):
                self.start(process, self.now + next(process))

    def call(self, entities: float, work: Callable[[], bool] = lambda: True) -> Step:
        """One request with the client library's retries; returns whether it was carried out, by `work`."""
        for attempt in range(CLIENT_TRIES):
            yield ROUND_TRIP_SECONDS / 2
            if self.free_at - self.now > BUSY_SECONDS:
                self.counts["busy"] += 1
                if attempt == CLIENT_TRIES - 1:
                    break
                yield ROUND_TRIP_SECONDS / 2 + CLIENT_WAITS[attempt] * self.random.uniform(0.5, 1.5)
                continue
            self.free_at = max(self.free_at, self.now) + entities / ENTITIES_PER_SECOND
            yield self.free_at - self.now
            done = work()
            if not done:
                self.free_at -= min(self.free_at - self.now, entities * (1 - self.design.refused_costs) / 2_000)
            yield ROUND_TRIP_SECONDS / 2
            return done
        raise _GivenUp


class _GivenUp(Exception):
    """Raised when the client library gives up; the message comes back later."""


def _message(world: World) -> Generator[float, None, object]:
    """One place for messages, which it processes one after another for ever."""
    design = world.design
    yield world.random.random()
    claimed = False
    while True:
        try:
            if not claimed and design.claim_entities:
                yield from world.call(design.rows * design.claim_entities)
            elif claimed:
                for _ in range(design.rows):
                    yield from world.call(2)
            claimed = True
            # All messages of an instance share its places at the Batch service.
            yield design.rows * IN_FLIGHT * DELETE_SECONDS / PLACES * world.random.uniform(0.7, 1.3)
            yield from _record(world)
            world.counts["deleted"] += design.rows
            claimed = False
        except _GivenUp:
            world.counts["redelivered"] += 1
            yield REDELIVERY_SECONDS


def _record(world: World) -> Generator[float, None, None]:
    """Writes the outcomes and the count in one transaction, repeatedly while another message's count comes first."""
    design, versions, until = world.design, world.versions, world.now + SETTLE_SECONDS
    pause = design.pause_seconds
    while world.now < until:
        row = world.random.randrange(design.count_rows)
        yield from world.call(1)
        seen = versions.get(row, 0)

        def write(row: int = row, seen: int = seen) -> bool:
            if versions.get(row, 0) != seen:
                return False
            versions[row] = seen + 1
            return True

        world.counts["recordings"] += 1
        if (yield from world.call(design.rows + 1, write)):
            return
        world.counts["refused"] += 1
        yield world.random.uniform(0.5, 1.0) * pause
        pause = min(LONGEST_PAUSE_SECONDS, pause * 2)
    raise _GivenUp


def simulate(instances: int, design: Design, seconds: float = 600, seed: int = 1) -> Figures:
    """Deletions per second of all partitions together, and the share of the work that was wasted."""
    world = World(instances, design, random.Random(seed))
    places = instances * IN_FLIGHT / BUCKETS
    for _ in range(max(1, round(places))):
        world.start(_message(world), 0.0)
    warm = seconds / 5
    world.run(warm)
    before = world.counts.copy()
    world.run(seconds)
    counts = world.counts
    counts.subtract(before)
    return {
        "deletions_per_second": per(counts["deleted"] * BUCKETS, seconds - warm),
        "refused_share": per(counts["refused"], max(1, counts["recordings"])),
        "busy_answers_per_message": per(counts["busy"], max(1, counts["deleted"] / design.rows)),
        "redelivered_share": per(counts["redelivered"], max(1, counts["deleted"] / design.rows)),
    }


def measure(plan: Plan) -> Part:
    """1 to 40 instances on one job, with the app's design and with alternatives."""
    part = Part("Forty instances on paper", 'make bench ARGS="--parts partition-simulation"')
    seconds = plan.of(600, 60)
    base = Design()
    designs = {
        "one job": base,
        "without a claim beforehand": replace(base, claim_entities=0.0),
        "if refused writes cost nothing": replace(base, refused_costs=0.0),
        "if its count were one row": replace(base, count_rows=1),
        "if nothing were waited after a refusal": replace(base, pause_seconds=0.0),
        "if both": replace(base, count_rows=1, pause_seconds=0.0),
    }
    for name, design in designs.items():
        for instances in (1, 2, 5, 10, 20, 40):
            figures = simulate(instances, design, seconds)
            part.rows.append(
                {"work": name, "instances": instances, **{k: float(f"{v:.3g}") for k, v in figures.items()}}
            )
    part.notes.append(
        f"{BUCKETS} partitions of {ENTITIES_PER_SECOND:,} entities a second, {ROUND_TRIP_SECONDS * 1e3:g} ms round trip, "
        f"{DELETE_SECONDS * 1e3:g} ms for a DELETE with {PLACES} at once on each instance; no limit of the Batch account."
    )
    return part
