"""Reading the Batch service's answers, any part of which may be malformed."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.batch.answer import MOST_TEXT, answered, retry_after_seconds
from shared.batch.reply import ErrorBody, Reply, Sent

NOW = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
ODD_TEXT = st.text(st.sampled_from("aZ09 -:,.\n\r\t\x00\x7f\x85é€\u2028\ud800\udfff\U0001f600"), max_size=20)


def reply(body: object, status: int = 409, **headers: str) -> Reply:
    """The reply for an answer with this JSON body."""
    return answered(status, headers, json.dumps(body).encode(), NOW)


def test_a_batch_error_is_read_whole() -> None:
    """Code, message and values of a Batch error are read as the service wrote them."""
    body = {
        "odata.metadata": "https://acct.region.batch.azure.com/$metadata#errors/@Element",
        "code": "InvalidQueryParameterValue",
        "message": {"lang": "en-us", "value": "One of the query parameters is invalid."},
        "values": [{"key": "QueryParameterName", "value": "timeout"}, {"key": "Reason", "value": "too small"}],
    }
    assert reply(body, 400, **{"request-id": "r-1"}) == Reply(
        Sent.ANSWERED,
        400,
        ErrorBody(
            "InvalidQueryParameterValue",
            "One of the query parameters is invalid.",
            (("QueryParameterName", "timeout"), ("Reason", "too small")),
        ),
        has_batch_code=True,
        request_id="r-1",
    )


@pytest.mark.parametrize(
    "end", ["\nRequestId:1d2c-3\nTime:2026-11-24T07:30:00.1234567Z", "\r\nRequestId: 1d2c-3\r\nTime: x\n"]
)
def test_the_trailing_lines_stay_out_of_the_message(end: str) -> None:
    """The request id and time at the end of Batch's message are cut off; the id is kept in its own field."""
    result = reply({"code": "ServerBusy", "message": {"value": "Busy." + end}}, 503)
    assert result.error == ErrorBody("ServerBusy", "Busy.")
    assert result.request_id == "1d2c-3"


def test_the_header_names_the_request_id() -> None:
    """If header and message name different request ids, the header's is used."""
    result = reply({"code": "ServerBusy", "message": {"value": "x\nRequestId:a\nTime:b"}}, 503, **{"request-id": "h"})
    assert result.request_id == "h"


def test_a_success_has_no_error() -> None:
    """A 2xx answer has no error, whatever its body says."""
    expected = Reply(Sent.ANSWERED, 200, request_id="batch-1")
    assert reply({"code": "TaskNotFound"}, 200, **{"request-id": "batch-1"}) == expected


@pytest.mark.parametrize("cut", [1_048_576, 20_000, 200])
def test_an_error_whose_body_was_cut_off_keeps_its_code_and_text(cut: int) -> None:
    """A truncated error body still gives its code and the start of its message."""
    whole = json.dumps(
        {"odata.metadata": "m", "code": "JobBeingDeleted", "message": {"lang": "en-US", "value": "x" * 2**21}}
    )
    result = answered(409, {}, whole.encode()[:cut], NOW)
    assert result.error is not None
    assert (result.batch_code, result.error.message[:99]) == ("JobBeingDeleted", "x" * 99)
    assert len(result.error.message) == min(MOST_TEXT, cut - whole.index("xx"))


@pytest.mark.parametrize(
    "body", [b"{", b'{"', b'{"code"', b'{"code":', b'{"code": "Tas', b"[" * 99_999, b'{"message": "\\']
)
def test_a_body_cut_off_before_its_code_has_none(body: bytes) -> None:
    """An error body that is truncated before the end of its code gives no code."""
    assert answered(404, {}, body, NOW).batch_code is None


