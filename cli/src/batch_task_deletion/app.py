"""The program, and the options that all of its commands share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, get_type_hints

import typer

from batch_task_deletion import __version__
from batch_task_deletion.anywhere import Anywhere
from batch_task_deletion.options import Azd, Json, KeyFile, Url
from batch_task_deletion.output import Output
from batch_task_deletion.run import PROGRAM, Origin, Run

EXIT_CODES = (
    "Exit codes: 0 success; 1 something was refused or did not succeed; 2 the arguments or the file are wrong, and "
    "nothing was sent; 3 the app cannot be reached, rejects the key or is failing; 4 --timeout has passed; "
    "5 the output cannot be written; 130 Ctrl-C; 141 the reader of the output closed it; 143 SIGTERM."
)

app = typer.Typer(
    name=PROGRAM,
    cls=Anywhere,
    no_args_is_help=True,
    epilog=EXIT_CODES,
    rich_markup_mode=None,
    # A traceback that shows values could show the key.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

P = ParamSpec("P")

_COMMON = {"url": (Url, None), "key_file": (KeyFile, None), "azd": (Azd, False), "json": (Json, False)}


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def program(
    url: Url = None,
    key_file: KeyFile = None,
    azd: Azd = False,
    json: Json = False,
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Deletes Azure Batch tasks through the Batch Task Deleter, and shows the progress.

    Set the app's address in BATCH_TASK_DELETION_URL and a function key in BATCH_TASK_DELETION_KEY, or give
    --url and --key-file, or let --azd find both. Options may be given before or after the command.
    """


def command(name: str) -> Callable[[Callable[Concatenate[Run, P], int]], None]:
    """Registers a command with its arguments and the options that all commands share."""

    def add(own: Callable[Concatenate[Run, P], int]) -> None:
        def run(context: typer.Context, **values: Any) -> int:
            started = _run_of(context.obj, values)
            return started.carry_out(lambda: own(started, **values))  # type: ignore[call-arg]

        hints = get_type_hints(own, include_extras=True)
        parameters = [
            parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in list(inspect.signature(own).parameters.values())[1:]
        ]
        parameters += [
            inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
            for option, (kind, default) in _COMMON.items()
        ]
        context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        parameters = [context, *parameters]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__doc__ = own.__doc__
        app.command(name)(run)

    return add


def _run_of(origin: Origin, values: dict[str, Any]) -> Run:
    url: str | None = values.pop("url")
    key_file: Path | None = values.pop("key_file")
    azd: bool = values.pop("azd")
    return Run(url, key_file, azd, Output(json=values.pop("json")), origin)
