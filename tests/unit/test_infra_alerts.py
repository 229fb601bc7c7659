"""The alerts' queries look for lines that the app writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.log_lines import log_formats

ROOT = Path(__file__).resolve().parents[2]
QUERIES = sorted((ROOT / "infra" / "queries").glob("*.kql"))
DOCUMENTED = re.findall(r"```kql\n(.*?)```", (ROOT / "docs" / "operations.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize(
    "text",
    [
        *(pytest.param(path.read_text(encoding="utf-8"), id=path.stem) for path in QUERIES),
        *(pytest.param(text, id=f"docs {n}") for n, text in enumerate(DOCUMENTED) if "message startswith" in text),
    ],
)
def test_query_reads_what_the_app_writes(text: str) -> None:
    """Each event that a query names is logged, with every key that the query extracts."""
    events = re.findall(r'message startswith "(\w+) "', text)
    keys = re.findall(r'extract\(@"\\b(\w+)=', text)

    assert events
    for event in events:
        lines = log_formats().get(event, [])
        assert lines, event
        assert [line for line in lines if all(f" {key}=" in line for key in keys)] == lines


def test_numbers_are_read_as_the_app_formats_them() -> None:
    """The alert's patterns extract queue, depth and age from a line as the app logs it."""
    (line,) = log_formats()["queue_depth"]
    message = line % ("task-delete-requests-poison", 3, 120.4)
    text = (ROOT / "infra" / "queries" / "poison-queues.kql").read_text(encoding="utf-8")
    patterns = re.findall(r'extract\(@"([^"]+)", 1, message\)', text)

    found = [match[1] for pattern in patterns if (match := re.search(pattern, message))]

    assert found == ["task-delete-requests-poison", "3", "120"]


def test_every_query_belongs_to_an_alert() -> None:
    """Every query file is used by an alert, and every alert's query exists."""
    template = (ROOT / "infra" / "app" / "alerts.bicep").read_text(encoding="utf-8")

    assert set(re.findall(r"loadTextContent\('\.\./queries/([\w.-]+)'\)", template)) == {path.name for path in QUERIES}
