"""The client of the Batch service: *Task - Delete* and the reads around it.

https://learn.microsoft.com/rest/api/batchservice/task/delete-task
Each call sends one request, and at most one more after a 401, with a fresh token.
Nothing is raised: the `Reply` says what happened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import format_datetime
from typing import Final, Protocol

import requests

from shared.batch import target
from shared.batch.answer import without_answer
from shared.batch.job_listing import JOBS_QUERY, JobPage, job_page_of
from shared.batch.limit import AccountLimit, OnChange
from shared.batch.listing import (
    MOST_PAGE_BYTES,
    TaskPage,
    TaskState,
    job_state_of,
    page_of,
    page_query,
    task_state_of,
)
from shared.batch.reply import Kind, Reply, Sent
from shared.batch.transport import MOST_BODY, BatchSession, Exchanged, exchange, fault
from shared.clock import Clock, TimeBox
from shared.errors import TokenUnavailable
from shared.request.model import SERVICE_TIMEOUT, DeletionRequest

OCP_DATE: Final = "ocp-date"


class Tokens(Protocol):
    """A source of bearer tokens; both methods raise TokenUnavailable."""

    def token(self) -> str: ...

    def renewed(self, stale: str) -> str: ...


@dataclass(frozen=True)
class _Call:
    method: str
    account: str
    url: str
    path: str
    headers: Mapping[str, str]
    most_body: int = MOST_BODY


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
        try:
            path = target.job_path(job_id)
        except target.UnsafeTarget as error:
            return fault(error, sent=False), None
        url = target.url_of(account, path, self._query({"$select": "id,state"}))
        return job_state_of(self._carry_out(_Call("GET", account, url, path, {}), box))

    def look_at_task(self, account: str, job_id: str, task_id: str, box: TimeBox) -> tuple[Reply, TaskState | None]:
        """The reply and, when it is a 2xx, the task's state and version."""
        try:
            path = target.task_path(job_id, task_id)
        except target.UnsafeTarget as error:
            return fault(error, sent=False), None
        url = target.url_of(account, path, self._query({"$select": "id,state,eTag"}))
        return task_state_of(self._carry_out(_Call("GET", account, url, path, {}), box))

    def list_jobs(self, account: str, continuation: str | None, box: TimeBox) -> JobPage:
        """One page of the account's jobs: the first, or the one that the last page's `continuation` points to."""
        return job_page_of(self._page(account, "/jobs", JOBS_QUERY, continuation, box))

    def list_completed_tasks(
        self, account: str, job_id: str, continuation: str | None, box: TimeBox, *, ended_by: datetime | None = None
    ) -> TaskPage:
        """One page of the job's completed tasks: the first, or the one that the last page's `continuation` points to.

        `ended_by` asks the service to leave out tasks that ended later; it may still list some.
        """
        try:
            path = f"{target.job_path(job_id)}/tasks"
        except target.UnsafeTarget as error:
            return TaskPage(fault(error, sent=False))
        return page_of(self._page(account, path, page_query(ended_by), continuation, box))

    def _page(
        self, account: str, path: str, query: Mapping[str, str | int], continuation: str | None, box: TimeBox
    ) -> Exchanged:
        """A continuation that points outside this listing is refused; no token is sent there."""
        if continuation is None:
            url = target.url_of(account, path, self._query(query))
        else:
            try:
                url = target.follow(continuation, account, path)
            except target.UnsafeTarget as error:
                return Exchanged(fault(error, sent=False))
        return self._carry_out(_Call("GET", account, url, path, {}, MOST_PAGE_BYTES), box)

    def _task(self, method: str, request: DeletionRequest, query: Mapping[str, str | int], box: TimeBox) -> Reply:
        try:
            path = target.task_path(request.job_id, request.task_id)
        except target.UnsafeTarget as error:
            return fault(error, sent=False)
        url = target.url_of(request.batch_url, path, self._query(query))
        call = _Call(method, request.batch_url, url, path, _headers(request))
        return self._carry_out(call, box).reply

    def _query(self, special: Mapping[str, str | int]) -> dict[str, str | int]:
        return {**special, "api-version": self._api_version}

    def _carry_out(self, call: _Call, box: TimeBox) -> Exchanged:
        half_time = (self._clock.monotonic() + box.end_by) / 2
        try:
            prepared = self._prepared(call)
        except (target.UnsafeTarget, requests.RequestException, ValueError) as error:
            return Exchanged(fault(error, sent=False))
        try:
            token = self._tokens.token()
        except TokenUnavailable as error:
            text = f"No token for the Batch service: {error}."
            return Exchanged(without_answer(Sent.FAILED, "TokenUnavailable", text))
        first = self._send(call, prepared, token, box)
        # No second try after a slow refusal: it might have to be cut off, which would leave its effect unknown.
        if not _is_refused_token(first.reply) or self._clock.monotonic() > half_time:
            return first
        try:
            fresh = self._tokens.renewed(token)
        except TokenUnavailable:
            return first
        second = self._send(call, prepared, fresh, box)
        return second if second.reply.was_sent else first

    def _prepared(self, call: _Call) -> requests.PreparedRequest:
        """The request without its token; raises UnsafeTarget when its URL is not the one that the call names."""
        if call.account not in self._limits:
            raise target.UnsafeTarget("the account is not on the allow list")
        prepared = self._session.prepare_request(requests.Request(call.method, call.url, headers=dict(call.headers)))
        target.check(prepared.url, call.account, call.path)
        return prepared

    def _send(self, call: _Call, prepared: requests.PreparedRequest, token: str, box: TimeBox) -> Exchanged:
        if self._clock.monotonic() >= box.start_by:
            text = "The call ran out of time before it could be sent."
            return Exchanged(without_answer(Sent.HELD, "OutOfTime", text))
        limit = self._limits[call.account]
        if not limit.acquire(box.start_by):
            text = "The account's limit left no slot for the call in time."
            held = without_answer(Sent.HELD, "AccountBusy", text)
            return Exchanged(replace(held, retry_after=limit.seconds_held()))
        answer = None
        try:
            prepared.headers["Authorization"] = f"Bearer {token}"
            if call.method == "DELETE" and OCP_DATE not in call.headers:
                prepared.headers[OCP_DATE] = format_datetime(self._clock.now(), usegmt=True)
            answer = exchange(self._session, prepared, box=box, most_body=call.most_body, clock=self._clock)
            return answer
        finally:
            limit.release(answer.reply if answer is not None else None)


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
