"""What the local host reads from host.json."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from devstack.host.app_settings import AppSettings
from devstack.host.errors import StartUpFailed
from devstack.host.host_json import host_options, parse_time_span, read_host_options

NO_SETTINGS = AppSettings({})


def queues(**values: Any) -> dict[str, Any]:
    """A host.json with these queue options."""
    return {"extensions": {"queues": values}}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:00:02", 2), ("00:01", 60), ("01:00:00.5", 3600.5), ("1.00:00:00", 86400), (1, 86400)],
)
def test_time_spans_are_read_as_dotnet_reads_them(text: object, seconds: float) -> None:
    """A bare integer is a number of days, a well-known trap."""
    assert parse_time_span(text) == seconds


@pytest.mark.parametrize("text", ["", "two seconds", "-00:00:01", None, 1.5, True])
def test_what_is_no_time_span_is_refused(text: object) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="time span"):
        parse_time_span(text)


def test_an_empty_host_json_gives_the_defaults_of_the_real_host() -> None:
    """Base64, batches of 16, five attempts, no delay between them, half an hour for a function."""
    options = host_options({}, NO_SETTINGS)
    assert options.route_prefix == "api"
    assert options.function_timeout_seconds == 1800
    assert options.queues.base64
    assert (options.queues.batch_size, options.queues.max_dequeue_count) == (16, 5)
    assert options.queues.visibility_timeout_seconds == 0
    assert options.queues.new_batch_threshold == 8 * (os.cpu_count() or 1)


def test_development_polls_at_least_every_two_seconds_unless_told_otherwise() -> None:
    """The cap of a minute is lowered when it is the default, and only in the Development environment."""
    production = AppSettings({"AZURE_FUNCTIONS_ENVIRONMENT": "Production"})
    assert host_options({}, NO_SETTINGS).queues.max_polling_interval_seconds == 2
    assert host_options({}, production).queues.max_polling_interval_seconds == 60
    assert host_options(queues(maxPollingInterval="00:00:30"), NO_SETTINGS).queues.max_polling_interval_seconds == 30


def test_the_given_values_are_honoured() -> None:
    """Every queue option of host.json has its effect."""
    document = queues(
        batchSize=4, newBatchThreshold=0, maxDequeueCount=10, visibilityTimeout="00:01:00", messageEncoding="none"
    )
    options = host_options({**document, "functionTimeout": "00:05:00"}, NO_SETTINGS)
    assert options.function_timeout_seconds == 300
    assert not options.queues.base64
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
        {"batchSize": True},
    ],
)
def test_a_value_out_of_its_range_keeps_the_host_from_starting(tmp_path: Path, values: dict[str, Any]) -> None:
    """The fault names host.json."""
    (tmp_path / "host.json").write_text(str(queues(**values)).replace("'", '"').replace("True", "true"))
    with pytest.raises(StartUpFailed, match=r"host\.json"):
        read_host_options(tmp_path, NO_SETTINGS)


def test_a_setting_overrides_the_file(tmp_path: Path) -> None:
    """`AzureFunctionsJobHost__...` wins over host.json, as in the cloud."""
    (tmp_path / "host.json").write_text('{"extensions": {"queues": {"batchSize": 16}}}')
    settings = AppSettings({"AzureFunctionsJobHost__extensions__queues__batchSize": "2"})
    assert read_host_options(tmp_path, settings).queues.batch_size == 2


def test_minus_one_takes_the_time_limit_away() -> None:
    """`-1` means unlimited."""
    assert host_options({"functionTimeout": "-1"}, NO_SETTINGS).function_timeout_seconds is None
