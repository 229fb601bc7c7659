"""Every exception of the HTTP client becomes a reply."""

from __future__ import annotations

import http.client
import inspect
import ssl

import pytest
import requests
import urllib3
from requests import exceptions as faults

from shared.batch.reply import Kind, Sent
from shared.batch.transport import INVALID_REQUEST, describe, fault

UNREACHABLE = "NoConnection"
BY_CLASS = {
    faults.ChunkedEncodingError: UNREACHABLE,
    faults.ConnectionError: UNREACHABLE,
    faults.ConnectTimeout: UNREACHABLE,
    faults.ContentDecodingError: UNREACHABLE,
    faults.HTTPError: UNREACHABLE,
    faults.InvalidHeader: INVALID_REQUEST,
    faults.InvalidJSONError: INVALID_REQUEST,
    faults.InvalidProxyURL: INVALID_REQUEST,
    faults.InvalidSchema: INVALID_REQUEST,
    faults.InvalidURL: INVALID_REQUEST,
    faults.JSONDecodeError: INVALID_REQUEST,
    faults.MissingSchema: INVALID_REQUEST,
    faults.ProxyError: UNREACHABLE,
    faults.ReadTimeout: UNREACHABLE,
    faults.RequestException: UNREACHABLE,
    faults.RetryError: UNREACHABLE,
    faults.SSLError: UNREACHABLE,
    faults.StreamConsumedError: UNREACHABLE,
    faults.Timeout: UNREACHABLE,
    faults.TooManyRedirects: UNREACHABLE,
    faults.UnrewindableBodyError: UNREACHABLE,
    faults.URLRequired: INVALID_REQUEST,
}
"""Each class of requests, and what it means when nothing was sent."""


def every_class() -> list[type[requests.RequestException]]:
    """The exception classes that requests defines."""
    defined = [kind for _, kind in inspect.getmembers(faults, inspect.isclass)]
    return [kind for kind in defined if issubclass(kind, requests.RequestException)]


def made(kind: type[Exception]) -> Exception:
    """An exception of the class."""
    return kind("text", "", 0) if issubclass(kind, faults.JSONDecodeError) else kind("text")


def test_every_class_of_requests_is_known() -> None:
    """Every exception class of requests is mapped, so that a new one is noticed."""
    assert set(every_class()) == set(BY_CLASS)


@pytest.mark.parametrize("kind", every_class(), ids=lambda kind: kind.__name__)
def test_before_sending_nothing_has_happened(kind: type[Exception]) -> None:
    """Any exception before the request was sent proves that the call had no effect."""
    reply = fault(made(kind), sent=False)
    code = BY_CLASS[kind]  # type: ignore[index]
    sent = Sent.FAILED if code == UNREACHABLE else Sent.REFUSED
    assert (reply.sent, reply.error and reply.error.code) == (sent, code)
    assert not reply.may_have_taken_effect


@pytest.mark.parametrize("kind", every_class(), ids=lambda kind: kind.__name__)
def test_after_sending_the_effect_is_open(kind: type[Exception]) -> None:
    """Any exception after the request was sent counts as an unanswered call, which is retried."""
    reply = fault(made(kind), sent=True)
    assert reply.sent is Sent.UNANSWERED
    assert reply.kind is Kind.TRANSIENT


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnicodeEncodeError("latin-1", "é", 0, 1, "no"), INVALID_REQUEST),
        (ValueError("Invalid header value"), INVALID_REQUEST),
        (urllib3.exceptions.LocationParseError("x"), INVALID_REQUEST),
        (urllib3.exceptions.ProtocolError("x"), UNREACHABLE),
        (http.client.BadStatusLine("x"), UNREACHABLE),
        (ssl.SSLCertVerificationError("x"), UNREACHABLE),
        (ConnectionResetError(104, "Connection reset by peer"), UNREACHABLE),
    ],
)
def test_exceptions_from_below_requests_are_replies_too(error: Exception, code: str) -> None:
    """Exceptions of urllib3, http.client and sockets that requests lets through are mapped too."""
    reply = fault(error, sent=False)
    assert reply.error is not None
    assert reply.error.code == code


def test_the_description_names_causes_and_quotes_nothing() -> None:
    """A fault is described by exception classes and system error, without text that may quote a header."""
    cause = ConnectionRefusedError(111, "Connection refused")
    error = faults.ConnectionError(urllib3.exceptions.ProtocolError("Bearer s3cret", cause))
    assert describe(error) == "ConnectionError < ProtocolError < ConnectionRefusedError (Connection refused)"
