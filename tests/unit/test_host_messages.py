"""How the local host encodes queue messages and HTTP exchanges on their way to and from a function."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import azure.functions as func
import pytest

from devstack.host.http_messages import HttpReply, HttpRequest, reply_of, request_datum
from devstack.host.queue_encoding import decode_text, encode_body
from devstack.host.queue_metadata import MessageProperties, overlaid, trigger_metadata

AT = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
PROPERTIES = MessageProperties("m-1", "receipt", 3, inserted=AT, expires=AT, next_visible=AT)
registry: Any = func.get_binding_registry()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("text", "body"),
    [("aGk=", b"hi"), (" aG\nk= ", b"hi"), ("", b""), ("aGk", None), ("{}", None), ("a!Gk=", None)],
)
def test_base64_is_read_as_dotnet_reads_it(text: str, body: bytes | None) -> None:
    """White space is skipped, padding is not made up, anything else is undecodable."""
    assert decode_text(text, as_base64=True) == body


def test_without_base64_the_text_is_the_body() -> None:
    """Both directions, and bytes that are no text are replaced rather than refused."""
    assert decode_text("hü", as_base64=False) == "hü".encode()
    assert encode_body(b"h\xff", as_base64=False) == "h\ufffd"
    assert encode_body(b"hi", as_base64=True) == "aGk="


def test_metadata_reaches_the_function_through_the_librarys_own_converter() -> None:
    """Ids are text, counts numbers and instants aware, as the library hands them on."""
    metadata = trigger_metadata(PROPERTIES, "body", overlay=True)
    message = registry.get("queueTrigger").decode(func.meta.Datum("body", "string"), trigger_metadata=metadata)
    assert (message.id, message.dequeue_count, message.pop_receipt) == ("m-1", 3, "receipt")
    assert message.insertion_time == message.expiration_time == message.time_next_visible == AT


def test_properties_of_a_json_body_take_the_place_of_metadata() -> None:
    """A trap of the real host: names match in any case, scalars become text, arrays and nulls are skipped."""
    body = json.dumps({"ID": "spoofed", "dequeueCount": 99, "popReceipt": None, "extra": {"a": 1}, "list": [1]})
    assert overlaid({"Id": "m-1", "DequeueCount": 3, "PopReceipt": "receipt"}, body) == {
        "Id": "spoofed",
        "DequeueCount": "99",
        "PopReceipt": "receipt",
        "extra": {"a": 1},
    }


def test_a_binary_trigger_keeps_its_metadata() -> None:
    """The overlay is for text triggers alone."""
    metadata = trigger_metadata(PROPERTIES, '{"id": "spoofed"}', overlay=False)
    assert metadata["Id"].value == "m-1"


def test_a_request_loses_empty_query_values_and_the_case_of_header_names() -> None:
    """Repeated values are joined by a comma; route parameters and body arrive as they are."""
    request = HttpRequest("POST", "/api/x?a=1&a=2&empty=", (("X-One", "1"), ("x-one", "2"), ("Host", "h:1")), b"body")
    seen = registry.get("httpTrigger").decode(request_datum(request, {"id": "7"}), trigger_metadata={})
    assert dict(seen.params) == {"a": "1,2"}
    assert seen.headers["X-ONE"] == "1,2"
    assert seen.url == "http://h:1/api/x?a=1&a=2&empty="
    assert (seen.method, dict(seen.route_params), seen.get_body()) == ("POST", {"id": "7"}, b"body")


def encoded(value: Any) -> HttpReply:
    """The reply for what a function returned."""
    return reply_of(registry.get("http").encode(value, expected_type=None))


def test_a_response_keeps_its_status_headers_cookies_and_body() -> None:
    """Cookies are sent one header each."""
    response = func.HttpResponse(b"{}", status_code=202, mimetype="application/json", headers={"Location": "/x"})
    response.headers.add("Set-Cookie", "a=b")
    response.headers.add("Set-Cookie", "c=d")
    reply = encoded(response)
    assert (reply.status, reply.body) == (202, b"{}")
    assert sorted(reply.headers) == [
        ("Location", "/x"),
        ("Set-Cookie", "a=b"),
        ("Set-Cookie", "c=d"),
        ("content-type", "application/json"),
    ]


@pytest.mark.parametrize(
    ("text", "status", "body"),
    [
        ("plain", 200, b"plain"),
        ('{"a":1}', 200, b'{\n  "a": 1\n}'),
        ('{"body": "hi", "statusCode": 201}', 201, b"hi"),
        ('{"body": {"a": 1}, "status": "oops"}', 200, b'{\n  "a": 1\n}'),
    ],
)
def test_a_text_answer_is_sniffed(text: str, status: int, body: bytes) -> None:
    """JSON with a `body` is taken as an envelope, other JSON objects are indented."""
    reply = encoded(text)
    assert (reply.status, reply.body) == (status, body)


def test_no_answer_is_an_empty_200() -> None:
    """As of a function without an http output."""
    assert reply_of(None) == HttpReply(200)
