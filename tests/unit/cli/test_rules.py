"""Small rules of the command line: forms of values, escaping, retries, options and outcomes."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_task_deletion import forms
from batch_task_deletion.address import is_loopback
from batch_task_deletion.anywhere import moved
from batch_task_deletion.azd import env_values
from batch_task_deletion.retry import RetryWindow, asked_pause, is_temporary
from batch_task_deletion.subject import Kind, is_over, outcomes, steps, succeeded
from batch_task_deletion.text import counted, error_text, escaped, json_line

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
COMMANDS = {"delete", "status", "clean-up"}
WITH_VALUE = {"--url", "--timeout", "--reason"}


@pytest.mark.parametrize(
    ("text", "seconds"), [("PT10M", 600), ("P3D", 259_200), ("P1W", 604_800), ("P1DT1H1M1S", 90_061), ("PT0S", 0)]
)
def test_durations(text: str, seconds: int) -> None:
    """A duration of weeks, days, hours, minutes and seconds is read as seconds."""
    assert forms.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "P", "PT", "P1Y", "P1M", "-PT1M", "PT1.5M", "10", "PT1M\n", "pt1m", "P1DT"])
def test_what_is_no_duration(text: str) -> None:
    """A text that is no duration, or has years, months, signs or fractions, is refused."""
    with pytest.raises(ValueError, match="must be a duration"):
        forms.duration(text)


@pytest.mark.parametrize("text", ["2026-11-29T12:00:00Z", "2026-11-29T12:00Z", "2026-11-29T12:00:00.123+01:00", "PT1H"])
def test_delays(text: str) -> None:
    """A delay may be a duration or an instant with a time zone, and is passed on unchanged."""
    assert forms.delay(text) == text


@pytest.mark.parametrize("text", ["2026-11-29", "2026-11-29T12:00:00", "2026-02-30T12:00:00Z", "now", "PX"])
def test_what_is_no_delay(text: str) -> None:
    """A delay without a time zone, or of another form, is refused."""
    with pytest.raises(ValueError, match="must be"):
        forms.delay(text)


@pytest.mark.parametrize("job", ["a", "A_-9" * 16, "x" * 64 + ":job-1234567890"])
def test_jobs(job: str) -> None:
    """A job id may have up to 64 characters and, for a scheduled job, a suffix with a number."""
    assert forms.job_id(job) == job


@pytest.mark.parametrize("job", ["", "a" * 65, "a:b", "a:job-", "a:job-12345678901", "a b", "a\n", "ü", ".."])
def test_what_is_no_job(job: str) -> None:
    """An invalid job id is refused by the same rule as in the app."""
    with pytest.raises(ValueError, match="must be"):
        forms.job_id(job)


@given(st.text())
def test_escaped_text_steers_no_terminal(text: str) -> None:
    """Escaped text has only printable characters, and escaping it again does not change it."""
    safe = escaped(text)
    assert safe.isprintable()
    assert escaped(safe) == safe


def test_escapes_tell_what_was_there() -> None:
    """Invisible characters are shown as escapes known to programmers; letters of all scripts are kept."""
    assert escaped("a\x00\x1b\x7f\x9b\n\t\u202e\u200b\U000e0041\ud800é日 [b]") == (
        "a\\x00\\x1b\\x7f\\x9b\\n\\t\\u202e\\u200b\\U000e0041\\ud800é日 [b]"
    )


@given(st.recursive(st.text() | st.integers() | st.none(), lambda inner: st.dictionaries(st.text(), inner)))
def test_json_lines_are_printable_ascii(document: object) -> None:
    """A document is printed as one line of printable ASCII, whatever it contains."""
    line = json_line(document)
    assert all(" " <= char <= "~" for char in line)


@pytest.mark.parametrize(("number", "text"), [(0, "0 tasks"), (1, "1 task"), (10_000, "10,000 tasks")])
def test_numbers_are_said_as_people_say_them(number: int, text: str) -> None:
    """Counts are written with the right plural and with separators, as in `1 task` and `10,000 tasks`."""
    assert counted(number, "task") == text


@pytest.mark.parametrize(
    ("status", "document", "again"),
    [
        (429, None, True),
        (502, None, True),
        (503, {"code": "StorageUnavailable"}, True),
        (504, None, True),
        (503, {"code": "InvalidConfiguration"}, False),
        (503, {"status": "failing", "checks": {}}, False),
        (500, None, False),
        (501, None, False),
        (408, None, False),
        (404, None, False),
        (200, None, False),
    ],
)
def test_which_answers_pass(status: int, document: Any, again: bool) -> None:
    """Throttling and gateway errors are retried; invalid settings and the result of `health` are not."""
    assert is_temporary(status, document) is again


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("-1", 0),
        ("soon", 0),
        ("", 0),
        ("9" * 40, 999_999_999),
        (format_datetime(NOW.replace(minute=1), usegmt=True), 60),
        (format_datetime(NOW.replace(hour=1), usegmt=True), 0),
    ],
)
def test_retry_after(header: str, seconds: float) -> None:
    """`Retry-After` is read as seconds or as a date; anything else means no pause."""
    assert asked_pause({"Retry-After": header}, NOW) == seconds


def test_a_call_is_retried_for_a_minute() -> None:
    """Pauses between tries grow to ten seconds, and all of them fit into one minute."""
    retries, now, pauses = RetryWindow(), 5000.0, []
    while (pause := retries.pause(now)) is not None:
        pauses.append(pause)
        now += pause
    assert pauses[:5] == [1, 2, 4, 8, 10]
    assert 50 <= sum(pauses) <= 60


@pytest.mark.parametrize(
    ("typed", "ordered"),
    [
        ("--json status x", "status --json x"),
        ("--url u --json status x", "status --url u --json x"),
        ("--url=u status x", "status --url=u x"),
        ("--url delete status x", "status --url delete x"),
        ("--reason status --timeout PT1M delete j", "delete --reason status --timeout PT1M j"),
        ("status --json x", "status --json x"),
        ("--help status", "--help status"),
        ("--json --version status", "--json --version status"),
        ("--json nonsense status", "--json nonsense status"),
        ("--json", "--json"),
        ("--url", "--url"),
        ("-- status", "-- status"),
        ("", ""),
    ],
)
def test_options_before_the_command_are_moved(typed: str, ordered: str) -> None:
    """Options before the command are moved behind it with their values."""
    assert moved(typed.split(), COMMANDS, WITH_VALUE) == ordered.split()


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_addresses(host: str) -> None:
    """Loopback addresses are recognised by name or number."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "10.0.0.1", "128.0.0.1", "localhost.example", "127.0.0.1.example", "::2", "0.0.0.0"]
)
def test_other_addresses(host: str) -> None:
    """A host that only looks like a loopback address, such as `localhost.example`, is not one."""
    assert not is_loopback(host)


