"""What the host and the process with the app's code send each other, as pickled values."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from devstack.host.bindings import IndexedFunction


@dataclass(frozen=True)
class Indexed:
    """The app was loaded."""

    functions: tuple[IndexedFunction, ...]


@dataclass(frozen=True)
class Refused:
    """The app cannot be served; with every reason."""

    reasons: tuple[str, ...]


@dataclass(frozen=True)
class TraceContext:
    """The W3C trace context of an invocation; empty while Application Insights is off."""

    trace_parent: str = ""
    trace_state: str = ""


@dataclass(frozen=True)
class HttpInput:
    """A request: one value per lower-case header name, no empty query values."""

    method: str
    url: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    route_parameters: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class MessageProperties:
    """What the queue service says about one delivery of a message."""

    message_id: str
    pop_receipt: str
    dequeue_count: int
    inserted: datetime
    expires: datetime
    next_visible: datetime


@dataclass(frozen=True)
class QueueInput:
    """One delivery of a message."""

    body: bytes
    properties: MessageProperties


@dataclass(frozen=True)
class TimerInput:
    """One tick: when the function last ran, if ever, and the instant for which it runs now."""

    last: datetime | None = None
    due: datetime | None = None


@dataclass(frozen=True)
class Invocation:
    """One call of one function."""

    function: IndexedFunction
    given: HttpInput | QueueInput | TimerInput
    trace: TraceContext = field(default_factory=TraceContext)
    invocation_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True)
class Reply:
    """What an HTTP function answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Done:
    """A function returned: its answer, and its messages by output binding."""

    reply: Reply | None
    messages: Mapping[str, list[str]]


@dataclass(frozen=True)
class Failed:
    """A function raised: the class of what it raised, and the stack."""

    error: str
    stack: str
