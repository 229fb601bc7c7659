"""*Task - Delete*, *Task - Get* and *Task - List* as sent, against the REST reference and the official client.

https://learn.microsoft.com/rest/api/batchservice/task/delete-task
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import azure.batch
import pytest
from azure.core import MatchConditions
from azure.core.credentials import AccessToken, AccessTokenInfo

from tests.contract.batch_calls import API_VERSION, REQUEST_ID, client, deletion, within
from tests.contract.recording_server import RecordingServer, Seen, whole
from tests.fakes.clock import FakeClock

DATE = "Tue, 24 Nov 2026 07:30:00 GMT"
MOMENT = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
PLUMBING = {"Accept", "Accept-Encoding", "User-Agent", "Connection", "Host", "Content-Length", "Authorization"}


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    """An account that says 200 to everything."""
    with RecordingServer(lambda seen: whole(body=b'{"value": []}' if seen.method == "GET" else b"")) as server:
        yield server


def test_the_plain_delete_is_the_reference_request(server: RecordingServer) -> None:
    """A deletion without options sends exactly the reference's method, path, api-version and headers."""
    client(server.url, clock=FakeClock()).delete(deletion(server.url), within(5))
    assert server.seen == [
        Seen(
            "DELETE",
            f"/jobs/job1/tasks/task1?api-version={API_VERSION}",
            {
                "Host": server.url.removeprefix("http://"),
                "User-Agent": "batch-task-deletion",
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "Content-Length": "0",
                "Authorization": "Bearer first-token",
                "client-request-id": REQUEST_ID,
                "ocp-date": DATE,
            },
        )
    ]


def test_every_option_has_its_place(server: RecordingServer) -> None:
    """Each option of a deletion is sent under the reference's name for it, unchanged."""
    request = deletion(
        server.url,
        timeout=15,
        return_client_request_id=True,
        ocp_date="Tue, 24 Nov 2026 06:00:00 GMT",
        if_match='"0x8D1"',
        if_none_match='W/"0x8D0"',
        if_modified_since="Mon, 23 Nov 2026 06:00:00 GMT",
        if_unmodified_since="Tue, 24 Nov 2026 05:00:00 GMT",
    )
    client(server.url).delete(request, within(5))
    [seen] = server.seen
    assert seen.target == f"/jobs/job1/tasks/task1?timeout=15&api-version={API_VERSION}"
    assert {name: value for name, value in seen.headers.items() if name not in PLUMBING} == {
        "client-request-id": REQUEST_ID,
        "return-client-request-id": "true",
        "ocp-date": "Tue, 24 Nov 2026 06:00:00 GMT",
        "If-Match": '"0x8D1"',
        "If-None-Match": 'W/"0x8D0"',
        "If-Modified-Since": "Mon, 23 Nov 2026 06:00:00 GMT",
        "If-Unmodified-Since": "Tue, 24 Nov 2026 05:00:00 GMT",
    }


@pytest.mark.parametrize(("asked", "sent"), [(1, "1"), (30, "30"), (31, "30"), (2147483647, "30")])
def test_the_service_timeout_is_at_most_thirty(server: RecordingServer, asked: int, sent: str) -> None:
    """A `timeout` above 30 seconds is sent as 30, the most that the service accepts."""
    client(server.url).delete(deletion(server.url, timeout=asked), within(5))
    assert dict(parse_qsl(server.seen[0].target.partition("?")[2]))["timeout"] == sent


def test_the_colon_of_a_scheduled_job_is_encoded(server: RecordingServer) -> None:
    """The colon in a scheduled job's id is percent-encoded in the path."""
    client(server.url).delete(deletion(server.url, job_id="nightly:job-3"), within(5))
    assert server.seen[0].target.startswith("/jobs/nightly%3Ajob-3/tasks/task1?")


def test_a_dry_run_asks_under_the_same_conditions(server: RecordingServer) -> None:
    """The dry run reads the task with the conditional headers of the deletion and deletes nothing."""
    request = deletion(server.url, if_match='"0x8D1"', if_unmodified_since=DATE, timeout=15)
    client(server.url).get_task(request, within(5))
    [seen] = server.seen
    assert (seen.method, seen.target.partition("?")[0]) == ("GET", "/jobs/job1/tasks/task1")
    assert (seen.headers["If-Match"], seen.headers["If-Unmodified-Since"]) == ('"0x8D1"', DATE)


