"""The app's own message for the next step of a sweep, on the job-completion queue.

    {"sweep": {"v": 1, "id": "...", "step": 3, "repeat": false}}

Everything else is in the sweep's row, so a forged message can at most trigger a step that is due anyway.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, TypeGuard

from shared.errors import InvalidInput
from shared.parsing import grammar
from shared.request.model import parse_or_none

MAX_STEP = 1_000_000_000


@dataclass(frozen=True)
class SweepStep:
    """The next step of a sweep."""

    sweep_id: str
    number: int
    repeats: bool = False
    """The requests of the previous step are sent once more: its message was lost, perhaps before they were sent."""


def write_sweep_step(step: SweepStep) -> str:
    """The message's text, ASCII."""
    body = {"v": 1, "id": step.sweep_id, "step": step.number, "repeat": step.repeats}
    return json.dumps({"sweep": body}, separators=(",", ":"))


def is_sweep_step(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a parsed message is one of these."""
    return isinstance(value, dict) and set(value) == {"sweep"}


def read_sweep_step(value: dict[str, Any]) -> SweepStep:
    """The step in a parsed message. Raises InvalidInput if the app did not write the message."""
    body = value["sweep"]
    if not isinstance(body, dict) or set(body) != {"v", "id", "step", "repeat"} or body["v"] != 1:
        raise InvalidInput.at("/sweep", "is not a step of this app")
    sweep_id = parse_or_none(body["id"], grammar.guid)
    if sweep_id is None:
        raise InvalidInput.at("/sweep/id", "must be a GUID")
    if type(body["step"]) is not int or not 0 <= body["step"] <= MAX_STEP:
        raise InvalidInput.at("/sweep/step", "must be a whole number")
    if type(body["repeat"]) is not bool:
        raise InvalidInput.at("/sweep/repeat", "must be true or false")
    return SweepStep(sweep_id, body["step"], body["repeat"])
