"""Whether the app could do its work now: settings, storage, identity and timers, each by a real look."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from shared.api.answer import Answer
from shared.clock import Clock
from shared.errors import AppError, InvalidConfiguration

OK = "ok"
KEPT_SECONDS = 5.0
"""Anyone may ask, and each look costs calls to storage: between two of them the last answer is given again."""


class Health:
    """What `GET /api/health` answers, from a look a few seconds old at most."""

    def __init__(self, checks: dict[str, Callable[[], object]], clock: Clock) -> None:
        self._checks = checks
        self._clock = clock
        self._looking = Lock()
        self._last: Answer | None = None
        self._looked_at = 0.0

    def answer(self) -> Answer:
        """200 when every check passes, else 503. Whoever comes while a look is under way gets the answer before it."""
        last = self._last
        if last and self._clock.monotonic() < self._looked_at + KEPT_SECONDS:
            return last
        if last and self._looking.locked():
            return last
        with self._looking:
            if self._last is None or self._last is last:
                self._last = health(self._checks)
                self._looked_at = self._clock.monotonic()
            return self._last


def health(checks: dict[str, Callable[[], object]]) -> Answer:
    """200 when every check passes, else 503 with the faults' texts, which hold no secret."""
    found = {name: _fault_of(check) for name, check in checks.items()}
    healthy = all(text == OK for text in found.values())
    return Answer(200 if healthy else 503, {"status": OK if healthy else "failing", "checks": found})


def misconfigured(fault: InvalidConfiguration) -> Answer:
    """503 while the settings are wrong: nothing else can be looked at."""
    unknown = "not checked, the settings are wrong"
    checks = {"storage": unknown, "identity": unknown, "settings": "; ".join(fault.problems), "timers": unknown}
    return Answer(503, {"status": "failing", "checks": checks})


def _fault_of(check: Callable[[], object]) -> str:
    try:
        check()
    except AppError as fault:
        return str(fault)
    return OK
