"""One request from its arrival to its answer: routing, admission, simulated faults, the operation, the journal."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime

from devstack.batch.access import Gate
from devstack.batch.account import Account
from devstack.batch.conditions import Conditions
from devstack.batch.errors import ServiceError
from devstack.batch.faults import FaultBook, FaultRule
from devstack.batch.journal import Entry, Journal
from devstack.batch.operations import perform
from devstack.batch.protocol import Call, answer_headers, check_headers, check_query, error_answer, read_query
from devstack.batch.routes import find_route
from devstack.http1 import Answer, Incoming


@dataclass(frozen=True)
class Exchange:
    """What the service does with every request. A call is admitted first; only then can a fault rule apply to it."""

    account: Account
    faults: FaultBook
    journal: Journal
    gate: Gate
    now: Callable[[], datetime]
    api_versions: Collection[str]
    latency_seconds: float = 0.0

    def serve(self, incoming: Incoming) -> Answer | None:
        """The answer, or None if the connection is to be cut; the journal records it either way."""
        entry = self.journal.open(self.now(), incoming.method, incoming.target, incoming.headers)
        entry.request_id = str(uuid.uuid4())
        status: int | None = 500
        try:
            answer = self._answer(incoming, entry)
            status = answer.status if answer else None
        finally:
            self.journal.close(entry, status)
        if answer is None:
            return None
        common = answer_headers(incoming.headers, entry.request_id)
        body = b"" if incoming.method == "HEAD" else answer.body
        return Answer(answer.status, {**common, **answer.headers}, body)

    def _answer(self, incoming: Incoming, entry: Entry) -> Answer | None:
        base_url = f"http://{incoming.headers.get('Host') or '127.0.0.1'}"
        try:
            call = self._admit(incoming, entry, base_url)
            if self.latency_seconds:
                time.sleep(self.latency_seconds)
            taken = self.faults.take(call.route)
            if taken is None:
                return self._carry_out(call, entry)
            entry.fault = taken[0]
            return self._go_wrong(call, entry, *taken)
        except ServiceError as error:
            entry.code = error.code
            return error_answer(error, base_url, entry.request_id, self.now())

    def _admit(self, incoming: Incoming, entry: Entry, base_url: str) -> Call:
        path, _, raw_query = incoming.target.partition("?")
        route = find_route(incoming.method, path)
        self.journal.route(entry, route)
        self.gate.check(incoming.headers)
        query = read_query(raw_query)
        check_query(query, self.api_versions)
        check_headers(incoming.headers)
        return Call(route, path, query, Conditions.from_headers(incoming.headers), incoming.body, base_url)

    def _go_wrong(self, call: Call, entry: Entry, rule_id: str, rule: FaultRule) -> Answer | None:
        if not rule.after_effect:
            self.faults.linger(rule_id, rule)
        answer: Answer | None = None
        if rule.after_effect or not rule.answers:
            answer = self._carry_out(replace(call, next_link=rule.next_link), entry)
        if rule.after_effect:
            self.faults.linger(rule_id, rule)
        if not rule.answers:
            return answer
        return None if rule.drop else rule.answer(call.base_url, entry.request_id, self.now())

    def _carry_out(self, call: Call, entry: Entry) -> Answer:
        outcome = perform(call, self.account)
        entry.effect = outcome.effect
        return outcome.answer
