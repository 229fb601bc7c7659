"""One deletion request, from a line of a file or from the command line, and the id derived from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4, uuid5

from batch_task_deletion import forms

Request = dict[str, Any]
"""A request object of the API, checked as far as is possible without the app."""

SERVICE_TIMEOUT = 30
"""Seconds. The service caps `timeout` here, so the app treats all longer ones as equal."""

_NAMESPACE = UUID("5b0a1f0e-5d9c-5d57-8a5e-0d9f4c2f6a31")
_NOT_COMPARED = ("clientRequestId", "metadata", "ocpDate", "traceparent")
"""The app also ignores these when it decides whether a request repeats another."""


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
    """Raises ValueError for an unknown field name. If only its letter case is wrong, the message has the right one."""
    if name not in FIELDS:
        right = next((known for known in FIELDS if known.lower() == name.lower()), None)
        raise ValueError(f"{name!r} is not a field of a request" + (f"; did you mean {right}?" if right else ""))


def checked(given: Mapping[str, object], options: Mapping[str, Any]) -> Request:
    """The request of a line. Options of the command line fill in what the line leaves out.

    Raises ValueError. `--dry-run` applies to every line. A job given by both the line and `--job` must be the same.
    """
    request: Request = {}
    for name, value in given.items():
        check_field(name)
        try:
            request[name] = FIELDS[name](value)
        except ValueError as fault:
            raise ValueError(f"{name} {fault}") from None
    job = options.get("jobId")
    if job is not None and request.get("jobId", job).lower() != job.lower():
        raise ValueError(f"the line has job {request['jobId']}, but --job is {job}")
    request = {**options, **request}
    if options.get("dryRun"):
        request["dryRun"] = True
    for name in ("jobId", "taskId"):
        if name not in request:
            raise ValueError(f"{name} is missing" + ("; --job sets it for all lines" if name == "jobId" else ""))
    return request


def normal_form(request: Mapping[str, Any]) -> str:
    """A request's payload in canonical spelling: lines with the same form make the same request."""
    normal = {name: value for name, value in request.items() if name not in _NOT_COMPARED and value is not False}
    normal["jobId"], normal["taskId"] = request["jobId"].lower(), request["taskId"].lower()
    if "timeout" in normal:
        normal["timeout"] = min(normal["timeout"], SERVICE_TIMEOUT)
    if "batchUrl" in normal:
        normal["batchUrl"] = _account(normal["batchUrl"])
    return json.dumps(normal, sort_keys=True, separators=(",", ":"))


def line_id(request: Mapping[str, Any], again: str | None = None) -> str:
    """The id of a line that has none: the same for the same request, whichever file or line it is in.

    `again` is the id of a `--again` run: ids are the same within that run, and different from those of any other.
    """
    return str(uuid5(UUID(again) if again else _NAMESPACE, normal_form(request)))


def task_request_id(parent: str, job: str, task: str) -> str:
    """The id that the app derives for one task of a `taskIds` envelope."""
    return str(uuid5(UUID(parent), f"{job}/{task}".lower()))


def new_id() -> str:
    """A new random id."""
    return str(uuid4())


def _account(text: str) -> str:
    """A Batch account's URL in canonical form; the text unchanged if it is not a URL."""
    try:
        parts = urlsplit(text.lower())
        port = parts.port
    except ValueError:
        return text
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    rest = parts.path.removesuffix("/")
    return f"{parts.scheme}://{host}{'' if port in (None, usual) else f':{port}'}{rest}"
