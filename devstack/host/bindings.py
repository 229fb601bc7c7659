"""Bindings as values: what triggers one function and what it writes to, with settings resolved."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class HttpTrigger:
    """Runs the function for a request on a route."""

    name: str
    route: str
    methods: frozenset[str] | None
    """Upper-case verbs; None takes any."""
    auth_level: str
    """`anonymous`, `function` or `admin`."""


@dataclass(frozen=True)
class QueueTrigger:
    """Runs the function for each message of a queue."""

    name: str
    queue: str
    connection: str = field(repr=False)
    """A storage connection string, secret."""


@dataclass(frozen=True)
class TimerTrigger:
    """Runs the function by a schedule."""

    name: str
    schedule: str


@dataclass(frozen=True)
class QueueOutput:
    """Messages put on a queue after the function succeeded."""

    name: str
    queue: str
    connection: str = field(repr=False)


Trigger = HttpTrigger | QueueTrigger | TimerTrigger


@dataclass(frozen=True)
class IndexedFunction:
    """One function of the app, as the worker announces it to the host."""

    name: str
    trigger: Trigger
    outputs: tuple[QueueOutput, ...]
