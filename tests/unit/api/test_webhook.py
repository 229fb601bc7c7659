"""The handshake of the CloudEvents webhook (abuse protection)."""

from __future__ import annotations

import pytest

from shared.api.webhook import allow
from tests.fakes.calls import ask, call


@pytest.mark.parametrize("origin", ["eventgrid.azure.net", "x", "a b", "~" * 256])
def test_any_origin_is_allowed(origin: str) -> None:
    """The webhook handshake allows any origin, echoes it, and sets no rate limit."""
    answer = allow(call(headers={"webhook-request-origin": origin}))
    assert (answer.status, answer.content) == (200, None)
    assert answer.headers == {
        "webhook-allowed-origin": origin,
        "webhook-allowed-rate": "*",
        "allow": "OPTIONS, POST",
    }


def test_a_query_that_deliveries_could_not_have_is_refused() -> None:
    """A subscription to an address with a parameter that the POST refuses fails at once, not event by event."""
    answer = ask(allow, call(headers={"webhook-request-origin": "x"}, query={"dryRun": "true", "code": "key"}))
    assert (answer.status, [value["key"] for value in answer.content["values"]]) == (400, ["query:dryRun"])


@pytest.mark.parametrize("origin", [None, "", " ", " a", "a ", "x\r\nset-cookie: y", "a\x00", "bücher", "~" * 257])
def test_what_may_not_be_echoed_is_refused(origin: str | None) -> None:
    """A missing origin, or one that is unsafe to echo, is refused with 400, pointing at its header."""
    answer = ask(allow, call(headers={} if origin is None else {"webhook-request-origin": origin}))
    assert (answer.status, answer.content["values"][0]["key"]) == (400, "webhook-request-origin")
    assert "webhook-allowed-origin" not in answer.headers
