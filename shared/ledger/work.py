r"""The app's own message on the request queue: rows of one bucket to work on.

    {"work": {"v": 1, "origin": "http", "parentId": null, "acceptedAt": "...",
              "rows": [{"request": {...}, "etag": "W/\"...\"", "generation": 0,
                        "retry": {"attempts": 1, "maybeEffect": false, "at": "..."}}]}}

Only a row's request is required. With the row's version a claim needs no read; `retry` holds its earlier attempts.

It is read as strictly as a caller's message: each request passes the same validation, so forging one gains nothing
over sending an ordinary request. A single top-level key protects our field names from the host, which copies top-level
JSON properties of text messages over the trigger's metadata.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeGuard

from shared.clock import from_text, to_text
from shared.errors import InvalidInput
from shared.ledger.record import Key, Origin, Record, State
from shared.parsing import grammar
from shared.parsing.grammar import due_at
from shared.request.model import parse_or_none, parse_request, to_wire, with_own_account

MAX_MESSAGE_BYTES = 64 * 1024
"""A Storage queue message's text: https://learn.microsoft.com/azure/storage/queues/scalability-targets"""
MAX_ROWS = 96
"""Rows out of the hundred of a group transaction; the rest are for counts.

https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions
"""
MAX_GENERATION = 1_000_000
MAX_ATTEMPTS = 1_000_000
CLOCK_SKEW = timedelta(minutes=5)

