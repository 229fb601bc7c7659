"""The forms of ids, entity tags, dates and durations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.parsing import grammar

GUID = "0f0e0d0c-0b0a-0908-0706-050403020100"
NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", [GUID, GUID.upper(), "FFFFFFFF-ffff-FFFF-ffff-FFFFFFFFFFFF"])
def test_a_guid_is_compared_in_lower_case(text: str) -> None:
    """A GUID in any letter case is accepted and becomes lower case."""
    assert grammar.guid(text) == text.lower()
    assert grammar.parse_guid(text) == text.lower()


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{{{GUID}}}",
        f"urn:uuid:{GUID}",
        GUID.replace("-", ""),
        "0f0e0d0c0-b0a-0908-0706-050403020100",
        f"{GUID}\n",
        f" {GUID}",
        GUID[:-1],
        GUID[:-1] + "g",
        GUID[:-1] + "\uff10",
        GUID[:-1] + "\u212a",
    ],
)
def test_other_spellings_of_a_guid_are_refused(text: str) -> None:
    """A GUID with braces, as a URN, or with missing or moved hyphens is refused."""
    assert grammar.parse_guid(text) is None
    with pytest.raises(ValueError, match="must be a GUID"):
        grammar.guid(text)


HOSTILE_IDS = [
    "", ".", "..", "a.b", "a/b", "a\\b", "a%2f", "a b", "a;b", "a?b", "a#b", "a+b", "a\n", "\na", "a\r\nHost: x",
    "é", "\u212a", "\uff21", "\u0430", "\uff11", "a\u0000", "\ud800", "x" * 65,
]  # fmt: skip


@pytest.mark.parametrize("text", ["a", "A-b_9", "-", "_", "x" * 64])
def test_an_id_of_the_grammar_is_kept_as_it_is(text: str) -> None:
    """A valid job or task id is kept unchanged, letter case included."""
    assert grammar.task_id(text) == text
    assert grammar.job_id(text) == text


@pytest.mark.parametrize("text", HOSTILE_IDS)
def test_an_id_that_could_bend_a_url_is_refused(text: str) -> None:
    """An id that could change a URL, such as `..`, is refused."""
    with pytest.raises(ValueError, match="must be 1 to 64"):
        grammar.task_id(text)
    with pytest.raises(ValueError, match="must be 1 to 64"):
        grammar.job_id(text)


@pytest.mark.parametrize("text", ["nightly:job-1", "a:job-0", "x" * 64 + ":job-10", "a:job-" + "1" * 10])
def test_a_job_of_a_schedule_has_a_colon(text: str) -> None:
    """A job id may end in `:job-` and up to ten digits, a scheduled job's form; a task id may not."""
    assert grammar.job_id(text) == text
    with pytest.raises(ValueError, match="must be"):
        grammar.task_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "a:job-",
        "a:job-1:job-2",
        ":job-1",
        "a:job-1x",
        "a:Job-1",
        "a:task-1",
        "a:",
        "a:job-\uff11",
        "x" * 65 + ":job-1",
        "a:job-" + "1" * 11,
        "a:job-1\n",
    ],
)
def test_no_other_colon_is_allowed(text: str) -> None:
    """Any other use of a colon in a job id is refused."""
    with pytest.raises(ValueError, match="must be"):
        grammar.job_id(text)


@pytest.mark.parametrize("text", ["*", '"0x8D1"', 'W/"a b"', "x" * 256, "a", "0x8DE5A8B2C3D4E5F"])
def test_an_etag_is_kept_as_given(text: str) -> None:
    """An ETag of up to 256 printable ASCII characters is kept unchanged, with or without quotes."""
    assert grammar.etag(text) == text


