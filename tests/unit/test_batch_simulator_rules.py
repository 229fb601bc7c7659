"""The simulated service's rules about requests: routes, checks, tokens, faults, and the journal."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from devstack import tokens
from devstack.batch.access import AUDIENCE, Gate
from devstack.batch.errors import ServiceError
from devstack.batch.faults import FaultBook, FaultRule, InvalidFault
from devstack.batch.journal import Journal
from devstack.batch.protocol import answer_headers, check_headers, check_query, read_query
from devstack.batch.routes import Route, find_route
from devstack.http1 import Headers

KEY = "a key for the test, of thirty-two bytes and more"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
GUID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
DELETE = Route("task-delete", "j1", "t1")


@pytest.mark.parametrize(
    ("line", "route"),
    [
        ("DELETE /jobs/j1/tasks/t1", DELETE),
        ("GET /jobs/j1/tasks/t1", Route("task-get", "j1", "t1")),
        ("GET /jobs/j1/tasks", Route("task-list", "j1")),
        ("POST /jobs/j1/addtaskcollection", Route("task-add-collection", "j1")),
        ("POST /jobs/j1/terminate", Route("job-terminate", "j1")),
        ("GET /jobs", Route("job-list")),
        ("DELETE /jobs/nightly%3Ajob-1/tasks/t1", Route("task-delete", "nightly:job-1", "t1")),
        ("DELETE /jobs/j1/", Route("job-delete", "j1")),
        ("DELETE /jobs/j1/tasks/..", Route("job-delete", "j1")),
        ("DELETE /jobs/j1/tasks/%2e%2E", Route("job-delete", "j1")),
        ("DELETE /jobs/j1/tasks/../../j2", Route("job-delete", "j2")),
        ("DELETE /jobs/j1/tasks/a%2Fb", Route("task-delete", "j1", "a/b")),
    ],
)
def test_a_request_line_means_an_operation(line: str, route: Route) -> None:
    """A request line is routed to its operation after dot segments are folded, as by the real service."""
    assert find_route(*line.split()) == route


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("DELETE /jobs/j1/tasks/", 405),
        ("PUT /jobs", 405),
        ("PUT /pools", 405),
        ("PUT /jobs/j1", 501),
        ("GET /pools", 501),
        ("POST /jobs/j1/tasks/t1/reactivate", 501),
        ("HEAD /jobs/j1/tasks/t1/files/wd%2Fout", 501),
        ("GET /", 404),
        ("GET /poolz", 404),
        ("GET /jobs/a/b/c/d", 404),
    ],
)
def test_a_request_line_that_means_nothing_is_refused(line: str, status: int) -> None:
    """An unknown route answers 404, a wrong method 405, and an operation that is not simulated 501."""
    with pytest.raises(ServiceError) as caught:
        find_route(*line.split())
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "MissingRequiredQueryParameter"),
        ("api-version=2019-01-01.1.0", "UnsupportedRequestVersion"),
        ("api-version=v1&timeout=0", "OutOfRangeQueryParameterValue"),
        ("api-version=v1&timeOut=2147483648", "OutOfRangeQueryParameterValue"),
        ("api-version=v1&TIMEOUT=soon", "InvalidQueryParameterValue"),
        ("api-version=v1&timeout=1.5", "InvalidQueryParameterValue"),
        ("api-version=v1&timeout=30", None),
        ("API-Version=v1&timeOut=2147483647", None),
    ],
)
def test_the_query_is_checked(query: str, code: str | None) -> None:
    """A request needs a known api-version, and a `timeout` must be a positive 32-bit integer."""
    found = None
    try:
        check_query(read_query(query), ("v1",))
    except ServiceError as error:
        found = error.code
    assert found == code


@pytest.mark.parametrize(
    "headers",
    [
        {"client-request-id": f"{{{GUID}}}"},
        {"client-request-id": "x"},
        {"return-client-request-id": "1"},
        {"ocp-date": "x"},
    ],
)
def test_headers_of_the_wrong_form_are_refused(headers: dict[str, str]) -> None:
    """A malformed request id, boolean or date header is refused."""
    with pytest.raises(ServiceError) as caught:
        check_headers(Headers(headers))
    assert caught.value.code == "InvalidHeaderValue"


def test_the_client_request_id_is_echoed_on_request_alone() -> None:
    """The client-request-id is echoed only if `return-client-request-id` is true, in any letter case."""
    silent, asking = {"client-request-id": GUID}, {"client-request-id": GUID, "Return-Client-Request-Id": "True"}
    assert "client-request-id" not in answer_headers(Headers(silent), "r")
    assert answer_headers(Headers(asking), "r")["client-request-id"] == GUID


def token(**changes: object) -> str:
    """A valid token, apart from the given changes."""
    claims = {"aud": AUDIENCE, "iss": tokens.ISSUER, "iat": NOON.timestamp() - 1, "exp": NOON.timestamp() + 60}
    return tokens.mint({**claims, **changes}, KEY)


def test_a_token_for_the_service_is_taken_until_it_is_revoked() -> None:
    """A valid bearer token is accepted until it is revoked."""
    gate = Gate(KEY, lambda: NOON)
    headers = Headers({"Authorization": f"bearer {token()}"})
    gate.check(headers)
    gate.revoke_issued_tokens()
    with pytest.raises(ServiceError):
        gate.check(headers)


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        (None, "missing"),
        ("SharedKey account:sig", "scheme"),
        ("Bearer rubbish", "not a JSON Web Token"),
        (f"Bearer {token()}x", "signature"),
        (f"Bearer {token(aud='https://batch.core.windows.net')}", "audience"),
        (f"Bearer {token(iss='https://elsewhere.example/')}", "issuer"),
        (f"Bearer {token(exp=NOON.timestamp())}", "expired"),
    ],
)
def test_any_other_token_is_refused_with_the_reason(authorization: str | None, reason: str) -> None:
    """Any other token is refused with 401 AuthenticationFailed and the reason."""
    headers = Headers({"Authorization": authorization} if authorization else {})
    with pytest.raises(ServiceError) as caught:
        Gate(KEY, lambda: NOON).check(headers)
    assert (caught.value.status, caught.value.code) == (401, "AuthenticationFailed")
    key, detail = caught.value.values[0]
    assert key == "AuthenticationErrorDetail"
    assert reason in detail


def test_a_rule_bites_each_target_a_number_of_times() -> None:
    """A fault rule skips `skip` calls on each task, then applies to `times` calls, and then ends."""
    book = FaultBook()
    book.add(FaultRule(task="t*", status=503, skip=1, times=2))
    other = Route("task-delete", "j1", "t2")
    assert [book.take(DELETE) is not None for _ in range(4)] == [False, True, True, False]
    assert [book.take(other) is not None for _ in range(3)] == [False, True, True]
    assert book.take(Route("task-delete", "j1", "x")) is None
    assert book.take(Route("task-get", "j1", "t1")) is None


def test_the_newest_rule_that_is_not_used_up_applies() -> None:
    """The newest fault rule that is not used up applies; `total_times` counts over all tasks."""
    book = FaultBook()
    book.add(FaultRule(status=500))
    newest = book.add(FaultRule(job="J1", status=429, total_times=1))
    codes = [taken[1].status for _ in range(2) if (taken := book.take(DELETE))]
    assert codes == [429, 500]
    assert book.rules()[newest][1] == 1


def test_a_fault_answers_as_the_service_would() -> None:
    """A fault answers with its status's usual code, and with the Retry-After or Location given."""
    answer = FaultRule(status=429, retry_after=7).answer("http://127.0.0.1:1", "r-1", NOON)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
    assert b'"code": "TooManyRequests"' in answer.body
    assert b"RequestId:r-1\\nTime:2026-11-24T12:00:00.0000000Z" in answer.body
    moved = FaultRule(status=302, location="http://127.0.0.1:2/").answer("http://127.0.0.1:1", "r-2", NOON)
    assert (moved.status, moved.headers["Location"]) == (302, "http://127.0.0.1:2/")


