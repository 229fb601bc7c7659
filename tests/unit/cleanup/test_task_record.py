"""Diagnostic records about one task: what they say, and which account they mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.cleanup.task_record import TaskRecord, read_task_record, record_wire, task_request
from shared.errors import InvalidInput

WEST = "https://acct.westeurope.batch.azure.com"
EAST = "https://acct.eastus.batch.azure.com"
ALONE = "https://alone.eastus.batch.azure.com"
ACCOUNTS = (WEST, EAST, ALONE)
RECORD: dict[str, Any] = {
    "time": "2026-11-24T08:00:01Z",
    "resourceId": "/SUBSCRIPTIONS/S/PROVIDERS/MICROSOFT.BATCH/BATCHACCOUNTS/ACCT",
    "location": "eastus",
    "operationName": "TaskCompleteEvent",
    "properties": {"jobId": "render-7", "id": "t-1"},
}


def record(**fields: object) -> TaskRecord:
    """A record with some fields replaced; those that are None are left out."""
    return read_task_record({name: value for name, value in {**RECORD, **fields}.items() if value is not None})


@pytest.mark.parametrize(
    ("location", "account"), [("eastus", EAST), ("East US", EAST), ("WESTEUROPE", WEST), ("West Europe", WEST)]
)
def test_the_region_tells_accounts_of_one_name_apart(location: str, account: str) -> None:
    """The region distinguishes accounts with the same name, written as a name or as a display name."""
    assert task_request(record(location=location), ACCOUNTS).batch_url == account


def test_without_a_region_the_name_must_be_enough() -> None:
    """A record without a region is refused if several accounts have its name."""
    with pytest.raises(InvalidInput, match="/location: must identify one of the accounts"):
        task_request(record(location=None), ACCOUNTS)
    alone = RECORD["resourceId"].replace("ACCT", "ALONE")
    assert task_request(record(location=None, resourceId=alone), ACCOUNTS).batch_url == ALONE


@pytest.mark.parametrize("fields", [{"location": "northeurope"}, {"resourceId": "/X/NOBODY"}, {"resourceId": 7}])
def test_an_account_that_is_not_listed_is_refused(fields: dict[str, object]) -> None:
    """A record is refused if either its account's name or its region is not on the list."""
    with pytest.raises(InvalidInput, match="BATCH_ACCOUNT_URLS"):
        task_request(record(**fields), ACCOUNTS)


def test_a_record_survives_the_wire() -> None:
    """A record that the app puts on its own queue reads back equal, with the same identity."""
    for found in (
        record(),
        record(location=None),
        record(time=None, traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01"),
    ):
        again = read_task_record(json.loads(json.dumps(record_wire(found))))
        assert again == found
        assert again.identity == found.identity
