"""CSV whose header names fields of a request, separated by commas, semicolons or tabs."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from batch_task_deletion.faults import bad_line
from batch_task_deletion.request import check_field
from batch_task_deletion.strict_json import strict_value

_SEPARATORS = ",;\t"
_BOOLEANS = {"true": True, "false": False}


def is_header(line: str) -> bool:
    """Whether a first line is a header: ids contain no separators or quotes. `taskId` alone is a one-column header.

    In another letter case too: it is refused as a column, where it would be a task that nobody meant.
    """
    return any(char in line for char in _SEPARATORS + '"') or line.strip().lower() == "taskid"


def read(numbered: list[tuple[int, str]]) -> Iterator[tuple[int, dict[str, object]]]:
    """The non-empty cells of each line by field, converted to the field's type. Raises Usage with the line number."""
    number, first = numbered[0]
    separator = max(_SEPARATORS, key=first.count)
    columns = [column.strip() for column in _cells(number, first, separator)]
    for column in columns:
        try:
            check_field(column)
        except ValueError as fault:
            bad_line(number, f"column {fault}")
        if columns.count(column) > 1:
            bad_line(number, f"column {column} appears twice")
    for number, line in numbered[1:]:
        cells = _cells(number, line, separator)
        if len(cells) != len(columns):
            bad_line(number, f"has {len(cells)} cells, but the header has {len(columns)}")
        yield number, _typed(number, dict(zip(columns, cells, strict=True)))


def _cells(number: int, line: str, separator: str) -> list[str]:
    try:
        # No field of a request spans lines, so a multi-line cell is an unterminated quote.
        return next(csv.reader([line], delimiter=separator, strict=True))
    except csv.Error as fault:
        bad_line(number, f"cannot be read as CSV: {fault}")


def _typed(number: int, cells: dict[str, str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, text in cells.items():
        if not text.strip():
            continue
        try:
            found[name] = _value(name, text.strip())
        except ValueError as fault:
            bad_line(number, f"{name} {fault}")
    return found


def _value(name: str, text: str) -> object:
    if name in {"dryRun", "returnClientRequestId"}:
        if text.lower() not in _BOOLEANS:
            raise ValueError("must be true or false")
        return _BOOLEANS[text.lower()]
    if name == "timeout":
        if not (text.isascii() and text.isdigit()):
            raise ValueError("must be a whole number")
        return int(text[:12])
    if name == "metadata":
        try:
            return strict_value(text)
        except ValueError as fault:
            raise ValueError(f"must be a JSON object, but {fault}") from None
    return text
