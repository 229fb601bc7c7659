"""The Batch client against the simulated account: answers, refusals, pages, and its limit on calls in flight."""

from __future__ import annotations

import threading

import pytest

from devstack.batch import BatchSimulator
from shared.batch.listing import CompletedTask
from shared.batch.reply import ErrorBody, Kind, Reply, Sent
from shared.batch.transport import UNSAFE_TARGET
from tests.contract.batch_calls import CountedTokens, client, deletion, within
from tests.contract.recording_server import RecordingServer, Seen, whole
from tests.fakes.clock import FakeClock

HOSTILE_IDS = ["..", ".", "%2e%2e", "task1\n", "a/../b", "a/b", "", "a?x=1", "a#b", "é", "x" * 65]


def test_a_task_is_deleted(batch_simulator: BatchSimulator, batch_token: str) -> None:
    """Deleting an existing task gives a 200 with the service's request id, and the task is gone."""
    batch_simulator.seed(id="job1", tasks=["task1", "task2"])
    reply = client(batch_simulator.url, CountedTokens(batch_token)).delete(deletion(batch_simulator.url), within(5))
    [entry] = batch_simulator.deletes()
    assert reply == Reply(Sent.ANSWERED, 200, request_id=entry.request_id)
    assert batch_simulator.task_ids("job1") == ["task2"]


@pytest.mark.parametrize(("job", "code"), [("job1", "TaskNotFound"), ("nojob", "JobNotFound")])
def test_a_task_that_is_not_there_is_named_so(
    batch_simulator: BatchSimulator, batch_token: str, job: str, code: str
) -> None:
    """Deleting a missing task or job is reported as gone, with the service's code `TaskNotFound` or `JobNotFound`."""
    batch_simulator.seed(id="job1", tasks=[])
    request = deletion(batch_simulator.url, job_id=job)
    reply = client(batch_simulator.url, CountedTokens(batch_token)).delete(request, within(5))
    assert (reply.status, reply.error and reply.error.code, reply.has_batch_code) == (404, code, True)
    assert reply.kind is Kind.GONE


def test_an_error_body_is_passed_on_without_its_trailer(batch_simulator: BatchSimulator, batch_token: str) -> None:
    """A reply carries Batch's message without the appended request id and time, and `Retry-After` in seconds."""
    batch_simulator.seed(id="job1", tasks=["task1"])
    batch_simulator.fault(status=429, message="Slow down.", retry_after=7)
    reply = client(batch_simulator.url, CountedTokens(batch_token)).delete(deletion(batch_simulator.url), within(5))
    assert reply.error == ErrorBody("TooManyRequests", "Slow down.")
    assert (reply.retry_after, reply.request_id) == (7.0, batch_simulator.deletes()[0].request_id)


def test_a_gateways_page_is_no_word_of_batch(batch_simulator: BatchSimulator, batch_token: str) -> None:
    """A 404 without Batch's own code does not prove that the task is gone, so the call is retried."""
    batch_simulator.fault(status=404, code="")
    reply = client(batch_simulator.url, CountedTokens(batch_token)).delete(deletion(batch_simulator.url), within(5))
    assert (reply.status, reply.has_batch_code) == (404, False)
    assert reply.kind is Kind.TRANSIENT


@pytest.mark.parametrize("after_effect", [False, True])
def test_a_lost_connection_leaves_the_effect_open(
    batch_simulator: BatchSimulator, batch_token: str, after_effect: bool
) -> None:
    """A lost connection leaves open whether the task was deleted; the next call finds out."""
    batch_simulator.seed(id="job1", tasks=["task1"])
    batch_simulator.fault(drop=True, after_effect=after_effect, times=1)
    caller = client(batch_simulator.url, CountedTokens(batch_token))
    lost = caller.delete(deletion(batch_simulator.url), within(5))
    again = caller.delete(deletion(batch_simulator.url), within(5))
    assert lost.sent is Sent.UNANSWERED
    assert lost.may_have_taken_effect
    assert again.kind is (Kind.GONE if after_effect else Kind.SUCCESS)
    assert len(batch_simulator.deletes()) == 2


