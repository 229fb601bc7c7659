"""The bulk calls about dead letters: their bodies, and the pass that a call starts or continues.

A pass is a series of calls, each starting where the last one ended. Its continuation carries the filters, the instant
at which the pass started, its rate and the time of its next message, so the app keeps no state between the calls. It is
not a secret: it allows nothing that the filters alone would not.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema

from shared.clock import from_text, to_text
from shared.errors import InvalidInput, Problem
from shared.ledger.record import DEAD_LETTERED
from shared.parsing import grammar
from shared.parsing.strict_model import StrictModel
from shared.request.model import JobId
from shared.results.letter_listing import LetterFilter, Place
from shared.results.letter_rows import PLACE

MAX_REASON = 128
MAX_CONTINUATION = 8 * 1024
MAX_RATE = 1_000
USUAL_RATE = 10
MAX_DELAY = timedelta(days=30)
"""How far ahead the next message of a pass may be; a queue hides a message for at most seven days."""


def _instant(text: str) -> str:
    return to_text(grammar.instant(text))


def _reason(text: str) -> str:
    if not 1 <= len(text) <= MAX_REASON or not text.isascii() or not text.isprintable() or "'" in text:
        raise ValueError(f"must be 1 to {MAX_REASON} printable ASCII characters without an apostrophe")
    return text


Instant = Annotated[str, AfterValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})]
Reason = Annotated[
    str, AfterValidator(_reason), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_REASON})
]


class LetterFilters(StrictModel):
    """The filters that the listing and the bulk calls share."""

    outcome: str | None = None
    reason: Reason | None = None
    job_id: JobId | None = None
    queue: str | None = None
    since: Instant | None = None
    before: Instant | None = None

    def check(self, queues: tuple[str, ...]) -> list[Problem]:
        """Problems with filters that can never match."""
        known = (("outcome", self.outcome, sorted(DEAD_LETTERED)), ("queue", self.queue, queues))
        return [
            Problem(f"/{name}", f"must be one of {', '.join(words)}")
            for name, text, words in known
            if text is not None and text not in words
        ]

    def filters(self) -> dict[str, str]:
        """The filters that are set, by their names."""
        fields = {field.alias or name: getattr(self, name) for name, field in LetterFilters.model_fields.items()}
        return {name: text for name, text in fields.items() if text is not None}


class BulkFilters(LetterFilters):
    """Which dead letters a bulk call acts on, newest first."""

    most: Annotated[int, Field(ge=1, le=1_000)] = 100
    dry_run: bool = False
    all: bool = False
    """Required if no filter is set, so that an empty body cannot act on everything by mistake."""
    continuation: Annotated[str, Field(min_length=1, max_length=MAX_CONTINUATION)] | None = None


class BulkRedrive(BulkFilters):
    """The same, with the rate at which requests are redriven: that of the whole pass, so only its first call needs it."""

    per_second: Annotated[int, Field(ge=1, le=MAX_RATE)] | None = None


@dataclass(frozen=True)
class Pass:
    """The state of one pass."""

    act: str
    filters: dict[str, str]
    before: datetime
    """Letters first seen at or after this instant are not part of the pass."""
    due: datetime
    """When the next message of the pass may become visible."""
    dry_run: bool
    per_second: int | None = None
    """How many are redriven per second; None for another act."""
    place: Place = field(default_factory=Place)

    @property
    def pause(self) -> timedelta:
        """From one message of the pass to the next."""
        return timedelta(seconds=1) / self.per_second if self.per_second else timedelta(0)

    def filter(self) -> LetterFilter:
        """The letters of the pass."""
        return filter_of(self.filters | {"before": to_text(self.before)}, redrivable=self.act == "redrive")

    def at(self, place: Place | None, due: datetime) -> str | None:
        """The continuation for the next call; None if nothing is left."""
        return None if place is None else encoded(replace(self, place=place, due=due))


def filter_of(filters: dict[str, str], *, settled: bool = False, redrivable: bool = False) -> LetterFilter:
    """The filter made from its fields by name."""
    since, before = filters.get("since"), filters.get("before")
    return LetterFilter(
        outcome=filters.get("outcome"),
        reason=filters.get("reason"),
        job_id=filters.get("jobId"),
        queue=filters.get("queue"),
        since=from_text(since) if since else None,
        before=from_text(before) if before else None,
        settled=settled,
        redrivable=redrivable,
    )


def begin(act: str, asked: BulkFilters, queues: tuple[str, ...], now: datetime) -> Pass:
    """The pass that a call starts, or continues if it has a continuation. Raises InvalidInput."""
    problems = asked.check(queues)
    filters = asked.filters()
    if not (asked.all or filters or asked.continuation):
        text = 'must have an outcome, reason, jobId, queue, since or before, or "all": true'
        problems.append(Problem("", text))
    if problems:
        raise InvalidInput(problems)
    if asked.continuation is not None:
        return _go_on(act, asked, filters, now)
    before = from_text(filters["before"]) if "before" in filters else now
    rate = asked.per_second or USUAL_RATE if isinstance(asked, BulkRedrive) else None
    return Pass(act, filters, before, now, asked.dry_run, rate)


def _go_on(act: str, asked: BulkFilters, filters: dict[str, str], now: datetime) -> Pass:
    found = decoded(asked.continuation or "")
    if found.act != act:
        raise InvalidInput.at("/continuation", "belongs to another kind of call")
    if (filters or asked.all) and filters not in (found.filters, found.filters | {"before": to_text(found.before)}):
        raise InvalidInput.at("/continuation", "belongs to a call with other filters")
    if found.dry_run != asked.dry_run:
        wanted = "true" if found.dry_run else "absent or false"
        raise InvalidInput.at("/dryRun", f"must be {wanted}, as in the call that returned the continuation")
    if isinstance(asked, BulkRedrive) and asked.per_second not in (None, found.per_second):
        text = f"must be absent or {found.per_second}, as in the call that returned the continuation"
        raise InvalidInput.at("/perSecond", text)
    return replace(found, due=min(max(found.due, now), now + MAX_DELAY))


def encoded(one: Pass) -> str:
    """The continuation of a pass."""
    return to_token(
        {
            "act": one.act,
            "wishes": one.filters,
            "before": to_text(one.before),
            "due": to_text(one.due),
            "dryRun": one.dry_run,
            "perSecond": one.per_second,
            "place": place_wire(one.place),
        }
    )


def decoded(text: str) -> Pass:
    """The pass of a continuation. Raises InvalidInput if it is not one."""
    fault = InvalidInput.at("/continuation", "must be a continuation from an earlier response")
    try:
        value = from_token(text)
        filters = LetterFilters.model_validate(value["wishes"], by_alias=True, by_name=False).filters()
        return Pass(
            act=str(value["act"]),
            filters=filters,
            before=grammar.instant(value["before"]),
            due=grammar.instant(value["due"]),
            dry_run=value["dryRun"] is True,
            per_second=_rate(value["act"], value["perSecond"]),
            place=place_from(value["place"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        raise fault from None


def _rate(act: str, value: Any) -> int | None:
    """The rate in a continuation; only a redrive has one. Raises ValueError."""
    if act != "redrive":
        return None
    if type(value) is not int or not 1 <= value <= MAX_RATE:
        raise ValueError("is not a rate")
    return value


def to_token(value: dict[str, Any]) -> str:
    """Encodes a value as text for a URL or a body."""
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")


def from_token(text: str) -> dict[str, Any]:
    """The value of such a text; empty if it is not an object. Raises ValueError."""
    try:
        value = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except RecursionError:
        value = None
    return value if isinstance(value, dict) else {}


def place_wire(place: Place) -> dict[str, Any]:
    """A place as part of a continuation."""
    return {"after": place.after, "scans": dict(place.scans)}


def place_from(value: Any) -> Place:
    """The place in a continuation, checked because it becomes part of a query. Raises ValueError, TypeError or KeyError."""
    after, scans = value["after"], value["scans"]
    if after != "" and not PLACE.fullmatch(after):
        raise ValueError("is not a place")
    return Place(after, {name: _keys(scan) for name, scan in scans.items()})


def _keys(scan: Any) -> dict[str, str]:
    """A continuation of the service, which writes keys in printable ASCII. Raises ValueError, TypeError or KeyError."""
    # The service may leave the row key out:
    # https://learn.microsoft.com/rest/api/storageservices/query-timeout-and-pagination
    keys = {name: scan[name] for name in ("PartitionKey", "RowKey") if scan[name] is not None}
    if not all(str.isascii(key) and str.isprintable(key) for key in keys.values()):
        raise ValueError("is not a continuation")
    return keys
