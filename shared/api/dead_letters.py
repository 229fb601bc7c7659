"""The HTTP calls about dead letters: look, and put back, one or many."""

from __future__ import annotations

import base64
from typing import Annotated, Any

from pydantic import Field

from shared.api.answer import Answer, Call, invalid, refusal
from shared.api.query import read_query
from shared.clock import to_text
from shared.errors import InvalidInput, Problem
from shared.ledger.record import DEAD_LETTERED
from shared.operations.redrive import HOPELESS, Redrive, Redriven
from shared.parsing import grammar, strict_json
from shared.parsing.strict_model import StrictModel, checked
from shared.request.model import readable
from shared.results.dead_letters import DeadLetter, DeadLetterStore
from shared.results.event import dry_run_mark, error_wire

MAX_TOP = 200
DEFAULT_TOP = 50
MAX_FILTER_BYTES = 16 * 1024


class Selection(StrictModel):
    """Which dead letters a bulk redrive takes, newest first, and how fast it puts them back."""

    outcome: str | None = None
    reason: str | None = None
    job_id: str | None = None
    queue: str | None = None
    most: Annotated[int, Field(ge=1, le=1_000)] = 100
    per_second: Annotated[int, Field(ge=1, le=1_000)] = 10
    dry_run: bool = False
    all: bool = False
    """Must be said when no filter is: an empty body would put everything back."""

    def check(self, queues: tuple[str, ...]) -> None:
        """Raises InvalidInput for a filter that can match nothing, and for none at all."""
        problems = [
            Problem(f"/{name}", f"must be one of {', '.join(known)}")
            for name, text, known in (("outcome", self.outcome, sorted(DEAD_LETTERED)), ("queue", self.queue, queues))
            if text is not None and text not in known
        ]
        if not self.all and all(wish is None for wish in (self.outcome, self.reason, self.job_id, self.queue)):
            problems.append(Problem("", 'must name an outcome, reason, jobId or queue, or say "all": true'))
        if problems:
            raise InvalidInput(problems)

    def takes(self, letter: DeadLetter) -> bool:
        """Whether a dead letter is meant; those that are put back already or never can be are not."""
        wanted = (self.outcome, self.reason, self.job_id and self.job_id.lower(), self.queue)
        has = (letter.outcome, letter.reason, (letter.job_id or "").lower(), letter.queue)
        return (
            letter.redriven_at is None
            and letter.outcome not in HOPELESS
            and all(want is None or want == value for want, value in zip(wanted, has, strict=True))
        )


class DeadLetterApi:
    """`/api/dead-letters`. Methods may raise StorageUnavailable."""

    def __init__(self, letters: DeadLetterStore, redrive: Redrive, queues: tuple[str, ...]) -> None:
        self._letters = letters
        self._redrive = redrive
        self._queues = queues

    def listing(self, call: Call) -> Answer:
        """`GET /api/dead-letters?top=&continuation=`."""
        try:
            query = read_query(call.query, "top", "continuation")
            letters, more = self._letters.newest(_top(query.get("top")), query.get("continuation", ""))
        except InvalidInput as fault:
            return invalid(fault)
        except ValueError as fault:
            return refusal(400, "InvalidRequest", "The query is not valid.", [("continuation", str(fault))])
        return Answer(200, {"value": [summary(letter) for letter in letters], "continuation": more})

    def one(self, call: Call) -> Answer:
        """`GET /api/dead-letters/{id}`."""
        letter_id = readable(call.route.get("id"), grammar.guid)
        letter = self._letters.read(letter_id) if letter_id else None
        return Answer(200, summary(letter) | body_of(letter)) if letter else _unknown()

    def put_back(self, call: Call) -> Answer:
        """`POST /api/dead-letters/{id}/redrive`."""
        letter_id = readable(call.route.get("id"), grammar.guid)
        came = self._redrive.put_back(letter_id) if letter_id else Redriven.UNKNOWN
        if came is Redriven.PUT_BACK:
            return Answer(202, {"id": letter_id, "redriven": True})
        if came is Redriven.ALREADY:
            return refusal(409, "AlreadyRedriven", "This dead letter was put back before.")
        if came is Redriven.NEVER:
            return refusal(422, "NotRedrivable", "Another try cannot succeed; send a corrected request with a new id.")
        return _unknown()

    def put_back_many(self, call: Call) -> Answer:
        """`POST /api/dead-letters/redrive`: those that a filter takes, spread over time by message delays."""
        try:
            value = strict_json.parse(call.body or b"{}", max_bytes=MAX_FILTER_BYTES)
            selection = checked(Selection, value)
            selection.check(self._queues)
        except InvalidInput as fault:
            return invalid(fault)
        taken = self._matching(selection)
        counts = {"matched": len(taken), "redriven": 0}
        if not selection.dry_run:
            for index, letter in enumerate(taken):
                came = self._redrive.put_back(letter.id, index / selection.per_second)
                counts["redriven"] += came is Redriven.PUT_BACK
        answer = {"dryRun": selection.dry_run, **counts, "ids": [letter.id for letter in taken]}
        return Answer(200 if selection.dry_run else 202, answer)

    def _matching(self, selection: Selection) -> list[DeadLetter]:
        taken: list[DeadLetter] = []
        place: str | None = ""
        while True:
            letters, place = self._letters.newest(MAX_TOP, place or "")
            taken += [letter for letter in letters if selection.takes(letter)]
            if len(taken) >= selection.most or place is None:
                return taken[: selection.most]


def summary(letter: DeadLetter) -> dict[str, Any]:
    """A dead letter as the listing shows it."""
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
        "statusCode": letter.status,
        "batchRequestId": letter.batch_request_id,
        "error": error_wire(letter.error),
        **dry_run_mark(dry_run=letter.dry_run),
    }


def body_of(letter: DeadLetter) -> dict[str, str]:
    """The body as received: text where it is text."""
    try:
        return {"body": letter.body.decode("utf-8"), "bodyEncoding": "utf-8"}
    except UnicodeDecodeError:
        return {"body": base64.b64encode(letter.body).decode("ascii"), "bodyEncoding": "base64"}


def _top(text: str | None) -> int:
    if text is None:
        return DEFAULT_TOP
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MAX_TOP):
        raise InvalidInput([Problem("top", f"must be a whole number from 1 to {MAX_TOP}")])
    return int(text)


def _unknown() -> Answer:
    return refusal(404, "DeadLetterNotFound", "There is no dead letter with this id.")