def test_an_answer_that_takes_too_long_is_given_up(batch_simulator: BatchSimulator, batch_token: str) -> None:
    """A call without an answer ends when its time is up, as unanswered."""
    batch_simulator.seed(id="job1", tasks=["task1"])
    batch_simulator.fault(hold=True)
    caller = client(batch_simulator.url, CountedTokens(batch_token))
    reply = caller.delete(deletion(batch_simulator.url), within(0.4))
    assert reply.sent is Sent.UNANSWERED
    assert reply.error is not None
    assert "ReadTimeout" in reply.error.message


@pytest.mark.parametrize("bad", HOSTILE_IDS)
@pytest.mark.parametrize("field", ["job_id", "task_id"])
def test_hostile_ids_never_leave_the_machine(batch_simulator: BatchSimulator, field: str, bad: str) -> None:
    """An id that could change the URL is refused for good, before any token is asked for or request sent."""
    tokens = CountedTokens()
    caller = client(batch_simulator.url, tokens)
    request = deletion(batch_simulator.url, **{field: bad})
    replies = [caller.delete(request, within(5)), caller.get_task(request, within(5))]
    if field == "job_id":
        replies.append(caller.get_job(batch_simulator.url, bad, within(5))[0])
        replies.append(caller.list_completed_tasks(batch_simulator.url, bad, None, within(5)).reply)
    assert {reply.kind for reply in replies} == {Kind.PERMANENT}
    assert {(reply.sent, reply.error and reply.error.code) for reply in replies} == {(Sent.REFUSED, UNSAFE_TARGET)}
    assert (tokens.asked, batch_simulator.journal.entries()) == (0, [])


def test_a_foreign_account_gets_neither_request_nor_token(batch_simulator: BatchSimulator) -> None:
    """An account outside the allow list gets neither a request nor a token, whatever the call."""
    tokens = CountedTokens()
    caller = client("https://acct.region.batch.azure.com", tokens)
    reply = caller.delete(deletion(batch_simulator.url), within(5))
    state = caller.get_job(batch_simulator.url, "job1", within(5))
    page = caller.list_completed_tasks(batch_simulator.url, "job1", None, within(5))
    assert {r.error and r.error.code for r in (reply, state[0], page.reply)} == {UNSAFE_TARGET}
    assert (tokens.asked, batch_simulator.journal.entries()) == (0, [])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_not_followed(
    batch_simulator: BatchSimulator, batch_token: str, status: int
) -> None:
    """A redirect is never followed: it is a permanent failure of the request."""
    with RecordingServer() as elsewhere:
        batch_simulator.fault(status=status, location=f"{elsewhere.url}/jobs/job1/tasks/task1")
        reply = client(batch_simulator.url, CountedTokens(batch_token)).delete(deletion(batch_simulator.url), within(5))
        assert (reply.status, reply.kind) == (status, Kind.PERMANENT)
        assert (elsewhere.connections, len(batch_simulator.deletes())) == (0, 1)


@pytest.mark.parametrize("location", ["http://[", "//", "ftp://x", "/jobs/job1", "\x01"])
def test_a_broken_redirect_is_still_an_answer(location: str) -> None:
    """A redirect with an unusable `Location` is still an answer with its status."""
    with RecordingServer(lambda _: whole(302, Location=location)) as server:
        reply = client(server.url).delete(deletion(server.url), within(5))
    assert (reply.sent, reply.status) == (Sent.ANSWERED, 302)


@pytest.mark.parametrize(
    ("status", "body"),
    [(401, b""), (401, b'{"code": "AuthenticationFailed"}'), (400, b'{"code": "InvalidAuthenticationInfo"}')],
)
def test_a_refused_token_is_replaced_once(status: int, body: bytes) -> None:
    """After Batch refuses a token, the client repeats the call once with a token from a new credential."""
    tokens = CountedTokens("stale", ["fresh"])

    def behave(seen: Seen) -> bytes:
        return whole() if seen.headers["Authorization"] == "Bearer fresh" else whole(status, body)

    with RecordingServer(behave) as server:
        reply = client(server.url, tokens).delete(deletion(server.url), within(5))
    assert reply.status == 200
    assert [seen.headers["Authorization"] for seen in server.seen] == ["Bearer stale", "Bearer fresh"]


