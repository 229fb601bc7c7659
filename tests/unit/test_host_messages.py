"""How the local host reads a request, and which trace context it passes on."""

from __future__ import annotations

import re

import pytest

from devstack.host.app_settings import AppSettings
from devstack.host.http_functions import http_input, is_disabled
from devstack.host.tracing import APPLICATION_INSIGHTS, Tracing
from devstack.http1 import Headers, Incoming

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ON = Tracing(AppSettings({APPLICATION_INSIGHTS: "InstrumentationKey=0"}))


def test_repeated_headers_are_joined_and_their_names_lower_cased() -> None:
    """Repeated headers are joined under lower-case names; method, URL, route parameters and body are kept."""
    headers = Headers([("X-One", "1"), ("x-one", "2"), ("Host", "h:1")])
    seen = http_input(Incoming("POST", "/api/x?a=1", headers, b"body"), "/api/x", {"id": "7"})
    assert (seen.headers["x-one"], seen.url, seen.query) == ("1,2", "http://h:1/api/x?a=1", {"a": "1"})
    assert (seen.method, seen.route_parameters, seen.body) == ("POST", {"id": "7"}, b"body")


def test_with_application_insights_the_trace_goes_on_under_a_new_parent() -> None:
    """With Application Insights, a valid trace continues under a new parent, and all else gets a new trace."""
    trace = ON.of_call(Headers({"traceparent": CALLER, "tracestate": "a=b"}))
    assert re.fullmatch(r"00-0af7651916cd43dd8448eb211c80319c-(?!b7ad6b7169203331)[0-9a-f]{16}-01", trace.trace_parent)
    assert trace.trace_state == "a=b"
    own = [ON.of_message(), ON.of_call(Headers({})), ON.of_call(Headers({"traceparent": "nonsense"}))]
    assert all(re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", trace.trace_parent) for trace in own)
    assert len({trace.trace_parent for trace in own}) == 3


@pytest.mark.parametrize(
    ("name", "value", "disabled"),
    [
        ("AzureWebJobs.f.Disabled", "true", True),
        ("azurewebjobs.f.disabled", "True", True),
        ("AzureWebJobs.f.Disabled", "1", True),
        ("AzureWebJobs.f.Disabled", "false", False),
        ("AzureWebJobs__f__Disabled", "true", False),
        ("AzureWebJobs.g.Disabled", "true", False),
    ],
)
def test_a_function_is_switched_off_by_its_setting(name: str, value: str, disabled: bool) -> None:
    """The setting `AzureWebJobs.<function>.Disabled` disables a function; its form with underscores does not."""
    assert is_disabled("f", AppSettings({name: value})) is disabled