# An exact version, never `*`, which would match and overwrite any row.
_ETAG = re.compile(r'W/"[\x21\x23-\x7e]{1,200}"', re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{1,64}", re.ASCII)
_HEADER = frozenset({"v", "origin", "parentId", "acceptedAt"})


def messages(records: Iterable[Record], at: datetime | None = None) -> Iterator[tuple[datetime | None, str]]:
    """The records as messages that fit the queue and a group transaction, with each message's due time (None: now).

    The rows of one message share bucket, due time, origin, acceptance time and parent, so its header is true for all.
    `at` overrides every due time.
    """
    together: dict[tuple[object, ...], list[Record]] = {}
    times: Counter[Key] = Counter()
    for record in records:
        # The same id twice goes into two messages, because a transaction may hold a row only once.
        key = (at or record.due, record.key.bucket, times[record.key], *_header(record).values())
        times[record.key] += 1
        together.setdefault(key, []).append(record)
    for alike in together.values():
        header = _json(_header(alike[0])).removesuffix("}")
        for rows in _chunks([_json(_row_wire(record)) for record in alike]):
            yield at or alike[0].due, f'{{"work":{header},"rows":[{",".join(rows)}]}}}}'


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _header(record: Record) -> dict[str, Any]:
    header: dict[str, Any] = {
        "v": 1,
        "origin": record.origin.value,
        "parentId": record.parent_id,
        "acceptedAt": to_text(record.accepted_at),
    }
    return header | ({"policy": record.policy} if record.policy else {})


def _chunks(rows: Iterable[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    size = 0
    for row in rows:
        cost = len(row) + 1
        if chunk and (len(chunk) == MAX_ROWS or size + cost > MAX_MESSAGE_BYTES - 1024):
            yield chunk
            chunk, size = [], 0
        chunk.append(row)
        size += cost
    yield chunk


def _row_wire(record: Record) -> dict[str, Any]:
    wire: dict[str, Any] = {"request": to_wire(record.request)}
    if record.etag and _is_told_whole(record):
        wire["etag"] = record.etag
        if record.next_attempt_at:
            wire["retry"] = {
                "attempts": record.attempts,
                "maybeEffect": record.maybe_effect,
                "at": to_text(record.next_attempt_at),
            }
    if record.generation:
        wire["generation"] = record.generation
    return wire


def _is_told_whole(record: Record) -> bool:
    """Whether the message holds everything a claim is based on, so that the row's version makes a read unnecessary."""
    request = record.request
    due = due_at(request.delete_after, record.accepted_at) if request.delete_after else None
    if (due and to_text(due)) != (record.due_at and to_text(record.due_at)):
        return False  # Redriven: due by its first acceptance.
    return record.is_released or (record.is_untouched and not record.maybe_effect)


def is_work(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a parsed message is one of the app's own."""
    return isinstance(value, dict) and set(value) == {"work"}


def read_work(value: dict[str, Any], accounts: tuple[str, ...], now: datetime) -> tuple[Record, ...]:
    """The requests of a parsed message, with what the message says about each row.

    With a version (`etag`) that is the whole row, `accepted` or released for a retry; without, only the request.

    Raises:
        InvalidInput: the message breaks a rule, or a request in it does.
    """
    body = value["work"]
    if not isinstance(body, dict) or set(body) - {"policy"} != _HEADER | {"rows"} or body["v"] != 1:
        raise InvalidInput.at("/work", "is not a work message of this app")
    rows = body["rows"]
    if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_ROWS:
        raise InvalidInput.at("/work/rows", f"must be a list of 1 to {MAX_ROWS} rows")
    header = (
        _origin(body["origin"]),
        moment_before(body["acceptedAt"], now, "/work/acceptedAt"),
        None if body["parentId"] is None else _guid(body["parentId"]),
        _policy(body.get("policy")),
    )
    records = tuple(_read_row(row, f"/work/rows/{index}", accounts, now, header) for index, row in enumerate(rows))
    if len({record.key.bucket for record in records}) > 1 or len({record.key for record in records}) < len(rows):
        raise InvalidInput.at("/work/rows", "must be different rows of one bucket")
    return records


def _read_row(
    row: object,
    at: str,
    accounts: tuple[str, ...],
    now: datetime,
    header: tuple[Origin, datetime, str | None, str | None],
) -> Record:
    if not isinstance(row, dict) or not {"request"} <= set(row) <= {"request", "etag", "generation", "retry"}:
        raise InvalidInput.at(at, "must be an object of request, etag, generation and retry")
    etag, generation = row.get("etag"), row.get("generation", 0)
    if etag is not None and not (isinstance(etag, str) and _ETAG.fullmatch(etag)):
        raise InvalidInput.at(f"{at}/etag", "must be the version of one row")
    if type(generation) is not int or not 0 <= generation <= MAX_GENERATION:
        raise InvalidInput.at(f"{at}/generation", "must be a whole number")
    request = parse_request(row["request"], with_own_account(accounts, row["request"]), now, at=f"{at}/request")
    record = replace(Record.new(request, *header), etag=etag, generation=generation)
    return _retried(record, row["retry"], f"{at}/retry") if "retry" in row else record


def _retried(record: Record, retry: object, at: str) -> Record:
    if not isinstance(retry, dict) or set(retry) != {"attempts", "maybeEffect", "at"} or record.etag is None:
        raise InvalidInput.at(at, "must be an object of attempts, maybeEffect and at, beside an etag")
    attempts, effect = retry["attempts"], retry["maybeEffect"]
    if type(attempts) is not int or not 0 <= attempts <= MAX_ATTEMPTS or type(effect) is not bool:
        raise InvalidInput.at(at, "must hold a number of attempts and whether they may have had an effect")
    return replace(
        record,
        state=State.CLAIMED,
        attempts=attempts,
        maybe_effect=effect,
        next_attempt_at=_moment(retry["at"], f"{at}/at"),
    )


def _origin(value: Any) -> Origin:
    try:
        return Origin(value)
    except ValueError:
        raise InvalidInput.at("/work/origin", "is not an origin") from None


def _policy(value: object) -> str | None:
    if value is not None and not (isinstance(value, str) and _DIGEST.fullmatch(value)):
        raise InvalidInput.at("/work/policy", "must be a digest")
    return value


def moment_before(value: object, now: datetime, at: str) -> datetime:
    """An instant in one of the app's own messages. Raises InvalidInput for one that the app cannot have written."""
    moment = _moment(value, at)
    if moment > now + CLOCK_SKEW:
        raise InvalidInput.at(at, "must be an instant with an offset, not in the future")
    return moment


def _moment(value: object, at: str) -> datetime:
    fault = InvalidInput.at(at, "must be an instant with an offset")
    if not isinstance(value, str):
        raise fault
    try:
        moment = from_text(value)
        if moment.tzinfo is None:
            raise fault
        # It must lie in the years 1 to 9999 in UTC too, or later arithmetic would fail.
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise fault from None


def _guid(value: object) -> str:
    guid = parse_or_none(value, grammar.guid)
    if guid is None:
        raise InvalidInput.at("/work/parentId", "must be a GUID or null")
    return guid