def test_a_second_refusal_is_the_answer() -> None:
    """If Batch refuses the replaced token too, the client does not try a third time and reports an access failure."""
    with RecordingServer(lambda _: whole(401)) as server:
        reply = client(server.url, CountedTokens("stale", ["fresh", "third"])).delete(deletion(server.url), within(5))
    assert (reply.status, reply.kind, len(server.seen)) == (401, Kind.ACCESS, 2)


def test_without_a_fresh_token_the_refusal_stands() -> None:
    """If no new token can be had after a refusal, the reply reports the refusal."""
    with RecordingServer(lambda _: whole(401)) as server:
        reply = client(server.url, CountedTokens("stale")).delete(deletion(server.url), within(5))
    assert (reply.status, len(server.seen)) == (401, 1)


@pytest.mark.parametrize(("status", "body"), [(403, b""), (400, b'{"code": "InvalidHeaderValue"}'), (400, b"")])
def test_other_refusals_are_not_about_the_token(status: int, body: bytes) -> None:
    """The client does not replace its token after a 403, or a 400 with another code."""
    tokens = CountedTokens("stale", ["fresh"])
    with RecordingServer(lambda _: whole(status, body)) as server:
        client(server.url, tokens).delete(deletion(server.url), within(5))
    assert (tokens.asked, len(server.seen)) == (1, 1)


def test_a_slow_refusal_leaves_no_second_try() -> None:
    """The client does not repeat a refused call when more than half of its time is gone."""
    clock = FakeClock()

    def behave(_: Seen) -> bytes:
        clock.advance(46)
        return whole(401)

    with RecordingServer(behave) as server:
        reply = client(server.url, CountedTokens("stale", ["fresh"]), clock=clock).delete(
            deletion(server.url), within(90, clock=clock)
        )
    assert (reply.status, len(server.seen)) == (401, 1)


def test_without_a_token_nothing_is_sent(batch_simulator: BatchSimulator) -> None:
    """If no token can be had, nothing is sent and the failure counts as transient."""
    reply = client(batch_simulator.url, CountedTokens(None)).delete(deletion(batch_simulator.url), within(5))
    assert (reply.sent, reply.error and reply.error.code) == (Sent.FAILED, "TokenUnavailable")
    assert reply.kind is Kind.TRANSIENT
    assert batch_simulator.journal.entries() == []


def test_a_token_that_takes_all_the_time_leaves_no_call(batch_simulator: BatchSimulator) -> None:
    """If getting a token uses up the call's time, nothing is sent and the reply says `OutOfTime`."""
    clock = FakeClock()

    class SlowTokens(CountedTokens):
        def token(self) -> str:
            clock.advance(6)
            return super().token()

    reply = client(batch_simulator.url, SlowTokens(), clock=clock).delete(
        deletion(batch_simulator.url), within(5, clock=clock)
    )
    assert (reply.sent, reply.error and reply.error.code) == (Sent.HELD, "OutOfTime")
    assert batch_simulator.journal.entries() == []


def test_a_call_that_cannot_begin_in_time_is_not_made(batch_simulator: BatchSimulator) -> None:
    """A call that cannot start before its latest start is not sent, since its claim may no longer hold."""
    clock = FakeClock()

    class SlowTokens(CountedTokens):
        def token(self) -> str:
            clock.advance(6)
            return super().token()

    caller = client(batch_simulator.url, SlowTokens(), clock=clock)
    reply = caller.delete(deletion(batch_simulator.url), within(30, start=5, clock=clock))
    assert (reply.sent, reply.error and reply.error.code) == (Sent.HELD, "OutOfTime")
    assert batch_simulator.journal.entries() == []


