"""docs/operations.md is true: log lines, metrics, bounds of settings and alerts are those of the code and the templates."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.app_functions import declared
from tests.log_lines import log_formats, log_levels

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
ALERTS = (ROOT / "infra" / "app" / "alerts.bicep").read_text(encoding="utf-8")
COUNTED = {"purged", "emitted", "put_back"}
"""Keys that the daily round puts into its line by name."""


def rows_under(heading: str) -> list[list[str]]:
    """The cells of the tables between a heading and the next."""
    (part,) = re.findall(rf"^## {heading}\n(.*?)(?=^## )", DOCUMENT, re.MULTILINE | re.DOTALL)
    lines = [line for line in part.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def words(cell: str) -> set[str]:
    """What stands in backticks."""
    return {word for text in re.findall(r"`([^`]+)`", cell) for word in text.split()}


LINES = {row[0].strip("`"): row for row in rows_under("What it logs")}


def test_every_line_that_the_app_logs_is_documented_and_no_other() -> None:
    """An operator who meets a line finds it in the table."""
    assert LINES.keys() == log_formats().keys()


@pytest.mark.parametrize("event", LINES)
def test_documented_line_has_the_keys_and_the_level_that_the_app_gives_it(event: str) -> None:
    """A query that is written after the table finds what it looks for."""
    _, level, keys, *_ = LINES[event]
    logged = {key for line in log_formats()[event] for key in re.findall(r"\b(\w+)=", line)}
    assert words(keys) - (COUNTED if event == "housekeeping" else set()) == logged
    assert set(re.findall(r"info|warning|error", level)) == log_levels()[event]


def test_every_metric_is_documented_and_no_other() -> None:
    """The names are those that the app reports under."""
    source = (ROOT / "shared" / "results" / "tracing.py").read_text(encoding="utf-8")
    reported = set(re.findall(r'meter\.create_\w+\(\s*"([\w.]+)"', source))
    documented = {name for row in rows_under("Traces and metrics") if len(row) == 3 for name in words(row[0])}
    assert {name for name in documented if re.fullmatch(r"[a-z_.]+", name)} == reported


def test_documented_bounds_and_defaults_are_those_of_the_settings() -> None:
    """Every number has its default and its range."""
    source = (ROOT / "shared" / "settings.py").read_text(encoding="utf-8")
    read = re.findall(r'read\.(?:whole|number)\("(\w+)", ([\d_.]+), ([\d_.]+), ([\d_.]+)\)', source)
    documented = {
        name: (*row[2].split(" to "), default)
        for row in rows_under("Settings")
        for name, default in zip(re.findall(r"`(\w+)`", row[0]), row[1].split(", "), strict=False)
    }
    assert len(read) > 9
    assert {name: documented[name] for name, *_ in read} == {
        name: tuple(number.replace("_", "") for number in numbers) for name, *numbers in read
    }


def test_alerts_are_documented_with_severity_and_threshold() -> None:
    """The table has each rule of the template, and the name by which its threshold is changed."""
    rule = r"name: '([\w-]+)'\n    description: .*\n    severity: (\d)(?:.*\n)*?    threshold: thresholds\.(\w+)"
    rules = {name: (severity, threshold) for name, severity, threshold in re.findall(rule, ALERTS)}
    defaults = dict(re.findall(r"^    (\w+): (\d+)$", ALERTS, re.MULTILINE))
    rows = {row[0].strip("`"): row for row in rows_under("Alerts")}
    silent = rows.pop("silent")
    assert silent[1] == re.findall(r"displayName: 'silent'\n.*\n    severity: (\d)", ALERTS)[0]
    found = {name: (severity, re.findall(r"`(\w+)`\)$", fires)[0]) for name, (_, severity, fires, *_) in rows.items()}
    assert found == rules
    # Three intervals and a day are the app's threshold; the alert counts the lines that it writes then.
    for name, (_, threshold) in rules.items():
        said = re.findall(r"\d+", rows[name][2].replace(",", ""))
        assert defaults[threshold] in said or name == "overdue-sweeps", name


def test_costs_count_every_alert_rule() -> None:
    """docs/deploy.md says how many rules are billed."""
    numbers = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    often = len(re.findall(r"^    name: '[\w-]+'$", ALERTS, re.MULTILINE))
    text = f"{numbers[often + 1]} alert rules ({numbers[often]} every 5 minutes, one every 15)"
    assert text in (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


def test_functions_to_disable_are_functions_of_the_app() -> None:
    """A setting for a function that is not there would stop nothing."""
    names = {row[0].strip("`") for row in rows_under("Emergency stop") if len(row) == 2}
    assert names
    assert names <= declared(ROOT).keys()


def test_waits_are_computed_by_a_program_that_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """Who copies the program of *How long retries last* gets a line for each row of its table."""
    (program,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    exec(program.replace("50_000", "1_000"), {})  # noqa: S102 -- the document's own text
    lines = capsys.readouterr().out.splitlines()
    (part,) = re.findall(r"\n\| fault \| median .*\n\|.*\n((?:\|.*\n)+)", DOCUMENT)
    medians = [int(re.split(r" \| ", row)[1]) for row in part.splitlines()]
    shown = [int(re.findall(r"\d+", line)[-2]) for line in lines]
    assert [abs(one - other) <= 2 for one, other in zip(shown, medians, strict=True)] == [True] * len(medians)


@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "docs").glob("*.md")))
def test_calls_with_a_body_say_that_it_is_json(page: str) -> None:
    """`curl -d` sends a form's content type, which the app answers with 415."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8").replace("\\\n", "")
    calls = re.findall(r"curl [^`\n]* -d [^`\n]*", text)
    assert [call for call in calls if "content-type: application/json" not in call.lower()] == []
