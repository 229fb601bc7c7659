"""Finds the request, clean-up or sweep with a given id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from batch_task_deletion.client import Answer, Client
from batch_task_deletion.faults import OutOfReach, Refused
from batch_task_deletion.subject import Kind, Subject
from batch_task_deletion.text import error_text, is_error


@dataclass(frozen=True)
class Found:
    """A request, clean-up or sweep in its current state."""

    subject: Subject
    document: dict[str, Any]


def find(client: Client, wanted: str, *, dry_run: bool, deadline: float | None = None) -> Found:
    """Looks the id up; if a dry run has the same id, `dry_run` chooses it.

    Raises Refused if nothing has the id, and TimeUp at `deadline`.
    """
    missing: list[Answer] = []
    for subject in _candidates(wanted, dry_run=dry_run):
        answer = client.get(subject.path, subject.query, deadline=deadline)
        if answer.status != 404:
            document = object_of(answer)
            if subject.kind is not Kind.SWEEP or not dry_run or document.get("dryRun") is True:
                return Found(subject, document)
        else:
            missing.append(answer)
    own = next((answer.document for answer in missing if is_error(answer.document)), None)
    if own is None and missing:
        # The app's 404 is a BatchError. A bare one is from another service, or another path.
        raise OutOfReach("the service at this address is not the app: it answered 404 to every call")
    raise Refused(f"{wanted}: there is no {'dry run' if dry_run else 'request, clean-up or sweep'} with this id", own)


def _candidates(wanted: str, *, dry_run: bool) -> list[Subject]:
    real = [Subject(kind, wanted) for kind in Kind]
    dry = [Subject(kind, wanted, dry_run=True) for kind in (Kind.REQUEST, Kind.CLEAN_UP)]
    return [*dry, Subject(Kind.SWEEP, wanted, dry_run=True)] if dry_run else [*real, *dry]


def object_of(answer: Answer) -> dict[str, Any]:
    """The document of a successful response. Raises Refused for a refusal, OutOfReach without a document."""
    if answer.status >= 400:
        if is_error(answer.document):
            raise Refused(error_text(answer.document), answer.document)
        raise OutOfReach(f"the service at this address does not support this call ({answer.status})")
    if answer.document is None and answer.location:
        return {}
    if not isinstance(answer.document, dict):
        raise OutOfReach("the service at this address is not the app: its response is not a JSON object")
    return answer.document
