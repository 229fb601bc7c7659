"""A file of requests: JSON lines, CSV, or one task per line. Everything is checked before anything is sent."""

from __future__ import annotations

import codecs
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batch_task_deletion import csv_lines
from batch_task_deletion.faults import Usage, bad_line
from batch_task_deletion.request import Request, checked, line_id, normal_form
from batch_task_deletion.strict_json import strict_value
from batch_task_deletion.text import escaped

STANDARD_INPUT = "-"

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# Not str.splitlines: it also splits at characters that are allowed inside a JSON string.
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Line:
    """One request of a file, with its id and line number."""

    number: int
    request: Request

    @property
    def request_id(self) -> str:
        return str(self.request["clientRequestId"]).lower()

    @property
    def dry_run(self) -> bool:
        return self.request.get("dryRun", False) is True


def read_file(path: str) -> bytes:
    """The contents of a file or of standard input. Raises Usage."""
    try:
        return sys.stdin.buffer.read() if path == STANDARD_INPUT else Path(path).read_bytes()
    except OSError as fault:
        raise Usage(f"{escaped(path)} cannot be read: {fault.strerror}") from None


def read_lines(content: bytes, options: Mapping[str, Any], again: str | None = None) -> list[Line]:
    """The requests of a file in order, without duplicates. Raises Usage with the number of a bad line."""
    numbered = list(_numbered(content))
    if not numbered:
        return []
    found: dict[tuple[str, str], Line] = {}
    for number, given in _reader(numbered):
        try:
            request = checked(given, options)
        except ValueError as fault:
            bad_line(number, fault)
        request.setdefault("clientRequestId", line_id(request, again))
        line = Line(number, request)
        found.setdefault((line.request_id, normal_form(request)), line)
    return list(found.values())


Numbered = list[tuple[int, str]]
_Given = Iterator[tuple[int, dict[str, object]]]


def _reader(numbered: Numbered) -> _Given:
    """The reader for the file's format, which its first line shows."""
    first = numbered[0][1]
    readers: list[tuple[bool, Callable[[Numbered], _Given]]] = [
        (first.lstrip().startswith(("{", "[")), _json_lines),
        (csv_lines.is_header(first), csv_lines.read),
    ]
    return next((read for fits, read in readers if fits), _tasks)(numbered)


def _numbered(content: bytes) -> Iterator[tuple[int, str]]:
    """The non-blank lines with their numbers."""
    mark, encoding = next(((mark, name) for mark, name in _MARKS if content.startswith(mark)), (b"", "utf-8"))
    body = content.removeprefix(mark)
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as fault:
        before = body[: fault.start].decode(encoding, errors="replace")
        bad_line(len(_LINE_END.findall(before)) + 1, f"is not {encoding.upper()}")
    for index, line in enumerate(_LINE_END.split(text)):
        if line.strip():
            yield index + 1, line


def _tasks(numbered: Numbered) -> _Given:
    """`TASK` or `JOB/TASK`."""
    for number, line in numbered:
        job, slash, task = line.strip().rpartition("/")
        yield number, {"jobId": job, "taskId": task} if slash else {"taskId": task}


def _json_lines(numbered: Numbered) -> _Given:
    for number, line in numbered:
        try:
            value = strict_value(line)
        except ValueError as fault:
            bad_line(number, fault)
        if not isinstance(value, dict):
            bad_line(number, "must be a JSON object: a file of JSON has one on each line")
        yield number, value
