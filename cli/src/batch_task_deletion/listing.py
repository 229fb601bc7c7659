"""Lists of the API, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from batch_task_deletion.faults import OutOfReach
from batch_task_deletion.find import object_of
from batch_task_deletion.run import Run

PAGE = 200
"""The most records on one page."""

Most = Annotated[int | None, typer.Option("--most", min=1, metavar="N", help="Show only the newest N; default: all.")]


def records(run: Run, path: str, query: Mapping[str, str], most: int | None) -> list[dict[str, Any]]:
    """The records of all pages. With `--json` they are printed as they arrive, and the list stays empty.

    A page may be empty without being the last.
    """
    kept: list[dict[str, Any]] = []
    taken = 0
    for page in _pages(run, path, query, most):
        for record in page[: None if most is None else most - taken]:
            taken += 1
            if run.output.json:
                run.output.document(record)
            else:
                kept.append(record)
        if most is not None and taken >= most:
            break
    return kept


def _pages(run: Run, path: str, query: Mapping[str, str], most: int | None) -> Iterator[list[dict[str, Any]]]:
    asked = {**query, "top": str(min(PAGE, most or PAGE))}
    seen: set[str] = set()
    while True:
        document = object_of(run.client.get(path, asked))
        page = document.get("value")
        if not isinstance(page, list):
            raise OutOfReach("the service at this address is not the app: its list has no records")
        yield page
        more = document.get("continuation")
        if not more:
            return
        if more in seen:
            raise OutOfReach("the app returned the same continuation twice")
        seen.add(more)
        asked["continuation"] = more
