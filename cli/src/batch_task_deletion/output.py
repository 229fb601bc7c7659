"""Prints results on standard output, and progress and remarks on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from batch_task_deletion.faults import Fault
from batch_task_deletion.text import error_text, escaped, is_error, json_line

Row = Sequence[object]

_NOTHING = "-"
_LEAST = 10
"""The minimum width, in characters, of a column that may be folded."""


def console(stream: TextIO) -> Console:
    """A console that is a terminal only if the stream is one, whatever the environment says."""
    return Console(
        file=stream, force_terminal=stream.isatty(), markup=False, highlight=False, emoji=False, legacy_windows=False
    )


class Output:
    """Text and tables for people; with `json`, standard output has the API's documents and nothing else."""

    def __init__(self, *, json: bool) -> None:
        self.json = json

    def document(self, document: object) -> None:
        """With `--json`, one document of the API on one line."""
        if self.json:
            _write(sys.stdout, json_line(document))

    def say(self, text: str) -> None:
        """A result for a person; with `--json` it becomes a remark."""
        _write(sys.stderr if self.json else sys.stdout, escaped(text))

    def remark(self, text: str) -> None:
        """A note for a person, on standard error."""
        _write(sys.stderr, escaped(text))

    def lines(self, texts: Iterable[str]) -> None:
        """Several remarks."""
        for text in texts:
            self.remark(text)

    def fault(self, fault: Fault) -> None:
        """Why a command ends; with `--json`, the app's document is printed too."""
        if fault.document is not None:
            self.document(fault.document)
        self.remark(f"Error: {fault.text}")

    def table(self, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """A table for people; nothing with `--json`. Only on a terminal is it cut or wrapped."""
        if self.json:
            return
        texts = [[cell(value) for value in row] for row in rows]
        if sys.stdout.isatty():
            _write_table(columns, texts)
        else:
            for line in _plain(columns, texts):
                _write(sys.stdout, line)

    def fields(self, document: dict[str, Any]) -> None:
        """A document as names and values; lists of objects become tables."""
        if self.json:
            self.document(document)
            return
        pairs = [(name, value) for name, value in _flat(document) if not _is_table(value)]
        wide = max((len(name) for name, _ in pairs), default=0)
        for name, value in pairs:
            _write(sys.stdout, f"{escaped(name).ljust(wide)}  {cell(value)}")
        for name, value in _flat(document):
            if _is_table(value):
                _write(sys.stdout, f"\n{escaped(name)}")
                columns = list(dict.fromkeys(key for entry in value for key in entry))
                self.table([escaped(column) for column in columns], [[e.get(c) for c in columns] for e in value])


def cell(value: object) -> str:
    """A value of a document as text on one line."""
    if value is None:
        return _NOTHING
    if isinstance(value, bool):
        return str(value).lower()
    if is_error(value):
        return error_text(value)
    if isinstance(value, dict):
        return ", ".join(f"{escaped(key)} {cell(inner)}" for key, inner in value.items()) or _NOTHING
    if isinstance(value, list):
        return ", ".join(cell(inner) for inner in value) or _NOTHING
    return escaped(value)


def _is_table(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)


def _flat(document: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    """A document's members; members of nested objects get joined names, but counts stay together."""
    found: list[tuple[str, Any]] = []
    for name, value in document.items():
        if isinstance(value, dict) and not is_error(value) and before.count(".") < 2 and not _is_count(value):
            found += _flat(value, f"{before}{name}.")
        else:
            found.append((before + name, value))
    return found


def _is_count(value: dict[str, Any]) -> bool:
    return all(isinstance(number, int) for number in value.values())


def _write_table(columns: Sequence[str], rows: list[list[str]]) -> None:
    screen = console(sys.stdout)
    # To save space, empty columns are left out.
    shown = [n for n in range(len(columns)) if not rows or any(row[n] != _NOTHING for row in rows)]
    whole = {n: max((len(row[n]) for row in rows), default=0) for n in shown if _is_whole(columns[n])}
    if sum(whole.values()) + _LEAST * (len(shown) - len(whole)) > screen.width:
        whole = {}
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="" if screen.no_color else "bold")
    for n in shown:
        table.add_column(Text(columns[n]), overflow="fold", width=whole.get(n))
    for row in rows:
        table.add_row(*(Text(row[n]) for n in shown))
    screen.print(table)


def _is_whole(column: str) -> bool:
    """Whether a column has ids or times, which are not folded if the terminal is wide enough."""
    return column in {"id", "eventId", "sweepId"} or column.endswith("At")


def _plain(columns: Sequence[str], rows: list[list[str]]) -> Iterable[str]:
    lines = [list(columns), *rows]
    wide = [max(len(line[n]) for line in lines) for n in range(len(columns))]
    return ("  ".join(text.ljust(wide[n]) for n, text in enumerate(line)).rstrip() for line in lines)


def _write(stream: TextIO, line: str) -> None:
    stream.write(line + "\n")
    stream.flush()
