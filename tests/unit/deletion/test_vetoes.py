"""Valid requests that must not be carried out: protected jobs and late messages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.deletion.vetoes import Vetoes
from shared.ledger.record import Certainty, Conclusion, Origin, Outcome, Record
from shared.settings import Settings
from tests.fakes.app import ENVIRONMENT
from tests.rows import NOW, request


def vetoes(**settings: str) -> Vetoes:
    """The vetoes under these settings."""
    return Vetoes(Settings.from_env({**ENVIRONMENT, **settings}))


def judged(by: Vetoes, age: timedelta, **fields: Any) -> Conclusion | None:
    """The end of a request of this age."""
    return by(Record.new(request(**fields), Origin.QUEUE, NOW - age), NOW)


@pytest.mark.parametrize(
    ("patterns", "job_id", "matching"),
    [
        ("", "render-7", None),
        ("render-7", "Render-7", "render-7"),
        ("RENDER-?", "render-7", "RENDER-?"),
        ("other,render-*", "render-7", "render-*"),
        ("nightly*", "nightly:job-12", "nightly*"),
        ("render", "render-7", None),
        ("render-?", "render-77", None),
    ],
)
def test_protected_jobs(patterns: str, job_id: str, matching: str | None) -> None:
    """A job whose id matches a pattern, in any letter case, fails with the pattern in its error."""
    end = judged(vetoes(PROTECTED_JOBS=patterns), timedelta(0), jobId=job_id)

    if matching is None:
        assert end is None
    else:
        assert end is not None
        assert (end.outcome, end.certainty, end.completed_at) == (Outcome.FAILED, Certainty.CONFIRMED, NOW)
        assert end.error is not None
        assert end.error.code == "ProtectedJob"
        assert matching in end.error.values[0][1]


@pytest.mark.parametrize(
    ("age", "fields", "expired"),
    [
        pytest.param(timedelta(0), {}, False, id="new"),
        pytest.param(timedelta(days=14), {}, False, id="as old as may be"),
        pytest.param(timedelta(days=14, seconds=1), {}, True, id="older"),
        pytest.param(timedelta(days=20), {"deleteAfter": "P10D"}, False, id="counted from when it fell due"),
        pytest.param(timedelta(days=24, seconds=1), {"deleteAfter": "P10D"}, True, id="too old since it fell due"),
        pytest.param(timedelta(days=15), {"deleteAfter": "2020-01-01T00:00:00Z"}, True, id="was due at once"),
    ],
)
def test_a_request_that_comes_too_late_is_not_carried_out(
    age: timedelta, fields: dict[str, Any], expired: bool
) -> None:
    """A request processed more than 14 days after it was due expires, a day before its row may be purged."""
    end = judged(vetoes(), age, **fields)

    assert (end is not None) is expired
    if end is not None:
        assert (end.outcome, end.certainty) == (Outcome.EXPIRED, Certainty.CONFIRMED)
        assert end.error is not None
        assert end.error.code == "RequestExpired"
        assert "14 days" in end.error.message


@pytest.mark.parametrize(("days", "age", "expired"), [("2", 1, False), ("2", 2, True), ("365", 300, False)])
def test_retention_is_a_setting(days: str, age: int, expired: bool) -> None:
    """A request expires once its age reaches REQUEST_RETENTION_DAYS less one day."""
    assert (judged(vetoes(REQUEST_RETENTION_DAYS=days), timedelta(days=age)) is not None) is expired


def test_protection_comes_before_age() -> None:
    """A late request for a protected job fails as protected rather than expired."""
    end = judged(vetoes(PROTECTED_JOBS="*"), timedelta(days=99))
    assert end is not None
    assert end.outcome is Outcome.FAILED
