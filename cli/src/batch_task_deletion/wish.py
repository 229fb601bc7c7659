"""One request for a deletion as a line of a file or the command line asks for it, and the id that follows from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4, uuid5

from batch_task_deletion import forms

Wish = dict[str, Any]
"""A request object of the API, checked as far as it can be without the app."""

SERVICE_TIMEOUT = 30
"""Seconds: the service treats any longer `timeout` as this, so that the app takes the two for the same."""

_NAMESPACE = UUID("5b0a1f0e-5d9c-5d57-8a5e-0d9f4c2f6a31")
_NOT_COMPARED = ("clientRequestId", "metadata", "ocpDate", "traceparent")
"""The app, too, leaves these out when it tells a repeat from another request."""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text")
    return value


def _formed(rule: Callable[[str], str]) -> Callable[[object], str]:
    def check(value: object) -> str:
        rule(_text(value))
        return str(value)

    return check


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _seconds(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("must be a whole number")
    if not 1 <= value <= 2**31 - 1:
        raise ValueError(f"must be 1 to {2**31 - 1}")
    return value


def _metadata(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValueError("must be an object whose values are text")
    return value


FIELDS: Mapping[str, Callable[[object], Any]] = {
    "clientRequestId": _formed(forms.guid),
    "jobId": _formed(forms.job_id),
    "taskId": _formed(forms.task_id),
    "batchUrl": _text,
    "timeout": _seconds,
    "returnClientRequestId": _boolean,
    "ocpDate": _text,
    "ifMatch": _text,
    "ifNoneMatch": _text,
    "ifModifiedSince": _text,
    "ifUnmodifiedSince": _text,
    "dryRun": _boolean,
    "deleteAfter": _formed(forms.delay),
    "metadata": _metadata,
    "traceparent": _text,
}


def check_field(name: str) -> None:
    """Raises ValueError for a name that no field has; where only the letter case is wrong, it has the right one."""
    if name not in FIELDS:
        right = next((known for known in FIELDS if known.lower() == name.lower()), None)
        raise ValueError(f"{name!r} is no field of a request" + (f"; {right} is" if right else ""))


def checked(given: Mapping[str, object], options: Mapping[str, Any]) -> Wish:
    """The request of a line, with the options of the command line where the line says nothing itself.

    Raises ValueError. A dry run that the command line asks for holds for every line; a job that is named twice must
    be the same.
    """
    wish: Wish = {}
    for name, value in given.items():
        check_field(name)
        try:
            wish[name] = FIELDS[name](value)
        except ValueError as fault:
            raise ValueError(f"{name} {fault}") from None
    job = options.get("jobId")
    if job is not None and wish.get("jobId", job).lower() != job.lower():
        raise ValueError(f"the job is {wish['jobId']} here and {job} by --job")
    wish = {**options, **wish}
    if options.get("dryRun"):
        wish["dryRun"] = True
    for name in ("jobId", "taskId"):
        if name not in wish:
            raise ValueError(f"{name} is missing" + ("; --job names it for all lines" if name == "jobId" else ""))
    return wish


def normal_form(wish: Mapping[str, Any]) -> str:
    """What a request asks for, in one spelling: two lines of the same form ask for the same thing."""
    normal = {name: value for name, value in wish.items() if name not in _NOT_COMPARED and value is not False}
    normal["jobId"], normal["taskId"] = wish["jobId"].lower(), wish["taskId"].lower()
    if "timeout" in normal:
        normal["timeout"] = min(normal["timeout"], SERVICE_TIMEOUT)
    if "batchUrl" in normal:
        normal["batchUrl"] = _account(normal["batchUrl"])
    return json.dumps(normal, sort_keys=True, separators=(",", ":"))


def line_id(wish: Mapping[str, Any], again: str | None = None) -> str:
    """The id of a line that gives none: the same for the same request, wherever it stands.

    `again` is the id of a run that asks again: within it the same, in every other run another.
    """
    return str(uuid5(UUID(again) if again else _NAMESPACE, normal_form(wish)))


def task_request_id(parent: str, job: str, task: str) -> str:
    """The id that the app derives for one task of a call that names many."""
    return str(uuid5(UUID(parent), f"{job}/{task}".lower()))


def new_id() -> str:
    """An id that nobody else has."""
    return str(uuid4())


def _account(text: str) -> str:
    """A Batch account's URL without what makes no difference; the text itself where it is none."""
    try:
        parts = urlsplit(text.lower())
        port = parts.port
    except ValueError:
        return text
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    rest = parts.path.removesuffix("/")
    return f"{parts.scheme}://{host}{'' if port in (None, usual) else f':{port}'}{rest}"