@pytest.mark.parametrize(
    "text", ["", " ", " a", "a ", "a\n", "a\tb", "é", "\u201ca\u201d", "x" * 257, "a\x7f", "\ud800"]
)
def test_an_etag_that_breaks_a_header_is_refused(text: str) -> None:
    """An ETag that is not a valid header value is refused."""
    with pytest.raises(ValueError, match="printable ASCII"):
        grammar.etag(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Tue, 24 Nov 2026 07:30:00 GMT", datetime(2026, 11, 24, 7, 30, tzinfo=UTC)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
        ("Thu, 29 Feb 2024 23:59:59 GMT", datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_an_http_date_is_an_instant(text: str, moment: datetime) -> None:
    """A date in the form of RFC 9110 (IMF-fixdate) is read as an instant."""
    assert grammar.http_date(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Mon, 24 Nov 2026 07:30:00 GMT",
        "Tue, 24 Nov 2026 07:30:00 UTC",
        "Tue, 24 Nov 2026 07:30:00 +0000",
        "Tue, 24 Nov 26 07:30:00 GMT",
        "Tue, 4 Nov 2026 07:30:00 GMT",
        "tue, 24 nov 2026 07:30:00 gmt",
        "Tuesday, 24-Nov-26 07:30:00 GMT",
        "Tue Nov 24 07:30:00 2026",
        "Mon, 30 Feb 2026 07:30:00 GMT",
        "Tue, 24 Nov 2026 24:00:00 GMT",
        "Tue, 24 Nov 2026 07:60:00 GMT",
        "Tue, 24 Nov 2026 07:30:60 GMT",
        "Sat, 01 Jan 0000 00:00:00 GMT",
        "Tue, 24 Nov 2026 07:30:00 GMT\n",
        " Tue, 24 Nov 2026 07:30:00 GMT",
        "Tue,  24 Nov 2026 07:30:00 GMT",
        "Tue, 24 Nov \uff12\uff10\uff12\uff16 07:30:00 GMT",
        "2026-11-24T07:30:00Z",
    ],
)
def test_a_date_that_is_not_real_or_not_in_form_is_refused(text: str) -> None:
    """A date in another form, or one that does not exist or has the wrong weekday, is refused."""
    with pytest.raises(ValueError, match="weekday included"):
        grammar.http_date(text)


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)))  # noqa: DTZ001 -- the strategy wants naive bounds
def test_every_real_date_is_read_back(moment: datetime) -> None:
    """Every second from year 1 to 9999, written as RFC 9110 says, is read back."""
    second = moment.replace(microsecond=0, tzinfo=UTC)
    assert grammar.http_date(format_datetime(second, usegmt=True)) == second


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("PT1H", timedelta(hours=1)),
        ("P3D", timedelta(days=3)),
        ("P2W", timedelta(weeks=2)),
        ("PT0S", timedelta(0)),
        ("P1DT2H3M4S", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("PT90M", timedelta(minutes=90)),
        ("P1W2D", timedelta(days=9)),
        ("PT1H30S", timedelta(hours=1, seconds=30)),
        ("PT2592000S", timedelta(days=30)),
    ],
)
def test_a_duration_has_a_fixed_length(text: str, length: timedelta) -> None:
    """A duration of weeks, days, hours, minutes and seconds is read as a fixed length."""
    assert grammar.duration(text) == length


