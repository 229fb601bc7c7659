"""The client of the Batch service: *Task - Delete* and the reads around it.

https://learn.microsoft.com/rest/api/batchservice/task/delete-task
Each call sends one request, and at most one more after a 401, with a fresh token.
Nothing is raised: the `Reply` says what happened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from email.utils import format_datetime
from typing import Final, Protocol

import requests

from shared.batch import target
from shared.batch.answer import without_answer
from shared.batch.job_listing import JOBS_QUERY, JobPage
from shared.batch.limit import AccountLimit, OnChange
from shared.batch.listing import (
    MOST_PAGE_BYTES,
    TaskPage,
    TaskState,
    job_state_of,
    page_query,
    task_state_of,
)
from shared.batch.reply import Kind, Reply, Sent
from shared.batch.transport import MOST_BODY, BatchSession, exchange, fault
from shared.clock import Clock, TimeBox
from shared.errors import TokenUnavailable
from shared.request.model import SERVICE_TIMEOUT, DeletionRequest

OCP_DATE: Final = "ocp-date"

Query = Mapping[str, str | int]


class Tokens(Protocol):
    """A source of bearer tokens; both methods raise TokenUnavailable."""

    def token(self) -> str: ...

    def renewed(self, stale: str) -> str: ...


Prepare = Callable[[], requests.PreparedRequest]
"""Makes a request without its token. May raise UnsafeTarget, and what `requests` raises for one that cannot be sent."""


class BatchClient:
    """Calls the accounts of the allow list, each with separate limits on calls in flight and calls per second.

    `session` must keep at least as many connections as there are threads that use the client.
    """

    def __init__(
        self,
        session: BatchSession,
        tokens: Tokens,
        *,
        accounts: Sequence[str],
        api_version: str,
        clock: Clock,
        max_concurrency: int,
        longest_hold: float = 900.0,
        on_change: OnChange | None = None,
    ) -> None:
        self._session = session
        self._tokens = tokens
        self._api_version = api_version
        self._clock = clock
        self._limits = {
            account: AccountLimit(account, max_concurrency, clock, longest_hold, on_change) for account in accounts
        }

    def delete(self, request: DeletionRequest, box: TimeBox) -> Reply:
        """Deletes one task within the time box."""
        query: dict[str, str | int] = {}
        if request.timeout is not None:
            query["timeout"] = min(request.timeout, SERVICE_TIMEOUT)
        return self._task("DELETE", request, query, box)

    def get_task(self, request: DeletionRequest, box: TimeBox) -> Reply:
        """Reads the task under the same conditions as `delete`, for a dry run."""
        return self._task("GET", request, {"$select": "id,state"}, box)

    def get_job(self, account: str, job_id: str, box: TimeBox) -> tuple[Reply, str | None]:
        """The reply and, when it is a 2xx, the job's state (`active`, `completed`, ...)."""
        return job_state_of(self._get(account, lambda: target.job_path(job_id), {"$select": "id,state"}, box))

    def look_at_task(self, account: str, job_id: str, task_id: str, box: TimeBox) -> tuple[Reply, TaskState | None]:
        """The reply and, when it is a 2xx, the task's state and version."""
        query = {"$select": "id,state,eTag"}
        return task_state_of(self._get(account, lambda: target.task_path(job_id, task_id), query, box))

    def list_jobs(self, account: str, continuation: str | None, box: TimeBox) -> JobPage:
        """One page of the account's jobs: the first, or the one that the last page's `continuation` points to."""
        return JobPage.of(self._page(account, lambda: "/jobs", JOBS_QUERY, continuation, box))

    def list_completed_tasks(
        self, account: str, job_id: str, continuation: str | None, box: TimeBox, *, ended_by: datetime | None = None
    ) -> TaskPage:
        """One page of the job's completed tasks: the first, or the one that the last page's `continuation` points to.

        `ended_by` asks the service to leave out tasks that ended later; it may still list some.
        """
        query = page_query(ended_by)
        return TaskPage.of(self._page(account, lambda: f"{target.job_path(job_id)}/tasks", query, continuation, box))

    def _get(self, account: str, path_of: Callable[[], str], query: Query, box: TimeBox) -> Reply:
        return self._carry_out(account, lambda: self._prepared("GET", account, path_of(), query), box)

    def _page(
        self, account: str, path_of: Callable[[], str], query: Query, continuation: str | None, box: TimeBox
    ) -> Reply:
        """A continuation that points outside this listing is refused; no token is sent there."""

        def prepare() -> requests.PreparedRequest:
            path = path_of()
            url = None if continuation is None else target.follow(continuation, account, path)
            return self._prepared("GET", account, path, query, url=url)

        return self._carry_out(account, prepare, box, MOST_PAGE_BYTES)

    def _task(self, method: str, request: DeletionRequest, query: Query, box: TimeBox) -> Reply:
        account, headers = request.batch_url, _headers(request)

        def prepare() -> requests.PreparedRequest:
            path = target.task_path(request.job_id, request.task_id)
            return self._prepared(method, account, path, query, headers=headers)

        return self._carry_out(account, prepare, box)

    def _prepared(
        self,
        method: str,
        account: str,
        path: str,
        query: Query,
        *,
        url: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.PreparedRequest:
        """The request without its token; raises UnsafeTarget when its URL is not the intended one."""
        if account not in self._limits:
            raise target.UnsafeTarget("the account is not on the allow list")
        url = url or target.url_of(account, path, {**query, "api-version": self._api_version})
        prepared = self._session.prepare_request(requests.Request(method, url, headers=headers))
        target.check(prepared.url, account, path)
        return prepared

    def _carry_out(self, account: str, prepare: Prepare, box: TimeBox, most_body: int = MOST_BODY) -> Reply:
        half_time = (self._clock.monotonic() + box.end_by) / 2
        try:
            prepared = prepare()
        except (target.UnsafeTarget, requests.RequestException, ValueError) as error:
            return fault(error, sent=False)
        try:
            token = self._tokens.token()
        except TokenUnavailable as error:
            return without_answer(Sent.FAILED, "TokenUnavailable", f"No token for the Batch service: {error}.")
        first = self._send(account, prepared, token, box, most_body)
        # No second try after a slow refusal: it might have to be cut off, which would leave its effect unknown.
        if not _is_refused_token(first) or self._clock.monotonic() > half_time:
            return first
        try:
            fresh = self._tokens.renewed(token)
        except TokenUnavailable:
            return first
        second = self._send(account, prepare(), fresh, box, most_body)
        return second if second.was_sent else first

    def _send(
        self, account: str, prepared: requests.PreparedRequest, token: str, box: TimeBox, most_body: int
    ) -> Reply:
        if self._clock.monotonic() >= box.start_by:
            return without_answer(Sent.HELD, "OutOfTime", "The call ran out of time before it could be sent.")
        limit = self._limits[account]
        if not limit.acquire(box.start_by):
            text = "The account's limit left no slot for the call in time."
            return replace(without_answer(Sent.HELD, "AccountBusy", text), retry_after=limit.seconds_held())
        reply = None
        try:
            prepared.headers["Authorization"] = f"Bearer {token}"
            if prepared.method == "DELETE" and OCP_DATE not in prepared.headers:
                prepared.headers[OCP_DATE] = format_datetime(self._clock.now(), usegmt=True)
            reply = exchange(self._session, prepared, box=box, most_body=most_body, clock=self._clock)
            return reply
        finally:
            limit.release(reply)


def _headers(request: DeletionRequest) -> dict[str, str]:
    headers = {
        "client-request-id": request.client_request_id,
        "return-client-request-id": "true" if request.return_client_request_id else None,
        OCP_DATE: request.ocp_date,
        "If-Match": request.if_match,
        "If-None-Match": request.if_none_match,
        "If-Modified-Since": request.if_modified_since,
        "If-Unmodified-Since": request.if_unmodified_since,
    }
    return {name: value for name, value in headers.items() if value is not None}


def _is_refused_token(reply: Reply) -> bool:
    """401 and 400 InvalidAuthenticationInfo. A 403 is about permissions, which a fresh token would not change."""
    return reply.kind is Kind.ACCESS and reply.status in {400, 401}
