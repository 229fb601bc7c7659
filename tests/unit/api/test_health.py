"""Whether the app could do its work now."""

from __future__ import annotations

import pytest

from shared.api.health import health, misconfigured
from shared.errors import InvalidConfiguration, StorageUnavailable


def down() -> None:
    """A check that fails."""
    raise StorageUnavailable("table TaskDeleteRequests: 403 AuthorizationFailure")


def test_health_needs_every_check() -> None:
    """503 with the text of the fault beside what is well."""
    good = health({"storage": lambda: None, "identity": lambda: "a token"})
    assert (good.status, good.content) == (200, {"status": "ok", "checks": {"storage": "ok", "identity": "ok"}})
    bad = health({"storage": down, "identity": lambda: None})
    assert (bad.status, bad.content["status"]) == (503, "failing")
    assert bad.content["checks"] == {"storage": "table TaskDeleteRequests: 403 AuthorizationFailure", "identity": "ok"}


def test_a_bug_in_a_check_is_loud() -> None:
    """Only the faults that the app knows are a state of its health."""
    with pytest.raises(ZeroDivisionError):
        health({"storage": lambda: 1 // 0})


def test_wrong_settings_hide_the_rest() -> None:
    """Nothing else can be looked at without them."""
    answer = misconfigured(InvalidConfiguration(["A must be set", "B must be a number"]))
    assert answer.status == 503
    assert answer.content["checks"]["settings"] == "A must be set; B must be a number"
