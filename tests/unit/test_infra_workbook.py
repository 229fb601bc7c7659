"""The workbook is valid for Azure Monitor, and its panels show what the app logs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from scripts.infra_check import snapshots
from shared.ledger.record import DEAD_LETTERED, Outcome
from shared.retention.sweep import Phase
from tests.log_lines import log_formats

ROOT = Path(__file__).resolve().parents[2]
SHAPES = {shape.name: shape for shape in snapshots.load(ROOT / "infra")}
QUERIES = sorted((ROOT / "infra" / "workbook").glob("*.kql"))
COLUMNS = {"message", "timestamp", "cloud_RoleInstance"}
"""Those columns of the table `traces` that the platform fills and the queries use."""
WORDS = {"traces", "where", "extend", "project", "summarize", "order", "union", "let"} | {
    "by",
    "in",
    "and",
    "desc",
    "startswith",
}
"""Table, operators and words of the query language in use; functions stand before a bracket."""

# The id of Application Insights is known in a deployment alone; all else stands in the snapshot as one literal.
_SERIALIZED = re.compile(r"\[replace\('(.*)', '(<\w+>)', reference\(.*\)\.outputs\.applicationInsightsId\.value\)\]")
_EXTRACT = re.compile(r'\| extend (\w+) = (?:\w+\()?extract\(@"(\\b(\w+)=[^"]+)", 1, message\)')


def workbook(shape: str) -> dict[str, Any]:
    """The workbook that a shape deploys."""
    (found,) = SHAPES[shape].of("Microsoft.Insights/workbooks")
    match = _SERIALIZED.fullmatch(found.properties["serializedData"])
    assert match
    return dict(json.loads(match[1].replace("''", "'").replace(match[2], "/subscriptions/id")))


def panels(shape: str = "defaults") -> dict[str, dict[str, Any]]:
    """Each panel's query and visualisation, by its name."""
    return {item["name"]: item["content"] for item in workbook(shape)["items"] if item["type"] == 3}


def statements(query: str) -> list[str]:
    """The parts of a query that read log lines."""
    return [part for part in re.split(r";\n", query) if "message startswith" in part]


@pytest.mark.parametrize("shape", SHAPES)
def test_workbook_is_valid(shape: str) -> None:
    """The workbook is one document for Application Insights, with a time range and uniquely named panels."""
    document = workbook(shape)
    kinds = [item["type"] for item in document["items"]]
    names = [item["name"] for item in document["items"]]

    assert document["version"] == "Notebook/1.0"
    assert document["fallbackResourceIds"] == ["/subscriptions/id"]
    assert kinds == [9, *[3] * (len(kinds) - 1)]
    assert len(set(names)) == len(names)


def test_panels_ask_in_the_time_range_that_is_chosen() -> None:
    """Every panel uses the workbook's time range, and plots use its grain for their bins."""
    (parameter,) = workbook("defaults")["items"][0]["content"]["parameters"]

    for name, panel in panels().items():
        assert panel["timeContextFromParameter"] == parameter["name"], name
        assert set(re.findall(r"\{(\w+):\w+\}", panel["query"])) <= {parameter["name"]}, name
        assert ("bin(timestamp, {TimeRange:grain})" in panel["query"]) == (panel["visualization"] != "table"), name
        assert panel["visualization"] in {"barchart", "linechart", "table"}, name


def test_every_query_has_its_panel() -> None:
    """Every query file is the query of exactly one panel, and no panel has another query."""
    files = {path.stem: path.read_text(encoding="utf-8") for path in QUERIES}

    assert {name: panel["query"] for name, panel in panels().items()} == files


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_panel_reads_what_the_app_writes(path: Path) -> None:
    """Every panel reads events that the app logs, and each column extracts the key that it is named after."""
    read = statements(path.read_text(encoding="utf-8"))

    assert read
    for statement in read:
        (event,) = re.findall(r'message startswith "(\w+) "', statement)
        extracts = _EXTRACT.findall(statement)
        assert len(extracts) == statement.count("extract(") > 0
        assert log_formats().get(event), event
        for line in log_formats()[event]:
            message, values = numbered(line)
            for column, pattern, key in extracts:
                found = re.search(pattern, message)
                assert column == key
                assert (found and found[1]) == values.get(key), f"{key} of {line}"


def numbered(line: str) -> tuple[str, dict[str, str]]:
    """A log line in which each key has a different number as its value, and those numbers."""
    keys = re.findall(r"\b(\w+)=%", line)
    assert len(keys) == line.count("%"), line
    numbers = range(1001, 1001 + len(keys))
    return line % tuple(numbers), {key: str(number) for key, number in zip(keys, numbers, strict=True)}


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_panel_uses_no_column_that_nobody_fills(path: Path) -> None:
    """Every name in a panel's query is a column of the table or one that the query defines."""
    text = re.sub(r'@?"[^"]*"|//.*|\{TimeRange:grain\}', "", path.read_text(encoding="utf-8"))
    made = set(re.findall(r"(\w+) = ", text))
    used = set(re.findall(r"(?<![\w.])([a-z_]\w*)\b(?!\s*\()", text, re.IGNORECASE))

    assert used - made - WORDS - COLUMNS == set()


def test_panels_know_the_outcomes_of_the_app() -> None:
    """The panels list the app's own outcomes and states, such as those that leave a dead letter."""
    lists = {name: re.findall(r"\[([^\]]*)\]|in \((\"[^)]*)\)", panel["query"]) for name, panel in panels().items()}
    words = {name: set(re.findall(r'"(\w+)"', str(found))) for name, found in lists.items()}

    assert words["dead-letters"] == set(DEAD_LETTERED)
    assert words["latencies"] == {Outcome.DELETED, Outcome.NOT_FOUND}
    assert f'"{Phase.RUNNING}"' in panels()["sweeps"]["query"]


def test_limit_that_is_lifted_is_no_point_of_the_plot() -> None:
    """A lifted rate limit is no point of the plot, and is shown as `none` in the table."""
    (line,) = log_formats()["batch_rate_limit"]
    patterns = {name: _EXTRACT.findall(panels()[name]["query"])[-1][1] for name in ("refused-rates", "limits-in-force")}

    def read(name: str, rate: object) -> str | None:
        found = re.search(patterns[name], line % ("account", rate))
        return found and found[1]

    assert read("refused-rates", 12.5) == "12.5"
    assert read("refused-rates", "none") is None
    assert read("limits-in-force", "none") == "none"
