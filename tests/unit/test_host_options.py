"""What the local host reads from host.json."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from devstack.host.app_settings import AppSettings
from devstack.host.errors import StartUpFailed
from devstack.host.host_json import host_options, parse_time_span, read_host_options, without_comments

NO_SETTINGS = AppSettings({})


def queues(**values: Any) -> dict[str, Any]:
    """The content of a host.json with these queue options."""
    return {"extensions": {"queues": {"messageEncoding": "none", **values}}}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:00:02", 2), ("00:01", 60), ("01:00:00.5", 3600.5), ("1.00:00:00", 86400)],
)
def test_time_spans_are_read_as_dotnet_reads_them(text: object, seconds: float) -> None:
    """Time spans with days, hours, minutes and seconds are read as .NET reads them."""
    assert parse_time_span(text) == seconds


@pytest.mark.parametrize("text", ["", "two seconds", "-00:00:01", None, 1.5, True, 1])
def test_what_is_no_time_span_is_refused(text: object) -> None:
    """A value that is no time span, such as a bare number, is refused."""
    with pytest.raises(ValueError, match="time span"):
        parse_time_span(text)


def test_an_empty_host_json_gives_the_defaults_of_the_real_host() -> None:
    """An empty host.json gives the real host's defaults, such as batches of 16 and five attempts."""
    options = host_options(queues())
    assert options.route_prefix == "api"
    assert options.function_timeout_seconds == 1800
    assert (options.queues.batch_size, options.queues.max_dequeue_count) == (16, 5)
    assert options.queues.visibility_timeout_seconds == 0
    assert options.queues.new_batch_threshold == 8 * (os.cpu_count() or 1)
    assert options.queues.max_polling_interval_seconds == 2


def test_the_given_values_are_honoured() -> None:
    """Every queue option of host.json has its effect."""
    document = queues(
        batchSize=4,
        newBatchThreshold=0,
        maxDequeueCount=10,
        visibilityTimeout="00:01:00",
        maxPollingInterval="00:00:30",
    )
    options = host_options({**document, "functionTimeout": "00:05:00"})
    assert options.function_timeout_seconds == 300
    assert options.queues.max_polling_interval_seconds == 30
    assert (options.queues.batch_size, options.queues.new_batch_threshold) == (4, 0)
    assert (options.queues.max_dequeue_count, options.queues.visibility_timeout_seconds) == (10, 60)


@pytest.mark.parametrize(
    "values",
    [
        {"batchSize": 0},
        {"batchSize": 33},
        {"maxDequeueCount": 0},
        {"newBatchThreshold": -1},
        {"maxPollingInterval": "00:00:00.05"},
        {"messageEncoding": "utf8"},
        {"messageEncoding": "base64"},
        {"visibilityTimeout": 1},
        {"batchSize": True},
    ],
)
def test_a_value_out_of_its_range_keeps_the_host_from_starting(tmp_path: Path, values: dict[str, Any]) -> None:
    """A value out of its range stops the host from starting, and the error names host.json."""
    (tmp_path / "host.json").write_text(json.dumps(queues(**values)))
    with pytest.raises(StartUpFailed, match=r"host\.json"):
        read_host_options(tmp_path, NO_SETTINGS)


def test_a_setting_overrides_the_file(tmp_path: Path) -> None:
    """An app setting `AzureFunctionsJobHost__...` overrides host.json, as in the cloud."""
    (tmp_path / "host.json").write_text(json.dumps(queues(batchSize=16)))
    settings = AppSettings({"AzureFunctionsJobHost__extensions__queues__batchSize": "2"})
    assert read_host_options(tmp_path, settings).queues.batch_size == 2


def test_minus_one_takes_the_time_limit_away() -> None:
    """A functionTimeout of `-1` means no time limit."""
    assert host_options({**queues(), "functionTimeout": "-1"}).function_timeout_seconds is None


def test_host_json_may_have_comments() -> None:
    """Comments in host.json are removed, but not what looks like one inside a string."""
    text = '{ // one\n "a": "http://x", /* two\n */ "b": "\\"// c" }'
    assert json.loads(without_comments(text)) == {"a": "http://x", "b": '"// c'}
