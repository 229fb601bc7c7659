r"""The app's own message on the request queue: rows of one bucket that are to be worked on.

    {"work": {"v": 1, "origin": "http", "parentId": null, "acceptedAt": "...",
              "rows": [{"request": {...}, "etag": "W/\"...\"", "generation": 0}]}}

It is read as strictly as a caller's: each request passes the same validation, so a forged one gets nobody
further than a request of their own would. One key at the top keeps our names out of reach of the host, which copies
top-level JSON properties of text messages over the trigger's metadata.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeGuard

from shared.clock import from_text, to_text
from shared.errors import InvalidInput
from shared.ledger.record import Key, Origin
from shared.parsing import grammar
from shared.request.model import DeletionRequest, parse_request, payload_hash, readable, to_wire, with_own_account

MAX_MESSAGE_BYTES = 64 * 1024
"""A Storage queue message's text: https://learn.microsoft.com/azure/storage/queues/scalability-targets"""
MAX_ROWS = 96
"""Of the hundred of a group transaction; the rest is for counts.

https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions
"""
MAX_GENERATION = 1_000_000
CLOCK_SKEW = timedelta(minutes=5)

# An exact version and never `*`, which would match, and so override, any row.
_ETAG = re.compile(r'W/"[\x21\x23-\x7e]{1,200}"', re.ASCII)


@dataclass(frozen=True)
class WorkRow:
    """One request of a message, with what the sender knew of its row."""

    request: DeletionRequest
    payload_hash: str
    etag: str | None = None
    """Version of the `accepted` row: a hint that saves a read. None: insert or read."""
    generation: int = 0

    @property
    def key(self) -> Key:
        return Key.of(self.request)


@dataclass(frozen=True)
class Work:
    """Requests that are delivered together."""

    rows: tuple[WorkRow, ...]
    origin: Origin
    accepted_at: datetime
    parent_id: str | None = None


def write_work(work: Work) -> str:
    """The message's text: ASCII, so that it is legal XML whatever the request holds."""
    rows = [_row_wire(row) for row in work.rows]
    return _text(work, rows)


def split_work(work: Work) -> Iterator[tuple[Work, str]]:
    """The work as messages that fit the queue and a group transaction: bucket by bucket."""
    buckets: dict[str, list[WorkRow]] = {}
    for row in work.rows:
        buckets.setdefault(row.key.bucket, []).append(row)
    for rows in buckets.values():
        for chunk in _chunks(rows):
            part = Work(tuple(chunk), work.origin, work.accepted_at, work.parent_id)
            yield part, write_work(part)


def _chunks(rows: Iterable[WorkRow]) -> Iterator[list[WorkRow]]:
    chunk: list[WorkRow] = []
    size = 0
    for row in rows:
        cost = len(json.dumps(_row_wire(row))) + 1
        if chunk and (len(chunk) == MAX_ROWS or size + cost > MAX_MESSAGE_BYTES - 1024):
            yield chunk
            chunk, size = [], 0
        chunk.append(row)
        size += cost
    yield chunk


def _text(work: Work, rows: list[dict[str, Any]]) -> str:
    body = {
        "v": 1,
        "origin": work.origin.value,
        "parentId": work.parent_id,
        "acceptedAt": to_text(work.accepted_at),
        "rows": rows,
    }
    return json.dumps({"work": body}, separators=(",", ":"))


def _row_wire(row: WorkRow) -> dict[str, Any]:
    wire: dict[str, Any] = {"request": to_wire(row.request)}
    if row.etag:
        wire["etag"] = row.etag
    if row.generation:
        wire["generation"] = row.generation
    return wire


def is_work(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a parsed message is one of the app's own."""
    return isinstance(value, dict) and set(value) == {"work"}


def read_work(value: dict[str, Any], accounts: tuple[str, ...], now: datetime) -> Work:
    """The work of a parsed message.

    Raises:
        InvalidInput: the message breaks a rule, or a request in it does.
    """
    body = value["work"]
    if not isinstance(body, dict) or set(body) != {"v", "origin", "parentId", "acceptedAt", "rows"} or body["v"] != 1:
        raise InvalidInput.at("/work", "is not a work message of this app")
    rows = body["rows"]
    if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_ROWS:
        raise InvalidInput.at("/work/rows", f"must be a list of 1 to {MAX_ROWS} rows")
    work = Work(
        rows=tuple(_read_row(row, f"/work/rows/{index}", accounts, now) for index, row in enumerate(rows)),
        origin=_origin(body["origin"]),
        accepted_at=moment_before(body["acceptedAt"], now, "/work/acceptedAt"),
        parent_id=None if body["parentId"] is None else _guid(body["parentId"]),
    )
    if len({row.key.bucket for row in work.rows}) > 1 or len({row.key for row in work.rows}) < len(rows):
        raise InvalidInput.at("/work/rows", "must be different rows of one bucket")
    return work


def _read_row(row: object, at: str, accounts: tuple[str, ...], now: datetime) -> WorkRow:
    if not isinstance(row, dict) or not {"request"} <= set(row) <= {"request", "etag", "generation"}:
        raise InvalidInput.at(at, "must be an object of request, etag and generation")
    etag, generation = row.get("etag"), row.get("generation", 0)
    if etag is not None and not (isinstance(etag, str) and _ETAG.fullmatch(etag)):
        raise InvalidInput.at(f"{at}/etag", "must be the version of one row")
    if type(generation) is not int or not 0 <= generation <= MAX_GENERATION:
        raise InvalidInput.at(f"{at}/generation", "must be a whole number")
    request = parse_request(row["request"], with_own_account(accounts, row["request"]), now, at=f"{at}/request")
    return WorkRow(request, payload_hash(request), etag, generation)


def _origin(value: Any) -> Origin:
    try:
        return Origin(value)
    except ValueError:
        raise InvalidInput.at("/work/origin", "is not an origin") from None


def moment_before(value: object, now: datetime, at: str) -> datetime:
    """An instant that the app wrote into a message of its own. Raises InvalidInput for what it cannot have written."""
    try:
        moment = from_text(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or moment > now + CLOCK_SKEW:
        raise InvalidInput.at(at, "must be an instant with an offset, not in the future")
    return moment


def _guid(value: object) -> str:
    guid = readable(value, grammar.guid)
    if guid is None:
        raise InvalidInput.at("/work/parentId", "must be a GUID or null")
    return guid
