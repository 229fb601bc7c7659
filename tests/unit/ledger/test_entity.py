"""Converting records to table rows and back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.batch.reply import ErrorBody
from shared.errors import CorruptRecord
from shared.ledger.entity import MAX_TEXT, changed, error_from, error_text, from_entity, keys_of, to_entity
from shared.ledger.record import Certainty, Claim, Conclusion, Key, Origin, Outcome, Record, State
from tests.rows import NOW, REQUEST_ID, accepted, claimed, done, request

# The app writes milliseconds, so that these are the instants that come back as they were.
INSTANTS = st.integers(0, 10**11).map(lambda ms: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms))
# Drawn from short lists: what could go wrong with a text is its characters, and long random ones take time.
TEXT = st.sampled_from(("a", " ", "é€😀", 'it\'s "so"', "back\\slash", "line\nend", "nul\x00", "[1,2]", "null"))
ERRORS = st.builds(ErrorBody, code=TEXT, message=TEXT, values=st.lists(st.tuples(TEXT, TEXT), max_size=2).map(tuple))
CLAIMS = st.builds(Claim, claim_id=TEXT, message_id=TEXT, dequeue_count=st.integers(1, 20), expires_at=INSTANTS)
CONCLUSIONS = st.builds(
    Conclusion,
    outcome=st.sampled_from(Outcome),
    certainty=st.sampled_from(Certainty),
    completed_at=INSTANTS,
    status=st.none() | st.integers(200, 599),
    error=st.none() | ERRORS,
    batch_request_id=st.none() | TEXT,
)
REQUESTS = st.sampled_from(
    (
        request(),
        request(dryRun=True),
        request(metadata={"k": "ü😀", "it's": '"'}),
        request(timeout=2**31 - 1, ifMatch='W/"\\x"', ifModifiedSince="Tue, 24 Nov 2026 07:30:00 GMT"),
        request(jobId="nightly:job-12", deleteAfter="P3D", returnClientRequestId=True),
    )
)
RECORDS = st.builds(
    Record,
    request=REQUESTS,
    payload_hash=st.sampled_from(("0" * 64, "f" * 64)),
    origin=st.sampled_from(Origin),
    accepted_at=INSTANTS,
    parent_id=st.none() | TEXT,
    state=st.sampled_from(State),
    generation=st.integers(0, 9),
    due_at=st.none() | INSTANTS,
    attempts=st.integers(0, 100),
    maybe_effect=st.booleans(),
    claim=st.none() | CLAIMS,
    last_error=st.none() | ERRORS,
    next_attempt_at=st.none() | INSTANTS,
    is_queued=st.booleans(),
    conclusion=st.none() | CONCLUSIONS,
    emit_pending=st.booleans(),
    policy=st.none() | TEXT,
).filter(lambda row: not _is_broken(row))


def _is_broken(row: Record) -> bool:
    """Whether no version of the app writes such a row."""
    without_claim = row.state is State.CLAIMED and row.claim is None
    return without_claim or (row.state is State.DONE and row.conclusion is None)


@settings(max_examples=40)
@given(RECORDS)
def test_a_row_reads_back_as_it_was_written(record: Record) -> None:
    """Any record reads back equal from its columns."""
    assert from_entity(to_entity(record), 'W/"1"') == record


@settings(max_examples=40)
@given(RECORDS, RECORDS)
def test_a_merge_turns_the_old_row_into_the_new_one(before: Record, after: Record) -> None:
    """The changed columns merged into the old row give the new one, and no unchanged column is among them."""
    after = replace(after, request=before.request)
    change = changed(before, after)
    old = to_entity(before)

    assert from_entity(old | change, None) == after
    assert all(old[name] != value for name, value in change.items() if name not in {"PartitionKey", "RowKey"})


@settings(max_examples=40)
@given(RECORDS)
def test_columns_are_what_tables_hold_without_a_declared_type(record: Record) -> None:
    """Columns are text, booleans or 32-bit integers, the types that need no declaration in a table."""
    values = to_entity(record).values()

    assert {type(value) for value in values} <= {str, int, bool}
    assert all(abs(value) < 2**31 for value in values if isinstance(value, int))


def test_a_merge_of_nothing_holds_the_keys_alone() -> None:
    """A merge without changes holds only the row's keys, which the service requires."""
    assert changed(accepted(), accepted()) == {
        "PartitionKey": keys_of(accepted().key)["PartitionKey"],
        "RowKey": REQUEST_ID,
    }


def test_a_claim_merges_only_what_the_claim_changes() -> None:
    """A claim's merge sends only the columns that it changes, so no others can be overwritten."""
    change = changed(accepted(), claimed())

    assert set(change) == {
        *("PartitionKey", "RowKey", "state", "attempts", "maybe_effect"),
        *("claim_id", "claim_message_id", "claim_dequeue_count", "claim_expires_at"),
    }


