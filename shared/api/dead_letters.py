"""The HTTP calls about dead letters: list, show, redrive and settle, one or many."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.api.answer import Answer, Call, refusal
from shared.api.body import parse_json
from shared.api.letter_pass import (
    BulkFilters,
    BulkRedrive,
    LetterFilters,
    Pass,
    begin,
    filter_of,
    from_token,
    place_from,
    place_wire,
    to_token,
)
from shared.api.placement import refuse_body
from shared.api.query import boolean, key, page_size, read_query
from shared.clock import Clock, to_text
from shared.errors import InvalidInput
from shared.operations.redrive import Redrive, Redriven
from shared.parsing import grammar
from shared.parsing.strict_model import checked
from shared.request.model import parse_or_none
from shared.results.dead_letter import DeadLetter
from shared.results.dead_letters import DeadLetterStore
from shared.results.event import dry_run_mark, error_wire
from shared.results.letter_listing import LetterFilter, LetterListing, Place
from shared.results.letter_rows import place_of

MAX_TOP = 200
DEFAULT_TOP = 50
MAX_FILTER_BYTES = 16 * 1024
FILTERS = ("outcome", "reason", "jobId", "queue", "since", "before")


@dataclass(frozen=True)
class DeadLetterApi:
    """`/api/dead-letters`. Methods may raise InvalidInput and StorageUnavailable."""

    letters: DeadLetterStore
    listed: LetterListing
    redriving: Redrive
    queues: tuple[str, ...]
    clock: Clock

    def listing(self, call: Call) -> Answer:
        """`GET /api/dead-letters`, newest first."""
        query = read_query(call, *FILTERS, "settled", "top", "continuation")
        settled, top = boolean(query, "settled"), page_size(query, DEFAULT_TOP, MAX_TOP)
        filters = self._filters(query) | ({"settled": "true"} if settled else {})
        place = _place(query.get("continuation"), filters)
        letters, rest = self.listed.page(filter_of(filters, settled=settled), top, place)
        more = to_token({"wishes": filters, "place": place_wire(rest)}) if rest else None
        return Answer(200, {"value": [summary(letter) for letter in letters], "continuation": more})

    def one(self, call: Call) -> Answer:
        """`GET /api/dead-letters/{id}`."""
        read_query(call)
        letter_id = _id(call)
        letter = self.letters.read(letter_id) if letter_id else None
        if letter is None:
            return _unknown()
        call.concerns(letter.client_request_id)
        return Answer(200, summary(letter) | body_of(letter))

    def redrive(self, call: Call) -> Answer:
        """`POST /api/dead-letters/{id}/redrive`."""
        read_query(call)
        refuse_body(call)
        letter_id = _id(call)
        redriven = self.redriving.redrive(letter_id, by=call.caller) if letter_id else Redriven.UNKNOWN
        if redriven is Redriven.REDRIVEN:
            return Answer(202, {"id": letter_id, "redriven": True})
        if redriven is Redriven.ALREADY:
            return refusal(409, "AlreadyRedriven", "This dead letter has already been redriven.")
        if redriven is Redriven.NEVER:
            return refusal(422, "NotRedrivable", "It cannot succeed as it is; send a corrected request with a new id.")
        return _unknown()

    def settle(self, call: Call) -> Answer:
        """`DELETE /api/dead-letters/{id}`: settles it, so that it is no longer listed."""
        read_query(call)
        letter_id = _id(call)
        known = letter_id is not None and self.letters.settle(letter_id, self.clock.now(), call.caller)
        return Answer(204) if known else _unknown()

    def redrive_many(self, call: Call) -> Answer:
        """`POST /api/dead-letters/redrive`: those that match a filter, spread over time by message delays."""
        read_query(call)
        asked = checked(BulkRedrive, parse_json(call, MAX_FILTER_BYTES))
        now = self.clock.now()
        one = begin("redrive", asked, self.queues, now)

        def act(letter: DeadLetter, index: int) -> bool:
            delay = (one.due - now + index * one.pause).total_seconds()
            return self.redriving.redrive(letter.id, delay, call.caller) is Redriven.REDRIVEN

        return self._many(one, asked.most, "redriven", act)

    def settle_many(self, call: Call) -> Answer:
        """`POST /api/dead-letters/settle`: those that match a filter, including redriven and never redrivable ones."""
        read_query(call)
        asked = checked(BulkFilters, parse_json(call, MAX_FILTER_BYTES))
        one = begin("settle", asked, self.queues, self.clock.now())

        def act(letter: DeadLetter, _: int) -> bool:
            return self.letters.settle(letter.id, self.clock.now(), call.caller)

        return self._many(one, asked.most, "settled", act)

    def _filters(self, query: dict[str, str]) -> dict[str, str]:
        """The filters of a query, checked like those of the bulk calls. Raises InvalidInput."""
        names = {f"/{name}": key(name) for name in FILTERS}
        try:
            asked = checked(LetterFilters, {name: text for name, text in query.items() if name in FILTERS})
        except InvalidInput as fault:
            raise fault.renamed(names) from None
        if problems := asked.check(self.queues):
            raise InvalidInput(problems).renamed(names)
        return asked.filters()

    def _many(self, one: Pass, most: int, word: str, act: Callable[[DeadLetter, int], bool]) -> Answer:
        taken, rest = self._take(one.filter(), most, one.place)
        done = 0 if one.dry_run else sum(act(letter, index) for index, letter in enumerate(taken))
        answer = {
            "dryRun": one.dry_run,
            "matched": len(taken),
            word: done,
            "ids": [letter.id for letter in taken],
            "more": rest is not None,
            "before": to_text(one.before),
            "continuation": one.at(rest, one.due + len(taken) * one.pause),
        }
        return Answer(200 if one.dry_run else 202, answer)

    def _take(self, wanted: LetterFilter, most: int, place: Place) -> tuple[list[DeadLetter], Place | None]:
        """At most `most` letters, and where the rest begin; None if there are no more."""
        letters, rest = self.listed.page(wanted, most + 1, place)
        if len(letters) <= most:
            return letters, rest
        return letters[:most], Place(place_of(letters[most - 1]))


def summary(letter: DeadLetter) -> dict[str, Any]:
    """A dead letter as listed, without its body."""
    return {
        "id": letter.id,
        "reason": letter.reason,
        "outcome": letter.outcome,
        "queue": letter.queue,
        "clientRequestId": letter.client_request_id,
        "jobId": letter.job_id,
        "taskId": letter.task_id,
        "attempts": letter.attempts,
        "firstSeenAt": to_text(letter.first_seen_at),
        "lastSeenAt": to_text(letter.last_seen_at),
        "redrivenAt": to_text(letter.redriven_at) if letter.redriven_at else None,
        "redrivenBy": letter.redriven_by,
        "settledAt": to_text(letter.settled_at) if letter.settled_at else None,
        "settledBy": letter.settled_by,
        "statusCode": letter.status,
        "batchRequestId": letter.batch_request_id,
        "error": error_wire(letter.error),
        **dry_run_mark(dry_run=letter.dry_run),
    }


def body_of(letter: DeadLetter) -> dict[str, str]:
    """The body as received: as text if it is UTF-8, else in base64."""
    try:
        return {"body": letter.body.decode("utf-8"), "bodyEncoding": "utf-8"}
    except UnicodeDecodeError:
        return {"body": base64.b64encode(letter.body).decode("ascii"), "bodyEncoding": "base64"}


def _id(call: Call) -> str | None:
    return parse_or_none(call.route.get("id"), grammar.guid)


def _place(text: str | None, filters: dict[str, str]) -> Place | None:
    """The place where a continuation resumes. Raises InvalidInput if it is invalid or belongs to other filters."""
    if text is None:
        return None
    try:
        value = from_token(text)
        place = place_from(value["place"])
    except (ValueError, TypeError, KeyError, AttributeError):
        raise InvalidInput.at(key("continuation"), "must be a continuation from an earlier response") from None
    if value.get("wishes") != filters:
        raise InvalidInput.at(key("continuation"), "belongs to a call with other filters")
    return place


def _unknown() -> Answer:
    return refusal(404, "DeadLetterNotFound", "There is no dead letter with this id.")
