"""Files of requests: their formats, encodings and line ends, and errors in their lines."""

from __future__ import annotations

import codecs
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_task_deletion.faults import Usage
from batch_task_deletion.lines import read_lines

JOB = {"jobId": "job-1"}


def requests_of(content: str | bytes, options: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """The requests of a file without their ids."""
    raw = content.encode() if isinstance(content, str) else content
    found = [dict(line.request) for line in read_lines(raw, options or {})]
    for request in found:
        request.pop("clientRequestId")
    return found


def fault(content: str | bytes, options: dict[str, Any] | None = None) -> str:
    """The error about a file that cannot be read."""
    with pytest.raises(Usage) as raised:
        requests_of(content, options)
    assert raised.value.text.endswith("nothing was sent")
    return raised.value.text


def test_tasks_of_one_job() -> None:
    """With `--job`, each line is a task id; surrounding white space and empty lines are ignored."""
    assert requests_of("a\n\n  b\t\n \nc", JOB) == [{"jobId": "job-1", "taskId": name} for name in "abc"]


def test_tasks_of_many_jobs() -> None:
    """Without `--job`, each line is `JOB/TASK`; a scheduled job's id may contain a colon."""
    assert requests_of("a/t\nnightly:job-12/t") == [
        {"jobId": "a", "taskId": "t"},
        {"jobId": "nightly:job-12", "taskId": "t"},
    ]


def test_json_lines() -> None:
    """In a JSON Lines file, each line is a request object with any fields, in their own types."""
    line = {"jobId": "j", "taskId": "t", "timeout": 30, "dryRun": True, "ifMatch": "x", "metadata": {"a": "b"}}
    assert requests_of(json.dumps(line) + "\r\n" + json.dumps(line | {"taskId": "u"})) == [line, line | {"taskId": "u"}]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv(separator: str) -> None:
    """CSV cells are converted to their field's type, and an empty cell leaves the field out."""
    header = ["jobId", "taskId", "timeout", "dryRun", "returnClientRequestId", "metadata", "deleteAfter"]
    rows = [["j", "a", "30", "TRUE", "false", '"{""k"": ""v""}"', "PT1H"], ["j", "b", "", "", " ", "", ""]]
    content = "\r\n".join(separator.join(row) for row in [header, *rows])
    typed = {
        "timeout": 30,
        "dryRun": True,
        "returnClientRequestId": False,
        "metadata": {"k": "v"},
        "deleteAfter": "PT1H",
    }
    assert requests_of(content) == [{"jobId": "j", "taskId": "a", **typed}, {"jobId": "j", "taskId": "b"}]


def test_csv_of_one_column() -> None:
    """A CSV file may have `taskId` as its only column, with `--job`; quoted cells are read as CSV."""
    assert requests_of("taskId\na\nb\n", JOB) == requests_of('"taskId"\n"a"\n"b"\n', JOB) == requests_of("a\nb", JOB)


ENCODINGS = [
    (b"", "utf-8"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
]


@pytest.mark.parametrize(("mark", "encoding"), ENCODINGS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "form",
    [
        "a/t{end}b/u{end}",
        "jobId,taskId{end}a,t{end}b,u",
        '{{"jobId":"a","taskId":"t"}}{end}{{"jobId":"b","taskId":"u"}}',
    ],
)
def test_encodings_and_line_ends_make_no_difference(mark: bytes, encoding: str, end: str, form: str) -> None:
    """Encoding (UTF-8 or UTF-16 with a byte order mark) and line ends do not change requests or ids."""
    content = mark + form.format(end=end).encode(encoding)
    plain = read_lines(b"a/t\nb/u\n", {})
    assert [(line.request_id, line.request) for line in read_lines(content, {})] == [
        (line.request_id, line.request) for line in plain
    ]


def test_only_line_ends_end_a_line() -> None:
    """Unicode characters such as U+2028, at which `str.splitlines` splits, do not end a line."""
    line = {"jobId": "j", "taskId": "t", "metadata": {"note": "a\u2028b\x85c"}}
    assert requests_of(json.dumps(line, ensure_ascii=False)) == [line]


def test_the_same_request_twice_is_sent_once() -> None:
    """A request that appears twice in a file is sent once, in whatever format it is written."""
    assert len(read_lines(b"a/t\nA/T\na/t\n", {})) == 1


@given(st.permutations([f"job-{n % 3}/task-{n}" for n in range(8)]), st.sampled_from(["\n", "\r\n"]))
def test_ids_do_not_depend_on_order_or_other_lines(lines: list[str], end: str) -> None:
    """A line's request id depends on that line alone, not on its position or on other lines."""
    alone = {line: read_lines(line.encode(), {})[0].request_id for line in lines}
    found = read_lines(end.join(lines).encode(), {})
    assert [line.request_id for line in found] == [alone[line] for line in lines]
    assert len(set(alone.values())) == len(lines)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a\nb c\n", "line 2: taskId must be 1 to 64"),
        ("a\n\n\nb/c/d\n", "line 4: jobId must be"),
        ("a\r\rü\r", "line 3"),
        ("x" * 65, "line 1"),
        ("#comment", "line 1"),
        ("/t", "line 1: jobId"),
        ("j/", "line 1: taskId"),
        ("../..", "line 1"),
    ],
)
def test_a_line_that_is_no_task(content: str, words: str) -> None:
    """An invalid line is reported with its number, in which empty lines are counted."""
    assert words in fault(content, {}) or words in fault(content, JOB)


@pytest.mark.parametrize("header", ["TaskId", "taskid", " TASKID\t"])
def test_a_header_in_another_letter_case_is_no_task(header: str) -> None:
    """It would ask for the deletion of a task that nobody meant."""
    assert "did you mean taskId?" in fault(f"{header}\na\n", JOB)


