"""Which operation a request line means."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from devstack.batch.errors import ServiceError
from devstack.batch.unsimulated import methods_of


@dataclass(frozen=True)
class Route:
    """An operation, by the name that fault rules and the journal use, and the ids in the path."""

    operation: str
    job: str = ""
    task: str = ""


UNKNOWN = Route("unknown")

# The shape of a path, each id shown as `*`, and what each method does there.
_OPERATIONS: dict[tuple[str, ...], dict[str, str]] = {
    ("jobs",): {"GET": "job-list", "POST": "job-add"},
    ("jobs", "*"): {"GET": "job-get", "DELETE": "job-delete"},
    ("jobs", "*", "terminate"): {"POST": "job-terminate"},
    ("jobs", "*", "addtaskcollection"): {"POST": "task-add-collection"},
    ("jobs", "*", "tasks"): {"GET": "task-list", "POST": "task-add"},
    ("jobs", "*", "tasks", "*"): {"GET": "task-get", "DELETE": "task-delete"},
}
OPERATIONS = frozenset(name for methods in _OPERATIONS.values() for name in methods.values())


def find_route(method: str, path: str) -> Route:
    """The operation of a raw path.

    Raises OperationNotSimulated for an operation that only Batch has, else UnsupportedHttpVerb for a known resource,
    else ResourceNotFound.

    Dot segments are folded and a trailing slash is ignored, as in the HTTP stacks on the way to the real service:
    `DELETE /jobs/j1/tasks/..` deletes the whole job, and a client that allows it should find that out here.
    """
    segments = _fold(path)
    shape = tuple("*" if index in (1, 3) else segment for index, segment in enumerate(segments))
    methods, others = _OPERATIONS.get(shape, {}), methods_of(segments)
    if method in methods:
        return Route(methods[method], *segments[1:2], *segments[3:4])
    if method in others:
        raise ServiceError("OperationNotSimulated", [("Operation", f"{method} /{'/'.join(segments)}")])
    raise ServiceError("UnsupportedHttpVerb" if methods or others else "ResourceNotFound")


def _fold(path: str) -> list[str]:
    folded: list[str] = []
    for segment in map(unquote, path.split("/")):
        if segment == "..":
            del folded[-1:]
        elif segment not in ("", "."):
            folded.append(segment)
    return folded