@pytest.mark.parametrize("rule", [FaultRule(status=502), FaultRule(status=404, code="")])
def test_a_fault_without_a_code_is_a_gateway_s_page(rule: FaultRule) -> None:
    """A fault without a code answers with HTML, as a gateway would."""
    answer = rule.answer("http://127.0.0.1:1", "r", NOON)
    assert answer.headers["Content-Type"] == "text/html"


@pytest.mark.parametrize(
    "fields",
    [
        {"operation": "task-remove"},
        {"operation": 7},
        *({"status": "503"}, {"times": True}, {"delay_seconds": "1"}, {"task": None}, {"drop": 1}, {"headers": "x"}),
    ],
)
def test_a_rule_that_could_never_work_is_refused(fields: dict[str, object]) -> None:
    """A fault rule with an unknown operation or a value of the wrong type is refused."""
    with pytest.raises(InvalidFault):
        FaultRule(**fields)  # type: ignore[arg-type]


def test_the_journal_keeps_no_token() -> None:
    """The journal records whether a token was sent, but not the token."""
    journal = Journal()
    headers = Headers({"Authorization": "Bearer abc", "If-Match": "*", "X-Other": "abc"})
    entry = journal.open(NOON, "DELETE", "/jobs/j1/tasks/t1?api-version=v1", headers)
    journal.route(entry, DELETE)
    entry.effect = "task-deleted"
    journal.close(entry, 200)
    (kept,) = journal.entries("task-delete", task="T1")
    assert kept.authorized
    assert kept.headers == {"If-Match": "*"}
    assert "abc" not in str(kept.document())
    assert journal.counters().effects == {"task-deleted": 1}


def test_the_journal_counts_what_is_in_flight_together() -> None:
    """The journal counts calls in flight, the most at one time, and cut connections."""
    journal = Journal()
    first, second = (journal.open(NOON, "GET", "/jobs", Headers({})) for _ in range(2))
    journal.close(first, 200)
    journal.close(second, None)
    counters = journal.counters()
    assert (counters.in_flight, counters.most_in_flight, counters.dropped) == (0, 2, 1)
    assert [entry.dropped for entry in journal.entries()] == [False, True]


def test_waiting_for_requests_that_do_not_come_ends() -> None:
    """Waiting for calls that do not come ends with a TimeoutError that says how many were wanted."""
    with pytest.raises(TimeoutError, match="fewer than 1"):
        Journal().wait(1, timeout=0.01)