def test_a_message_of_blanks_is_read_at_once() -> None:
    """A message of a million blanks is read in linear time, where backtracking would take half a minute."""
    text = " " * 1_000_000 + "RequestId:"
    assert reply({"code": "X", "message": text}).error == ErrorBody("X", "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><h1>404</h1></html>",
        b"null",
        b"[]",
        b'"TaskNotFound"',
        b"{",
        b"\xff\xfe\x00",
        b"[" * 50_000,
        b'{"error": {"code": "TaskNotFound"}}',
        b'{"code": null}',
        b'{"code": 404}',
        b'{"code": ""}',
        b'{"code": "Task NotFound"}',
        b'{"code": "TaskNotFound\\n"}',
        b'{"code": "%s"}' % (b"A" * 129),
        gzip.compress(b'{"code": "TaskNotFound"}', mtime=0),
    ],
)
def test_what_is_no_batch_error_is_named_so(body: bytes) -> None:
    """A body that is no Batch error, such as a proxy's page, is read as `UnexpectedAnswer`, not as Batch's code."""
    result = answered(404, {}, body, NOW)
    assert (result.has_batch_code, result.error and result.error.code) == (False, "UnexpectedAnswer")


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"value": "a\x00b\x1b[31m\x7f\x85\n\tc"}, "a b [31m c"),
        ({"value": "x" * 10_000}, "x" * MOST_TEXT),
        ({"value": "lone \ud800 half"}, "lone ? half"),
        ({"value": 3}, ""),
        ({}, ""),
        (None, ""),
        ("just text", "just text"),
    ],
)
def test_messages_are_cut_and_cleaned(message: object, text: str) -> None:
    """Error messages become one line of bounded length, without control characters, valid as UTF-8."""
    result = reply({"code": "X", "message": message})
    assert result.error == ErrorBody("X", text)


def test_values_that_are_no_pairs_of_texts_are_dropped() -> None:
    """Only pairs of strings are kept from an error's values, and only a limited number of them."""
    odd = [1, None, {}, {"key": "a"}, {"key": 1, "value": "b"}, {"key": "k\n", "value": "v\x00"}]
    result = reply({"code": "X", "values": odd})
    assert result.error == ErrorBody("X", "", (("k", "v"),))
    many = reply({"code": "X", "values": [{"key": "k", "value": "v" * 999}] * 100})
    assert many.error is not None
    assert MOST_TEXT <= sum(len(key) + len(value) for key, value in many.error.values) <= MOST_TEXT + 1
    assert reply({"code": "X", "values": {"key": "k"}}).error == ErrorBody("X", "")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("Tue, 24 Nov 2026 07:31:30 GMT", 90.0),
        ("Tuesday, 24-Nov-26 07:31:00 GMT", 60.0),
        ("Tue, 24 Nov 2026 07:29:00 GMT", 0.0),
        ("Tue, 24 Nov 2026 07:31:30 -0000", 90.0),
        (None, None),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("nan", None),
        ("inf", None),
        ("1e9", None),
        ("٣", None),
        ("9" * 5_000, None),
        ("soon", None),
        ("Tue, 99 Nov 2026 07:31:30 GMT", None),
    ],
)
def test_retry_after_has_two_forms(text: str | None, seconds: float | None) -> None:
    """`Retry-After` is read as seconds or as a date; a past date means 0 and anything else None."""
    assert retry_after_seconds(text, NOW) == seconds


@given(status=st.integers(300, 599), body=st.binary(max_size=200), text=ODD_TEXT)
def test_no_answer_breaks_the_reader(status: int, body: bytes, text: str) -> None:
    """Any bytes and headers of an error answer become a reply whose texts are valid UTF-8."""
    result = answered(status, {"request-id": text, "Retry-After": text}, body, NOW)
    assert result.status == status
    assert result.error is not None
    assert (result.request_id or "").encode().decode() == (result.request_id or "")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | ODD_TEXT,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["code", "message", "value", "values", "key"]), inner, max_size=4)
        ),
        max_leaves=8,
    )
)
def test_no_json_breaks_the_reader(value: object) -> None:
    """JSON of any shape becomes an error whose texts are valid UTF-8."""
    error = reply(value).error
    assert error is not None
    for text in (error.code, error.message, *(part for pair in error.values for part in pair)):
        assert text.encode().decode() == text
