"""The conditional headers of the simulated service."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from devstack.batch.conditions import Conditions
from devstack.batch.errors import ServiceError
from devstack.http1 import Headers

ETAG = "0x8DE2A1C0"
MODIFIED = datetime(2026, 11, 24, 12, 0, 0, 500_000, tzinfo=UTC)
BEFORE, SAME, AFTER = (f"Tue, 24 Nov 2026 {time} GMT" for time in ("11:59:59", "12:00:00", "12:00:01"))


def status_of(headers: dict[str, str], *, reading: bool) -> int:
    """200, or the status of the refusal."""
    try:
        Conditions.from_headers(Headers(headers)).check(ETAG, MODIFIED, reading=reading)
    except ServiceError as error:
        return error.status
    return 200


@pytest.mark.parametrize(
    ("headers", "for_write", "for_read"),
    [
        ({}, 200, 200),
        ({"If-Match": f'"{ETAG}"'}, 200, 200),
        ({"If-Match": ETAG}, 200, 200),
        ({"if-match": f'W/"{ETAG}"'}, 200, 200),
        ({"If-Match": "*"}, 200, 200),
        ({"If-Match": f'"0x1", "{ETAG}"'}, 200, 200),
        ({"If-Match": '"0x1"'}, 412, 412),
        ({"If-None-Match": f'"{ETAG}"'}, 412, 304),
        ({"If-None-Match": "*"}, 412, 304),
        ({"If-None-Match": '"0x1"'}, 200, 200),
        ({"If-Modified-Since": BEFORE}, 200, 200),
        ({"If-Modified-Since": SAME}, 412, 304),
        ({"If-Modified-Since": AFTER}, 412, 304),
        ({"If-Unmodified-Since": BEFORE}, 412, 412),
        ({"If-Unmodified-Since": SAME}, 200, 200),
        ({"If-Unmodified-Since": AFTER}, 200, 200),
        ({"If-Match": "*", "If-Unmodified-Since": BEFORE}, 412, 412),
    ],
)
def test_each_condition_is_judged_on_its_own(headers: dict[str, str], for_write: int, for_read: int) -> None:
    """All conditions of a call must hold; otherwise a write answers 412, and a read 412 or 304."""
    assert status_of(headers, reading=False) == for_write
    assert status_of(headers, reading=True) == for_read


@pytest.mark.parametrize("date", ["yesterday", "", "2026-11-24T12:00:00Z"])
def test_a_date_that_is_none_is_an_invalid_header(date: str) -> None:
    """An invalid date in a condition is refused, naming the header."""
    with pytest.raises(ServiceError) as caught:
        Conditions.from_headers(Headers({"If-Unmodified-Since": date}))
    assert caught.value.code == "InvalidHeaderValue"
    assert ("HeaderName", "If-Unmodified-Since") in caught.value.values