def test_a_list_of_objects_is_told_the_form() -> None:
    """JSON as other tools export it is not taken for CSV."""
    assert "must be a JSON object: a file of JSON has one on each line" in fault('[{"jobId": "j", "taskId": "t"}]\n')


def test_a_task_without_a_job_says_how_to_give_one() -> None:
    """For a task line without a job, the error names the option `--job`."""
    assert "--job" in fault("a\n")


def test_another_job_than_the_one_that_was_named_is_refused() -> None:
    """A line with another job than `--job` is refused."""
    assert "line 2" in fault("job-1/a\njob-2/b\n", JOB)
    assert "line 1" in fault('{"jobId": "job-2", "taskId": "b"}', JOB)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"jobId":"j","taskId":"t"', "not JSON"),
        ('{"jobId":"j","taskId":"t"} x', "not JSON"),
        ('["j","t"]', "must be a JSON object"),
        ('{"jobId":"j","taskId":"t","jobId":"k"}', "'jobId' appears twice"),
        ('{"jobId":"j","taskId":"t","ifmatch":"x"}', "'ifmatch' is not a field of a request; did you mean ifMatch"),
        ('{"jobId":"j","taskId":"t","nonsense":1}', "'nonsense' is not a field"),
        ('{"jobId":"j","taskIds":["t"]}', "'taskIds' is not a field"),
        ('{"jobId":"j","taskId":"t","timeout":"30"}', "timeout must be a whole number"),
        ('{"jobId":"j","taskId":"t","timeout":30.0}', "timeout must be a whole number"),
        ('{"jobId":"j","taskId":"t","timeout":true}', "timeout must be a whole number"),
        ('{"jobId":"j","taskId":"t","timeout":0}', "timeout must be 1 to"),
        ('{"jobId":"j","taskId":"t","timeout":NaN}', "NaN is not JSON"),
        ('{"jobId":"j","taskId":"t","dryRun":"true"}', "dryRun must be true or false"),
        ('{"jobId":"j","taskId":"t","dryRun":null}', "dryRun must be true or false"),
        ('{"jobId":"j","taskId":"t","metadata":{"a":1}}', "metadata must be an object"),
        ('{"jobId":"j","taskId":"t","deleteAfter":"1 hour"}', "deleteAfter must be"),
        ('{"jobId":"j","taskId":"t","clientRequestId":"1"}', "clientRequestId must be a GUID"),
        ('{"jobId":"j","taskId":"t","clientRequestId":"00000000-0000-0000-0000-000000000000"}', "all-zero GUID"),
        ('{"taskId":"t"}', "jobId is missing"),
        ('{"jobId":"j"}', "taskId is missing"),
        ("j/t", "not JSON"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_json_line_that_is_no_request(line: str, words: str) -> None:
    """A JSON line that is no valid request is refused with the line's number and the reason."""
    said = fault('{"jobId":"j","taskId":"first"}\n' + line)
    assert said.startswith("line 2: ")
    assert words in said


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("jobId,taskId,ifmatch\nj,t,x", "line 1: column 'ifmatch' is not a field of a request; did you mean ifMatch"),
        ("jobId,taskId,colour\nj,t,x", "line 1: column 'colour'"),
        ("jobId,taskId,\nj,t,", "line 1: column ''"),
        ("jobId,taskId,taskId\nj,t,u", "line 1: column taskId appears twice"),
        ("job-1,task-1\njob-1,task-2", "line 1: column 'job-1'"),
        ("jobId,taskId\nj,t\nj", "line 3: has 1 cells, but the header has 2"),
        ("jobId,taskId\nj,t,x", "line 2: has 3 cells, but the header has 2"),
        ('jobId,taskId\nj,"t', "line 2: cannot be read as CSV"),
        ("jobId,taskId,timeout\nj,t,1.5", "line 2: timeout must be a whole number"),
        ("jobId,taskId,timeout\nj,t,٣", "line 2: timeout must be a whole number"),
        ("jobId,taskId,dryRun\nj,t,yes", "line 2: dryRun must be true or false"),
        ("jobId,taskId,metadata\nj,t,x", "line 2: metadata must be a JSON object, but is not JSON"),
        (
            'jobId;taskId;metadata\nj;t;"{""a"":""b"",""a"":""c""}"',
            "line 2: metadata must be a JSON object, but 'a' appears",
        ),
        ('jobId;taskId;metadata\nj;t;"{""a"":NaN}"', "line 2: metadata must be a JSON object, but NaN is not JSON"),
        ("jobId,taskId,metadata\nj,t," + "[" * 100_000, "line 2: metadata must be a JSON object, but is not JSON"),
        ("jobId,taskId\n,t", "line 2: jobId is missing"),
        ("jobId;taskId\nj;a b", "line 2: taskId must be"),
    ],
)
def test_a_csv_that_is_none(content: str, words: str) -> None:
    """An invalid CSV file is refused, naming the column or cell at fault."""
    assert words in fault(content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a\nb\n\xff\n", "line 3: is not UTF-8"),
        (codecs.BOM_UTF16_LE + "a\nb\n".encode("utf-16-le") + b"\x00\xd8a", "line 3: is not UTF-16-LE"),
        ("a\nb\n".encode("utf-16-le"), "line 1"),
    ],
)
def test_bytes_that_are_no_text(content: bytes, words: str) -> None:
    """Bytes that are not valid in the file's encoding are refused with the line's number."""
    assert words in fault(content, JOB)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    """Any bytes are either read as valid lines or refused with a usage error."""
    try:
        lines = read_lines(content, JOB)
    except Usage:
        return
    assert all(line.request["jobId"] and line.request["taskId"] for line in lines)
