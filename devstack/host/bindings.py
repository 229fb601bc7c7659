"""Bindings as values: what one function is fired by and what it writes to, with settings resolved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

RETURN = "$return"
"""Name of the binding that takes a function's return value."""


@dataclass(frozen=True)
class HttpTrigger:
    """Fired by a request on a route."""

    name: str
    route: str
    methods: frozenset[str] | None
    """Upper-case verbs; None takes any."""
    auth_level: str
    """`anonymous`, `function` or `admin`."""


@dataclass(frozen=True)
class QueueTrigger:
    """Fired by each message of a queue."""

    name: str
    queue: str
    connection: str = field(repr=False)
    """A storage connection string, secret."""
    binary: bool
    """True when the function gets bytes, which also keeps the body out of the trigger metadata."""


@dataclass(frozen=True)
class TimerTrigger:
    """Fired by a schedule."""

    name: str
    schedule: str
    run_on_startup: bool


@dataclass(frozen=True)
class HttpOutput:
    """The answer to the request that fired the function."""

    name: str


@dataclass(frozen=True)
class QueueOutput:
    """Messages put on a queue after the function succeeded."""

    name: str
    queue: str
    connection: str = field(repr=False)


Trigger = HttpTrigger | QueueTrigger | TimerTrigger
Output = HttpOutput | QueueOutput


@dataclass(frozen=True)
class IndexedFunction:
    """One function of the app, ready to be called."""

    name: str
    call: Callable[..., Any]
    is_async: bool
    wants_context: bool
    directory: str
    trigger: Trigger
    outputs: tuple[Output, ...]
    converters: dict[str, Any]
    """Per binding name, the library class that decodes or encodes its value."""

    def output(self, name: str) -> Output | None:
        """The output binding of that name, if there is one."""
        return next((output for output in self.outputs if output.name == name), None)