def test_a_merge_takes_a_column_away_by_emptying_it() -> None:
    """A merge removes a value by writing empty text, because columns that it does not name stay."""
    change = changed(done(), accepted(maybe_effect=True, attempts=1))

    assert (change["outcome"], change["claim_id"], change["completed_at"]) == ("", "", "")


@pytest.mark.parametrize(
    ("key", "row"),
    [(Key(REQUEST_ID), REQUEST_ID), (Key(REQUEST_ID, dry_run=True), f"{REQUEST_ID}.dry-run")],
)
def test_a_dry_run_has_its_own_row_in_the_same_bucket(key: Key, row: str) -> None:
    """A dry run has a row of its own in the same partition as the real request."""
    assert keys_of(key) == {"PartitionKey": "c", "RowKey": row}


def test_buckets_fill_evenly() -> None:
    """Ids that differ only in their last digits still spread over all sixteen buckets."""
    buckets = [Key(f"0f8fad5b-d9cb-469f-a165-{n:012x}").bucket for n in range(1600)]

    assert {buckets.count(digit) > 50 for digit in "0123456789abcdef"} == {True}


@pytest.mark.parametrize(
    "damage",
    [
        {"state": "lost"},
        {"origin": "sky"},
        {"accepted_at": "yesterday"},
        {"accepted_at": 5},
        {"request": "{"},
        {"request": '{"jobId": "a"}'},
        {"outcome": "vanished"},
        {"last_error": "[1]"},
        {"last_error": "{"},
        {"claim_id": "x", "claim_expires_at": ""},
        {"generation": None, "attempts": None, "payload_hash": None, "state": None},
        {"state": "claimed", "claim_id": ""},
        {"outcome": ""},
        {"accepted_at": "0001-01-01T00:00:00+14:00", "claim_expires_at": "10000-01-01T00:00:00Z"},
    ],
)
def test_a_row_that_no_version_writes_is_loud(damage: dict[str, Any]) -> None:
    """A row that no version of the app writes raises CorruptRecord, with the row's id and version."""
    with pytest.raises(CorruptRecord, match=REQUEST_ID) as fault:
        from_entity(to_entity(done()) | damage, 'W/"7"')
    assert fault.value.etag == 'W/"7"', "by which it can be ended"


def test_a_row_of_the_last_version_reads_as_before() -> None:
    """A row written by the previous version, with other columns, reads back equal."""
    entity = to_entity(claimed()) | {"v": 1, "maybe_sent": True}
    del entity["policy"], entity["is_queued"]
    assert from_entity(entity, None) == claimed()


def test_a_row_without_a_column_is_loud() -> None:
    """A row that lacks a required column raises CorruptRecord, naming the column."""
    entity = to_entity(accepted())
    del entity["maybe_effect"]

    with pytest.raises(CorruptRecord, match="maybe_effect"):
        from_entity(entity, None)


def test_a_row_outlives_the_allow_list_that_it_came_in_by() -> None:
    """A stored row stays readable after its account has left the allow list."""
    entity = to_entity(accepted())
    entity["request"] = entity["request"].replace("acct.region", "former.region")

    assert from_entity(entity, None).request.batch_url == "https://former.region.batch.azure.com"


@given(st.none() | ERRORS)
def test_an_error_is_one_column(error: ErrorBody | None) -> None:
    """An error is stored in one column and reads back equal; no error is empty text."""
    assert error_from(error_text(error)) == error
    assert (error_text(error) == "") is (error is None)


@pytest.mark.parametrize("character", ["M", "値", "\U0001f600", "\x01", "\ud800"])
def test_an_error_fits_its_column_whatever_it_holds(character: str) -> None:
    """An error that is too long for its column is shortened to fit, whatever its characters."""
    error = ErrorBody(character * 128, character * 33_000, tuple((character * 128, character * 900) for _ in range(21)))

    text = error_text(error)
    kept = error_from(text)

    assert len(text) <= MAX_TEXT
    assert kept is not None
    assert kept.message.endswith(" (shortened)")
    assert len(kept.values) == 21
    assert error_text(kept) == text


def test_an_error_that_just_fits_is_kept_whole() -> None:
    """An error that just fits its column is stored unchanged."""
    error = ErrorBody("C", "M" * (MAX_TEXT - len('["C","",[]]')))
    assert error_from(error_text(error)) == error
    assert error_from(error_text(replace(error, message=error.message + "M"))) != error


def test_the_version_of_a_row_does_not_make_it_another() -> None:
    """Records compare equal regardless of their rows' versions."""
    assert from_entity(to_entity(accepted()), "a") == from_entity(to_entity(accepted()), "b")
    assert from_entity(to_entity(accepted(accepted_at=NOW)), "a").etag == "a"