@pytest.mark.parametrize(
    "text",
    [
        "", "P", "PT", "P1DT", "P1Y", "P1M", "P1Y2M3D", "-PT1H", "P-1D", "+PT1H", "PT1.5H", "PT0,5S", "pt1h", "1H", "P1H",
        "PT1D", "PT1S1H", "P1D1W", "PT1H1H", "PT1H\n", " PT1H", "PT\uff11H", "PT1_0H", "P0001-00-00", "P123456789D", "P1D/PT1H",
    ],
)  # fmt: skip
def test_a_duration_without_fixed_length_or_form_is_refused(text: str) -> None:
    """A duration with years, months, signs or fractions, or in another order, is refused."""
    with pytest.raises(ValueError, match="ISO 8601 duration"):
        grammar.duration(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-24T08:00:00Z", NOW),
        ("2026-11-24T09:00:00+01:00", NOW),
        ("2026-11-23T22:30:00-09:30", NOW),
        ("2026-11-24T08:00Z", NOW),
        ("2026-11-24T08:00:00.5Z", NOW + timedelta(milliseconds=500)),
        ("2026-11-24T08:00:00.123456789Z", NOW + timedelta(microseconds=123456)),
    ],
)
def test_an_instant_comes_out_in_utc(text: str, moment: datetime) -> None:
    """An instant with any offset is converted to UTC."""
    found = grammar.instant(text)
    assert found == moment
    assert found.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text",
    [
        "", "2026-11-24", "2026-11-24T08:00:00", "2026-11-24 08:00:00Z", "2026-11-24t08:00:00z", "20261124T080000Z",
        "2026-W48-2T08:00:00Z", "2026-02-30T08:00:00Z", "2026-11-24T24:00:00Z", "2026-11-24T08:00:60Z", "2026-13-01T08:00:00Z",
        "2026-11-24T08:00:00+0100", "2026-11-24T08:00:00+24:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00",
        "0000-01-01T00:00:00Z", "2026-11-24T08:00:00Z\n", "\uff12026-11-24T08:00:00Z", "2026-11-24T08:00:00.Z",
    ],
)  # fmt: skip
def test_an_instant_without_zone_or_out_of_the_calendar_is_refused(text: str) -> None:
    """An instant without a time zone, or one that does not exist, is refused."""
    with pytest.raises(ValueError, match="date and time"):
        grammar.instant(text)


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("PT1H", NOW + timedelta(hours=1)),
        ("P30D", NOW + timedelta(days=30)),
        ("PT0S", NOW),
        ("2026-11-24T09:00:00Z", NOW + timedelta(hours=1)),
        ("2026-12-24T08:00:00Z", NOW + timedelta(days=30)),
        ("2020-01-01T00:00:00Z", NOW),
        ("0001-01-01T00:00:00Z", NOW),
    ],
)
def test_a_deletion_falls_due_after_its_delay(text: str, due: datetime) -> None:
    """A delay counts from acceptance if it is a duration; a past instant means due at once."""
    grammar.check_delay(text, NOW)
    assert grammar.due_at(text, NOW) == due


@pytest.mark.parametrize(
    "text", ["P31D", "P30DT1S", "P5W", "2026-12-24T08:00:01Z", "9999-12-31T23:59:59Z", "P99999999W", "P99999999D"]
)
def test_a_delay_ends_within_thirty_days(text: str) -> None:
    """A delay of more than thirty days is refused, as a duration or as an instant."""
    with pytest.raises(ValueError, match="must be"):
        grammar.check_delay(text, NOW)


@pytest.mark.parametrize("text", ["", "soon", "1H", "-P1D", "P1Y"])
def test_a_delay_has_one_of_two_forms(text: str) -> None:
    """A delay that is neither a duration nor an instant is refused."""
    with pytest.raises(ValueError, match="must be"):
        grammar.check_delay(text, NOW)


@given(
    st.datetimes(timezones=st.just(UTC)),
    st.builds(lambda seconds: NOW + timedelta(seconds=seconds), st.integers(-(10**8), 30 * 86_400)),
)
def test_an_accepted_delay_can_be_computed_from_any_moment(accepted: datetime, due: datetime) -> None:
    """The due time of a valid delay can be computed from any time of acceptance without an error."""
    text = due.isoformat()
    grammar.check_delay(text, NOW)
    assert grammar.due_at(text, accepted) == max(due, accepted)


@given(st.text(st.characters(), max_size=80), st.sampled_from([
    grammar.guid, grammar.job_id, grammar.task_id, grammar.etag, grammar.http_date, grammar.duration, grammar.instant,
    lambda text: grammar.check_delay(text, NOW),
]))  # fmt: skip
def test_no_text_raises_anything_but_value_error(text: str, rule: Callable[[str], object]) -> None:
    """For any text, each rule accepts it or raises ValueError, and nothing else."""
    told = None
    try:
        rule(text)
    except ValueError as fault:
        told = str(fault)
    assert told is None or told.startswith("must ")