def test_calls_beyond_the_limit_wait_for_their_turn(batch_simulator: BatchSimulator, batch_token: str) -> None:
    """A call beyond the limit on calls in flight waits for its turn, and ends as held when its time is up."""
    batch_simulator.seed(id="job1", tasks=["task1", "task2"])
    held = batch_simulator.fault(task="task1", hold=True)
    caller = client(batch_simulator.url, CountedTokens(batch_token), max_concurrency=1)
    first: list[Reply] = []
    thread = threading.Thread(target=lambda: first.append(caller.delete(deletion(batch_simulator.url), within(30))))
    thread.start()
    batch_simulator.journal.wait(1)
    second = deletion(batch_simulator.url, task_id="task2")
    crowded = caller.delete(second, within(0.1))
    assert (crowded.sent, crowded.error and crowded.error.code) == (Sent.HELD, "AccountBusy")
    batch_simulator.faults.release(held)
    thread.join(10)
    assert [reply.status for reply in first] == [200]
    assert caller.delete(second, within(5)).status == 200


def test_throttling_slows_the_account_down(batch_simulator: BatchSimulator, batch_token: str) -> None:
    """After a 429 with `Retry-After`, no call to the account is sent in that time, and each reply says how long."""
    batch_simulator.seed(id="job1", tasks=[f"t{n}" for n in range(3)])
    batch_simulator.fault(status=429, retry_after="30", total_times=1)
    caller = client(batch_simulator.url, CountedTokens(batch_token))
    assert caller.delete(deletion(batch_simulator.url, task_id="t0"), within(5)).status == 429
    batch_simulator.journal.clear()
    replies = [caller.delete(deletion(batch_simulator.url, task_id=f"t{n}"), within(5)) for n in range(3)]
    assert {reply.sent for reply in replies} == {Sent.HELD}
    assert all(reply.retry_after and 20 < reply.retry_after <= 30 for reply in replies)
    assert batch_simulator.journal.entries() == []


@pytest.mark.parametrize("state", ["active", "completed"])
def test_the_state_of_a_job_is_read(batch_simulator: BatchSimulator, batch_token: str, state: str) -> None:
    """`get_job` returns the job's state, such as `active` or `completed`."""
    batch_simulator.seed(id="job1", state=state, tasks=[])
    caller = client(batch_simulator.url, CountedTokens(batch_token))
    reply, found = caller.get_job(batch_simulator.url, "job1", within(5))
    assert (reply.status, found) == (200, state)


def test_a_job_that_is_not_there_has_no_state(batch_simulator: BatchSimulator, batch_token: str) -> None:
    """`get_job` for a missing job returns no state, and a reply that says the job is gone."""
    caller = client(batch_simulator.url, CountedTokens(batch_token))
    reply, found = caller.get_job(batch_simulator.url, "job1", within(5))
    assert (reply.kind, found) == (Kind.GONE, None)


def test_a_listing_goes_on_page_by_page(batch_simulator: BatchSimulator, batch_token: str) -> None:
    """Listing a job follows the service's links from page to page and returns each completed task once."""
    batch_simulator.seed(id="nightly:job-1", tasks={"count": 1_203})
    caller = client(batch_simulator.url, CountedTokens(batch_token))
    found: list[str] = []
    pages, continuation = 0, None
    while pages == 0 or continuation:
        page = caller.list_completed_tasks(batch_simulator.url, "nightly:job-1", continuation, within(10))
        assert page.reply.status == 200
        found += [task.id for task in page.tasks]
        pages, continuation = pages + 1, page.continuation
    assert pages == 2
    assert sorted(found) == sorted(batch_simulator.task_ids("nightly:job-1"))


