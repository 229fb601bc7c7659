"""What the worker announces and answers, as values for tests."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any


class HarnessError(RuntimeError):
    """Raised when the harness is used in a way that it cannot honour."""


class IndexingFailed(HarnessError):
    """Raised when the worker refuses the app."""


class InvocationFailed(AssertionError):
    """Raised by `InvocationResult.unwrap` for a failed invocation."""


@dataclass(frozen=True)
class FunctionRecord:
    """One indexed function, as the worker announces it to the host."""

    name: str
    function_id: str
    is_async: bool
    bindings: tuple[dict[str, Any], ...]

    @property
    def trigger(self) -> dict[str, Any]:
        """The raw trigger binding."""
        return next(binding for binding in self.bindings if str(binding["type"]).lower().endswith("trigger"))

    @property
    def trigger_type(self) -> str:
        """`httpTrigger`, `queueTrigger` or `timerTrigger`."""
        return str(self.trigger["type"])

    @property
    def outputs(self) -> dict[str, dict[str, Any]]:
        """The raw output bindings by name."""
        return {binding["name"]: binding for binding in self.bindings if binding.get("direction") == "OUT"}

    @property
    def route(self) -> str | None:
        """Route of an HTTP function, without the prefix."""
        return self.trigger.get("route")

    @property
    def methods(self) -> frozenset[str]:
        """Verbs of an HTTP function; empty means any."""
        return frozenset(str(method).upper() for method in self.trigger.get("methods") or ())

    @property
    def auth_level(self) -> str | None:
        """`anonymous`, `function` or `admin`."""
        level = self.trigger.get("authLevel")
        return level.lower() if level else None


@dataclass(frozen=True)
class QueueOutput:
    """A value set on a queue output, as the worker sends it."""

    kind: str
    """The field of TypedData that the worker filled."""
    value: Any


@dataclass(frozen=True)
class HttpResult:
    """The answer of an HTTP function."""

    status: int
    headers: dict[str, str]
    body: bytes
    cookies: tuple[Any, ...] = ()

    def json(self) -> Any:
        """The parsed body."""
        return json.loads(self.body)


@dataclass(frozen=True)
class InvocationResult:
    """How one invocation went."""

    invocation_id: str
    function: str
    succeeded: bool
    outputs: dict[str, QueueOutput]
    http: HttpResult | None
    error: str | None
    stack_trace: str | None
    logs: tuple[logging.LogRecord, ...]
    crashed: bool = False
    """True when the function would have ended the worker process."""

    def unwrap(self) -> InvocationResult:
        """Itself; raises InvocationFailed when the invocation failed."""
        if not self.succeeded:
            raise InvocationFailed(f"{self.function} failed: {self.error}\n{self.stack_trace}")
        return self

    def answer(self) -> HttpResult:
        """The HTTP answer, where there must be one."""
        if self.http is None:
            raise InvocationFailed(f"{self.function} gave no HTTP answer: {self.error}")
        return self.http

    def messages(self, binding: str) -> list[bytes]:
        """Bodies that the host would put on the queue of one output binding."""
        output = self.outputs.get(binding)
        if output is None:
            return []
        if output.kind != "json":
            raise HarnessError(f"{binding} was set to something else than a list of texts")
        return [text.encode() for text in json.loads(output.value)]
