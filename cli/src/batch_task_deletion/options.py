"""The options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from batch_task_deletion import forms

Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="Address of the app, with or without /api [BATCH_TASK_DELETION_URL]."),
]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", metavar="FILE", help="File with the function key, which only you can read."),
]
Azd = Annotated[bool, typer.Option("--azd", help="The app of the current azd environment, with its default key.")]
Json = Annotated[bool, typer.Option("--json", help="The API's own documents, one a line, and nothing else.")]


def checking(rule: Callable[[str], object]) -> Callable[[str | None], str | None]:
    """A value that keeps a rule, as given; a wrong one is a mistake of usage."""

    def check(text: str | None) -> str | None:
        if text is None:
            return None
        if not text.strip():
            raise typer.BadParameter("must not be empty")
        try:
            rule(text)
        except ValueError as fault:
            raise typer.BadParameter(str(fault)) from None
        return text

    return check


def _whatever(text: str) -> str:
    return text


filled = checking(_whatever)
"""Any text but none: an empty filter would take more than was meant."""

DryRun = Annotated[bool, typer.Option("--dry-run", help="Tells what would happen, and deletes nothing.")]
OfDryRun = Annotated[bool, typer.Option("--dry-run", help="The dry run with this id, not the real one.")]
Wait = Annotated[bool, typer.Option("--wait", help="Waits until all is done; the exit code then tells how it went.")]
Timeout = Annotated[
    str | None,
    typer.Option(
        "--timeout",
        metavar="DURATION",
        callback=checking(forms.duration),
        help="Ends the waiting, not the work, after so long: PT10M.",
    ),
]
DeleteAfter = Annotated[
    str | None,
    typer.Option(
        "--delete-after",
        metavar="WHEN",
        callback=checking(forms.delay),
        help="Not before: a duration such as PT1H or P3D, or an instant.",
    ),
]
BatchUrl = Annotated[
    str | None, typer.Option("--batch-url", metavar="URL", callback=filled, help="Batch account; absent: the first.")
]
Id = Annotated[str, typer.Argument(metavar="ID", help="Id of a request, a clean-up or a sweep.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID", help="Ids of requests, clean-ups or sweeps.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Does not ask.")]
