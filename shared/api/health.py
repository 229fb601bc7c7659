"""Whether the app could do its work now: settings, storage, identity and timers, each by a real look."""

from __future__ import annotations

from collections.abc import Callable

from shared.api.answer import Answer
from shared.errors import AppError, InvalidConfiguration

OK = "ok"
KEPT_SECONDS = 5.0
"""Anyone may ask, and each look costs calls to storage."""


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
