"""URLs of the Batch service are built from the allow list, and refused if they would lead elsewhere."""

from __future__ import annotations

import re

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from shared.batch.target import UnsafeTarget, check, follow, task_path, url_of

ACCOUNT = "https://acct.region.batch.azure.com"
PAGES = "/jobs/j1/tasks"
ODD_TEXT = st.text(st.sampled_from("ab09_-:.%/\\?#@ ;+~&=\n\r\t\x00é2eEjob"), max_size=12)


def test_ids_stand_in_the_path_encoded() -> None:
    """The colon in a scheduled job's id is encoded as `%3A` in the path."""
    assert task_path("nightly:job-12", "frame_001-A") == "/jobs/nightly%3Ajob-12/tasks/frame_001-A"


@pytest.mark.parametrize(
    "bad", ["", ".", "..", "%2e%2e", "a/b", "a\n", "\na", "a b", "a?b", "a#b", "é", "x" * 65, "a:b", "..;"]
)
def test_other_ids_are_refused(bad: str) -> None:
    """An id outside the grammar never becomes part of a URL, as a task or as a job."""
    with pytest.raises(UnsafeTarget):
        task_path("j1", bad)
    with pytest.raises(UnsafeTarget):
        task_path(bad, "t1")


@given(job=ODD_TEXT, task=ODD_TEXT)
def test_no_pair_of_ids_reaches_another_resource(job: str, task: str) -> None:
    """For any two ids, the path is refused or addresses exactly one job and one task."""
    try:
        path = task_path(job, task)
    except UnsafeTarget:
        return
    prepared = requests.Request("DELETE", url_of(ACCOUNT, path, {"api-version": "x"})).prepare()
    assert re.fullmatch(rf"{re.escape(ACCOUNT)}/jobs/[\w%-]+/tasks/[\w-]+\?api-version=x", prepared.url or "")


@pytest.mark.parametrize(
    "path", ["/jobs/j1/tasks/..", "/jobs/j1/tasks/.", "/jobs/j1/./tasks/t", "/jobs/j1/tasks/../../j2"]
)
def test_a_path_that_the_client_folds_is_refused(path: str) -> None:
    """A URL that the HTTP client changes, by folding dot segments, is refused."""
    prepared = requests.Request("DELETE", url_of(ACCOUNT, path, {"api-version": "x"})).prepare()
    with pytest.raises(UnsafeTarget):
        check(prepared.url, ACCOUNT, path)


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        f"{ACCOUNT}/jobs/j1/tasks",
        f"{ACCOUNT}:8443/jobs/j1/tasks/t1",
        f"{ACCOUNT}.evil.example/jobs/j1/tasks/t1",
        "http://acct.region.batch.azure.com/jobs/j1/tasks/t1",
        "https://u@acct.region.batch.azure.com/jobs/j1/tasks/t1",
        f"{ACCOUNT}/jobs/j1/tasks/t1/",
        f"{ACCOUNT}/jobs/j1/tasks/t1?x=1#frag",
    ],
)
def test_a_prepared_url_must_be_the_intended_one(url: str | None) -> None:
    """A URL with another scheme, host, port or path, with user information or a fragment, is refused."""
    with pytest.raises(UnsafeTarget):
        check(url, ACCOUNT, "/jobs/j1/tasks/t1")


@pytest.mark.parametrize(
    "link",
    [
        f"{ACCOUNT}/jobs/j1/tasks?$skiptoken=a%2Fb",
        f"{ACCOUNT}:443/jobs/j1/tasks?$skiptoken=a%2Fb",
        f"{ACCOUNT.upper()}/jobs/J1/tasks?$skiptoken=a%2Fb",
    ],
)
def test_a_link_within_the_listing_is_followed(link: str) -> None:
    """A next-page link within the listing is rebuilt from the app's own URL, with the link's query."""
    assert follow(link, ACCOUNT, PAGES) == f"{ACCOUNT}/jobs/j1/tasks?$skiptoken=a%2Fb"


def test_a_colon_may_stand_plain_in_the_link() -> None:
    """A next-page link may have a job id with an unencoded colon."""
    assert follow(f"{ACCOUNT}/jobs/n:job-1/tasks?x=1", ACCOUNT, "/jobs/n%3Ajob-1/tasks").endswith(
        "/jobs/n%3Ajob-1/tasks?x=1"
    )


@pytest.mark.parametrize(
    "link",
    [
        "",
        "not a link",
        "?$skiptoken=1",
        "/jobs/j1/tasks?$skiptoken=1",
        "//evil.example/jobs/j1/tasks?x=1",
        "https://evil.example/jobs/j1/tasks?x=1",
        "http://acct.region.batch.azure.com/jobs/j1/tasks?x=1",
        f"{ACCOUNT}:8443/jobs/j1/tasks?x=1",
        f"{ACCOUNT}@evil.example/jobs/j1/tasks?x=1",
        "https://u:p@acct.region.batch.azure.com/jobs/j1/tasks?x=1",
        f"{ACCOUNT}\\@evil.example/jobs/j1/tasks?x=1",
        f"{ACCOUNT}/jobs/j2/tasks?x=1",
        f"{ACCOUNT}/jobs/j1/tasks/?x=1",
        f"{ACCOUNT}/jobs/j1/tasks/../../j2/tasks?x=1",
        f"{ACCOUNT}/jobs/j1/tasks/t1?x=1",
        f"{ACCOUNT}/jobs/j1?x=1",
        f"{ACCOUNT}/jobs/j1/tasks?x=1#f",
        f"{ACCOUNT}/jobs/j1/tasks?x=1\nHost: evil.example",
        f"{ACCOUNT}/jobs/j1/tasks?{'x' * 9000}",
        "https://[::1/jobs/j1/tasks",
    ],
)
def test_a_link_to_another_place_is_refused(link: str) -> None:
    """A link that leaves the account or the listing is not followed."""
    with pytest.raises(UnsafeTarget):
        follow(link, ACCOUNT, PAGES)
