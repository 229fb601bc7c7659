"""The options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from batch_task_deletion import forms

Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="The app's address, with or without /api [BATCH_TASK_DELETION_URL]."),
]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", metavar="FILE", help="File with the function key; it must be readable only by you."),
]
Azd = Annotated[bool, typer.Option("--azd", help="Use the app of the current azd environment, with its default key.")]
Json = Annotated[bool, typer.Option("--json", help="Print the API's documents, one per line, and nothing else.")]


def checking(rule: Callable[[str], object]) -> Callable[[str | None], str | None]:
    """An option callback that returns the value unchanged if it meets the rule, else raises a usage error."""

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


def _any(text: str) -> str:
    return text


filled = checking(_any)
"""Any text except an empty one: an empty filter would match more than intended."""

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would happen, and delete nothing.")]
OfDryRun = Annotated[bool, typer.Option("--dry-run", help="Look up a dry run with this id.")]
Wait = Annotated[
    bool, typer.Option("--wait", help="Wait until everything is done; the exit code then shows the result.")
]
Timeout = Annotated[
    str | None,
    typer.Option(
        "--timeout",
        metavar="DURATION",
        callback=checking(forms.duration),
        help="Stop waiting after this time, such as PT10M; the work goes on.",
    ),
]
DeleteAfter = Annotated[
    str | None,
    typer.Option(
        "--delete-after",
        metavar="WHEN",
        callback=checking(forms.delay),
        help="Delete no earlier than this: a duration such as PT1H or P3D, or an instant.",
    ),
]
BatchUrl = Annotated[
    str | None, typer.Option("--batch-url", metavar="URL", callback=filled, help="Batch account; default: the first.")
]
Id = Annotated[str, typer.Argument(metavar="ID", help="Id of a request, a clean-up or a sweep.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID", help="Ids of requests, clean-ups or sweeps.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
