"""Whether the app is able to work now: really checks settings, storage, identity and timers."""

from __future__ import annotations

from collections.abc import Callable

from shared.api.answer import Answer
from shared.errors import AppError, InvalidConfiguration

OK = "ok"
KEPT_SECONDS = 5.0
"""How long a result is cached: anyone may call this, and each check costs storage operations."""


def health(checks: dict[str, Callable[[], object]]) -> Answer:
    """200 if every check passes, else 503 with the faults' texts, which contain no secrets."""
    found = {name: _fault_of(check) for name, check in checks.items()}
    healthy = all(text == OK for text in found.values())
    return Answer(200 if healthy else 503, {"status": OK if healthy else "failing", "checks": found})


def misconfigured(fault: InvalidConfiguration) -> Answer:
    """503 while the settings are invalid: nothing else can be checked."""
    unknown = "not checked, because the settings are not valid"
    checks = {"storage": unknown, "identity": unknown, "settings": "; ".join(fault.problems), "timers": unknown}
    return Answer(503, {"status": "failing", "checks": checks})


def _fault_of(check: Callable[[], object]) -> str:
    try:
        check()
    except AppError as fault:
        return str(fault)
    return OK
