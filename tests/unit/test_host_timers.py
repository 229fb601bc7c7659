"""Schedules of timer functions in the local host."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from devstack.host.timers import next_occurrence

NOW = datetime(2026, 11, 24, 7, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "upcoming"),
    [
        ("*/10 * * * * *", datetime(2026, 11, 24, 7, 30, 20, tzinfo=UTC)),
        ("0 0 3 * * *", datetime(2026, 11, 25, 3, 0, 0, tzinfo=UTC)),
        ("30 0 3 * * 0", datetime(2026, 11, 29, 3, 0, 30, tzinfo=UTC)),
        ("0 3 * * *", datetime(2026, 11, 25, 3, 0, 0, tzinfo=UTC)),
    ],
)
def test_the_first_of_six_fields_is_the_second(schedule: str, upcoming: datetime) -> None:
    """NCRONTAB puts seconds first; with five fields they are zero."""
    assert next_occurrence(schedule, NOW) == upcoming


@pytest.mark.parametrize("schedule", ["", "0 0 3", "99 * * * * *", "1 2 3 4 5 6 7"])
def test_what_is_no_schedule_is_refused(schedule: str) -> None:
    """It is found at start-up."""
    with pytest.raises(ValueError, match=r"."):
        next_occurrence(schedule, NOW)
