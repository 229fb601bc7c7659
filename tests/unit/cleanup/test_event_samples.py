"""The samples in docs/events.md produce events that the app accepts."""

from __future__ import annotations

import importlib.util
import json
import logging
import re
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from shared.cleanup.event import JobEvent, Select, read_event
from shared.cleanup.record import event_hash
from shared.cleanup.task_record import TaskRecord

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "docs" / "samples"
ACCOUNT = "https://account.region.batch.azure.com"
RESOURCE = "/subscriptions/s/resourcegroups/r/providers/microsoft.batch/batchaccounts/account"
ACCOUNTS = ("https://default.region.batch.azure.com", ACCOUNT)
NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)


def sample(name: str) -> ModuleType:
    """A sample, loaded as a module."""
    spec = importlib.util.spec_from_file_location(name, SAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def accepted(text: str) -> JobEvent:
    """The event that the app reads in a message."""
    event = read_event(json.loads(text), ACCOUNTS, NOW)
    assert isinstance(event, JobEvent)
    return event


def diagnostics(*records: object) -> bytes:
    """An Event Hubs message with these diagnostic records."""
    return json.dumps({"records": records}).encode()


def test_job_manager_task_asks_for_its_own_job() -> None:
    """The job manager's sample names its job and account, keeps failed tasks longer, and waits for the job's end."""
    event = accepted(sample("job_manager_done").job_completed(f"{ACCOUNT}/", "render-7"))

    assert (event.job_id, event.batch_url, event.require_job_completed) == ("render-7", ACCOUNT, True)
    assert event.delete_after is not None
    assert (event.delete_after.succeeded, event.delete_after.failed) == ("P3D", "P7D")


def test_job_manager_task_that_runs_twice_asks_once() -> None:
    """Both runs of a requeued job manager task produce the same event id."""
    make = sample("job_manager_done").job_completed

    assert accepted(make(ACCOUNT, "render-7")).event_id == accepted(make(f"{ACCOUNT}/", "render-7")).event_id


def test_custom_topic_event_is_accepted_in_both_forms() -> None:
    """The custom topic's CloudEvent is accepted alone and in a list of one, as Event Grid delivers it."""
    event = sample("publish_job_completed").job_completed(f"{ACCOUNT}/", "render-7", NOW)

    alone = accepted(json.dumps(event))

    assert (alone.job_id, alone.batch_url, alone.select) == ("render-7", ACCOUNT, Select.SUCCEEDED)
    assert accepted(json.dumps([event])) == alone


def test_custom_topic_lets_its_own_events_through_alone() -> None:
    """The Event Grid subscription filters by the type of the sample's events, since the app accepts any type."""
    template = (ROOT / "infra" / "app" / "event-grid.bicep").read_text(encoding="utf-8")
    event_type = sample("publish_job_completed").EVENT_TYPE

    assert f"param eventType string = '{event_type}'" in template
    assert re.search(r"includedEventTypes: \[\s*eventType\s*\]", template)


def test_diagnostic_records_make_one_event_for_each_job() -> None:
    """Diagnostic records of several tasks of one job make one event; records of pools make none."""
    body = (SAMPLES / "batch_diagnostics.json").read_bytes()

    (text,) = sample("diagnostics_to_events").job_events([body, body], {RESOURCE: ACCOUNT})

    event = accepted(text)
    assert (event.job_id, event.batch_url, event.require_job_completed) == ("render-7", ACCOUNT, True)


def test_job_that_reports_both_ways_is_cleaned_up_once() -> None:
    """A job's event has the same id and payload from the job manager as from the diagnostics."""
    body = (SAMPLES / "batch_diagnostics.json").read_bytes()

    (from_log,) = map(accepted, sample("diagnostics_to_events").job_events([body], {RESOURCE: ACCOUNT}))
    from_manager = accepted(sample("job_manager_done").job_completed(ACCOUNT, "render-7"))

    assert (from_log.event_id, event_hash(from_log)) == (from_manager.event_id, event_hash(from_manager))


def test_accounts_of_one_name_in_two_regions_are_told_apart() -> None:
    """Diagnostic records tell accounts with the same name apart by their resource ids."""
    body = (SAMPLES / "batch_diagnostics.json").read_bytes()
    elsewhere = body.replace(b"RESOURCEGROUPS/R/", b"RESOURCEGROUPS/OTHER/")
    urls = {RESOURCE: ACCOUNT, RESOURCE.replace("/r/", "/other/"): ACCOUNTS[0]}

    texts = sample("diagnostics_to_events").job_events([body, elsewhere], urls)

    assert {accepted(text).batch_url for text in texts} == set(ACCOUNTS)


def test_foreign_records_are_skipped_and_told(caplog: pytest.LogCaptureFixture) -> None:
    """Records that are malformed or of other accounts are skipped with a warning; the others make events."""
    good = json.loads((SAMPLES / "batch_diagnostics.json").read_text(encoding="utf-8"))["records"][0]
    foreign = [{"time": "2026-11-24T08:00:01Z"}, good | {"properties": {}}, good | {"resourceId": 7}, "text", None]
    elsewhere = good | {"resourceId": good["resourceId"] + "2"}
    bodies = [b"\xff", b"[]", b"{}", diagnostics(*foreign, elsewhere, good)]

    with caplog.at_level(logging.WARNING):
        (text,) = sample("diagnostics_to_events").job_events(bodies, {RESOURCE: ACCOUNT})

    assert accepted(text).job_id == "render-7"
    assert [record.getMessage().split()[0] for record in caplog.records] == ["message_skipped"] * 3 + [
        "record_skipped"
    ] * 6


def test_diagnostic_record_itself_is_no_job_event() -> None:
    """A diagnostic record put on the queue unchanged concerns one task, not the clean-up of its job."""
    record = json.loads((SAMPLES / "batch_diagnostics.json").read_text(encoding="utf-8"))["records"][0]

    assert isinstance(read_event(record, ACCOUNTS, NOW), TaskRecord)