def test_a_listed_version_is_the_condition_of_a_deletion(batch_simulator: BatchSimulator, batch_token: str) -> None:
    """A listed ETag, without quotes, works as `If-Match`; another version is refused."""
    batch_simulator.seed(id="job1", tasks={"count": 1})
    caller = client(batch_simulator.url, CountedTokens(batch_token))
    (task,) = caller.list_completed_tasks(batch_simulator.url, "job1", None, within(10)).tasks
    assert task.etag
    for etag, status in ((f"{task.etag}0", 412), (task.etag, 200)):
        request = deletion(batch_simulator.url, task_id=task.id, if_match=etag)
        assert caller.delete(request, within(10)).status == status


@pytest.mark.parametrize("state", ["active", "running", "preparing"])
def test_tasks_that_are_not_completed_are_no_part_of_a_page(state: str) -> None:
    """A listing never returns a task that is not completed, even if the service ignores the filter."""
    body = (
        b'{"value": [{"id": "a", "state": "%s"}, {"id": "b", "state": "completed"}, {"id": "c"}, 7]}' % state.encode()
    )
    with RecordingServer(lambda _: whole(body=body)) as server:
        page = client(server.url).list_completed_tasks(server.url, "job1", None, within(5))
    assert page.tasks == (CompletedTask("b", None, None, None),)


def test_a_task_carries_what_a_selection_needs() -> None:
    """A listed task has exit code, result, end time and ETag; values of the wrong type count as absent."""
    body = b"""{"value": [
        {"id": "a", "state": "completed", "eTag": "0x8D1",
         "executionInfo": {"exitCode": 3, "result": "Failure", "endTime": "2026-11-24T08:00:00Z"}},
        {"id": "b", "state": "completed", "eTag": 1, "executionInfo": {"exitCode": true, "result": 1, "endTime": null}},
        {"id": "c", "state": "completed", "executionInfo": []}]}"""
    with RecordingServer(lambda _: whole(body=body)) as server:
        page = client(server.url).list_completed_tasks(server.url, "job1", None, within(5))
    assert page.tasks == (
        CompletedTask("a", 3, "failure", "2026-11-24T08:00:00Z", "0x8D1"),
        CompletedTask("b", None, None, None),
        CompletedTask("c", None, None, None),
    )


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"value": 1}', b'{"value": [], "odata.nextLink": 1}', b'{"value": [']
)
def test_an_unreadable_page_is_no_last_page(body: bytes) -> None:
    """A page that cannot be read is a transient failure, not the end of the listing."""
    with RecordingServer(lambda _: whole(body=body)) as server:
        page = client(server.url).list_completed_tasks(server.url, "job1", None, within(5))
    assert (page.tasks, page.continuation) == ((), None)
    assert page.reply.kind is Kind.TRANSIENT


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"state": 1}', b'{"state": "comp'])
def test_an_unreadable_job_is_not_taken_for_a_completed_one(body: bytes) -> None:
    """A job whose answer cannot be read has no state, and the failure counts as transient."""
    with RecordingServer(lambda _: whole(body=body)) as server:
        reply, state = client(server.url).get_job(server.url, "job1", within(5))
    assert state is None
    assert reply.kind is Kind.TRANSIENT


@pytest.mark.parametrize(
    "link", ["http://127.0.0.1:9/jobs/job1/tasks?x=1", "{url}/jobs/job2/tasks?x=1", "{url}@127.0.0.1:9/jobs/job1/tasks"]
)
def test_a_link_elsewhere_is_not_followed(batch_simulator: BatchSimulator, batch_token: str, link: str) -> None:
    """A next-page link to another account or job is refused before any token is asked for."""
    tokens = CountedTokens(batch_token)
    batch_simulator.seed(id="job1", tasks={"count": 2})
    batch_simulator.fault(operation="task-list", next_link=link.format(url=batch_simulator.url))
    caller = client(batch_simulator.url, tokens)
    page = caller.list_completed_tasks(batch_simulator.url, "job1", None, within(5))
    assert (len(page.tasks), tokens.asked) == (2, 1)
    following = caller.list_completed_tasks(batch_simulator.url, "job1", page.continuation, within(5))
    assert following.reply.error is not None
    assert following.reply.error.code == UNSAFE_TARGET
    assert (tokens.asked, len(batch_simulator.journal.entries())) == (1, 1)