def test_values_of_azd() -> None:
    """Values that azd prints are unquoted, and lines that are no values are ignored."""
    text = 'A="x"\nB="say \\"hi\\" \\\\ there"\r\nC=plain\nD=\'single\'\nexport E="e"\nnonsense\nF=""\n'
    expected = {"A": "x", "B": 'say "hi" \\ there', "C": "plain", "D": "single", "E": "e", "F": ""}
    assert env_values(text) == expected


@pytest.mark.parametrize(
    ("kind", "document", "over"),
    [
        (Kind.REQUEST, {"state": "retrying"}, False),
        (Kind.REQUEST, {"state": "done"}, True),
        (Kind.CLEAN_UP, {"state": "waiting", "open": 0}, False),
        (Kind.CLEAN_UP, {"state": "listing", "open": 0}, False),
        (Kind.CLEAN_UP, {"state": "listed", "open": 1}, False),
        (Kind.CLEAN_UP, {"state": "listed", "open": 0}, True),
        (Kind.CLEAN_UP, {"state": "cancelled", "open": 2}, False),
        (Kind.SWEEP, {"state": "running", "open": 0}, False),
        (Kind.SWEEP, {"state": "done", "open": 0}, True),
        (Kind.SWEEP, {"state": "failed", "open": 0}, True),
    ],
)
def test_when_something_is_over(kind: Kind, document: dict[str, Any], over: bool) -> None:
    """A clean-up or sweep is over when its listing has ended and none of its requests is open."""
    assert is_over(kind, document) is over


def test_what_a_sweep_only_counted_would_be_deleted() -> None:
    """Tasks that a dry-run policy counted appear as `wouldDelete` among a sweep's outcomes."""
    policies = [{"dryRun": False, "requested": 2}, {"dryRun": True, "requested": 3}]
    document = {"state": "done", "open": 0, "done": {"deleted": 2}, "policies": policies}
    assert outcomes(Kind.SWEEP, document) == {"deleted": 2, "wouldDelete": 3}
    assert succeeded(Kind.SWEEP, document)
    assert outcomes(Kind.SWEEP, {"state": "done", "policies": [{"dryRun": True, "requested": 0}]}) == {}


def test_what_is_wrong_with_the_whole_has_no_place() -> None:
    """A problem of the whole body, whose pointer is empty, is shown without a place."""
    error = {"code": "InvalidRequest", "message": {"value": "Not valid."}, "values": [{"key": "", "value": "is empty"}]}
    assert error_text(error) == "InvalidRequest: Not valid. (is empty)"


def test_outcomes_that_did_not_happen_do_not_count() -> None:
    """Outcomes with a count of zero do not make a clean-up fail."""
    assert succeeded(Kind.CLEAN_UP, {"state": "listed", "done": {"failed": 0, "deleted": 2}})


def test_the_whole_is_unknown_while_it_is_listed() -> None:
    """The total of the progress bar is unknown while a clean-up is still listing."""
    assert steps(Kind.CLEAN_UP, {"state": "listing", "open": 5, "done": {"deleted": 2}}) == (2, None)
    assert steps(Kind.CLEAN_UP, {"state": "listed", "open": 5, "done": {"deleted": 2}}) == (2, 7)
