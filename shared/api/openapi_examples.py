"""Examples for the published description. A test checks each of them against the app's own rules."""

from __future__ import annotations

from typing import Any

_ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
_OTHER_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


def _named(**examples: tuple[str, Any]) -> dict[str, Any]:
    return {name: {"summary": summary, "value": value} for name, (summary, value) in examples.items()}


REQUEST = {"clientRequestId": _ID, "jobId": "render-7", "taskId": "frame-001"}
EVENT = {"clientRequestId": _ID, "jobId": "render-7", "deleteAfter": {"succeeded": "P3D", "failed": "P7D"}}
CLOUD_EVENT = {
    "specversion": "1.0",
    "id": "render-7-2026-11-24",
    "source": "https://account.region.batch.azure.com",
    "type": "Pipeline.JobCompleted",
    "data": {"jobId": "render-7", "deleteAfter": "P3D"},
}
GRID_EVENT = {
    "id": "render-7-2026-11-24",
    "topic": "/subscriptions/…/topics/jobs",
    "subject": "jobs/render-7",
    "eventType": "Pipeline.JobCompleted",
    "eventTime": "2026-11-24T08:00:00Z",
    "dataVersion": "1",
    "data": {"jobId": "render-7"},
}

REQUESTS = _named(
    one=("One task", REQUEST),
    later=("In an hour, if the task has not changed", REQUEST | {"deleteAfter": "PT1H", "ifMatch": '"0x8D4"'}),
    many=("Many requests", {"requests": [REQUEST, REQUEST | {"clientRequestId": _OTHER_ID, "taskId": "frame-002"}]}),
    tasks=("Many tasks of a job", {"clientRequestId": _ID, "jobId": "render-7", "taskIds": ["frame-001", "frame-002"]}),
)
EVENTS = _named(
    bare=("A bare event", EVENT),
    cloudEvent=("A CloudEvent, structured", CLOUD_EVENT),
    eventGrid=("An Event Grid delivery", [GRID_EVENT]),
    record=(
        "A diagnostic record of Batch",
        {
            "time": "2026-11-24T08:00:00.000Z",
            "resourceId": "/SUBSCRIPTIONS/…/BATCHACCOUNTS/ACCOUNT",
            "location": "westeurope",
            "operationName": "TaskCompleteEvent",
            "properties": {"jobId": "render-7", "id": "frame-001"},
        },
    ),
)
SWEEPS = _named(
    all=("All policies of the default account", {}),
    preview=("What one policy would delete", {"policy": "nightly", "dryRun": True}),
)
BULK_REDRIVES = _named(
    preview=("How many there are", {"reason": "ServerBusy", "dryRun": True}),
    redrive=("Redrive them", {"reason": "ServerBusy", "perSecond": 5}),
)
BULK_SETTLEMENTS = _named(settle=("Settle what was rejected", {"outcome": "rejected"}))