def test_a_listing_asks_for_completed_tasks_alone(server: RecordingServer) -> None:
    """A listing's first call asks for completed tasks, the fields that are needed, and pages of 1,000."""
    client(server.url).list_completed_tasks(server.url, "job1", None, within(5))
    path, _, query = server.seen[0].target.partition("?")
    assert path == "/jobs/job1/tasks"
    assert dict(parse_qsl(query)) == {
        "$filter": "state eq 'completed'",
        "$select": "id,state,eTag,executionInfo",
        "maxresults": "1000",
        "api-version": API_VERSION,
    }


class _Credential:
    """A credential that the official client takes."""

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        """A token that lasts."""
        return AccessToken("first-token", 4_000_000_000)

    def get_token_info(self, *_: str, **__: Any) -> AccessTokenInfo:
        """The same for newer policies."""
        return AccessTokenInfo("first-token", 4_000_000_000)


def official(server: RecordingServer) -> azure.batch.BatchClient:
    """The official client, set to our version of the API."""
    return azure.batch.BatchClient(server.url, _Credential(), api_version=API_VERSION, retry_total=0)


def essence(seen: Seen) -> tuple[str, str, dict[str, str], dict[str, str]]:
    """What two clients' requests must agree on. azure-batch spells `timeout` as `timeOut`, unlike the reference."""
    path, _, query = seen.target.partition("?")
    parameters = {name.replace("timeOut", "timeout"): value for name, value in parse_qsl(query)}
    headers = {name.lower(): value for name, value in seen.headers.items() if name not in PLUMBING - {"Authorization"}}
    return seen.method, path, parameters, headers


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {}),
        ({"job_id": "nightly:job-3", "task_id": "A_b-9"}, {}),
        ({"timeout": 15}, {"service_timeout": 15}),
        ({"if_match": '"0x8D1"'}, {"etag": '"0x8D1"', "match_condition": MatchConditions.IfNotModified}),
        ({"if_match": "*"}, {"match_condition": MatchConditions.IfPresent}),
        ({"if_none_match": '"0x8D1"'}, {"etag": '"0x8D1"', "match_condition": MatchConditions.IfModified}),
        ({"if_modified_since": DATE}, {"if_modified_since": MOMENT}),
        ({"if_unmodified_since": DATE}, {"if_unmodified_since": MOMENT}),
        ({"return_client_request_id": True}, {"echo": "true"}),
        (
            {"timeout": 30, "if_match": '"a"', "if_modified_since": DATE, "if_unmodified_since": DATE},
            {
                "service_timeout": 30,
                "etag": '"a"',
                "match_condition": MatchConditions.IfNotModified,
                "if_modified_since": MOMENT,
                "if_unmodified_since": MOMENT,
            },
        ),
    ],
)
def test_the_official_client_sends_the_same_delete(
    server: RecordingServer, ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    """Whatever options are set, the app sends the same DELETE as the official azure-batch client."""
    request = deletion(server.url, ocp_date=DATE, **ours)
    client(server.url).delete(request, within(5))
    echo = {"return-client-request-id": theirs["echo"]} if "echo" in theirs else {}
    options = {name: value for name, value in theirs.items() if name != "echo"}
    official(server).delete_task(
        request.job_id,
        request.task_id,
        ocp_date=MOMENT,
        headers={"client-request-id": REQUEST_ID, **echo},
        enforce_https=False,
        **options,
    )
    our_delete, their_delete = server.seen
    assert essence(our_delete) == essence(their_delete)


def test_the_official_client_sends_the_same_listing(server: RecordingServer) -> None:
    """The app lists a job's tasks with the same request as the official azure-batch client."""
    client(server.url).list_completed_tasks(server.url, "nightly:job-3", None, within(5))
    list(
        official(server).list_tasks(
            "nightly:job-3",
            filter="state eq 'completed'",
            select=["id", "state", "eTag", "executionInfo"],
            max_results=1000,
            enforce_https=False,
        )
    )
    our_list, their_list = (essence(seen)[:3] for seen in server.seen)
    assert our_list == their_list
