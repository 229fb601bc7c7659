"""The health check: whether the app could do its work now."""

from __future__ import annotations

import pytest

from shared.api.health import health, misconfigured
from shared.errors import InvalidConfiguration, StorageUnavailable


def down() -> None:
    """A check that fails."""
    raise StorageUnavailable("table TaskDeleteRequests: 403 AuthorizationFailure")


def test_health_needs_every_check() -> None:
    """Health answers 503 if any check fails, with each check's result and the text of the fault."""
    good = health({"storage": lambda: None, "identity": lambda: "a token"})
    assert (good.status, good.content) == (200, {"status": "ok", "checks": {"storage": "ok", "identity": "ok"}})
    bad = health({"storage": down, "identity": lambda: None})
    assert (bad.status, bad.content["status"]) == (503, "failing")
    assert bad.content["checks"] == {"storage": "table TaskDeleteRequests: 403 AuthorizationFailure", "identity": "ok"}


def test_a_bug_in_a_check_is_loud() -> None:
    """An unexpected exception in a health check is raised, not reported as a failing check."""
    with pytest.raises(ZeroDivisionError):
        health({"storage": lambda: 1 // 0})


def test_wrong_settings_hide_the_rest() -> None:
    """With invalid settings, health answers 503 and lists all problems, since nothing else can be checked."""
    answer = misconfigured(InvalidConfiguration(["A must be set", "B must be a number"]))
    assert answer.status == 503
    assert answer.content["checks"]["settings"] == "A must be set; B must be a number"
