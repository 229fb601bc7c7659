"""Dead letters as earlier versions of the app stored them, in one partition."""

from __future__ import annotations

from datetime import datetime

from shared.clock import to_text
from shared.results.letter_rows import OLD_PARTITION


def old_rows(count: int, first_seen: datetime, **columns: object) -> dict[tuple[str, str], dict[str, object]]:
    """Both rows of each letter, with the columns of that time."""
    found: dict[tuple[str, str], dict[str, object]] = {}
    for number in range(count):
        letter_id = f"{number:08x}-0000-5000-8000-00000000000f"
        milliseconds = round(first_seen.timestamp() * 1000)
        for row in (f"id:{letter_id}", f"at:{253_402_300_799_999 - milliseconds:015d}:{letter_id}"):
            found[OLD_PARTITION, row] = {
                "PartitionKey": OLD_PARTITION,
                "RowKey": row,
                "id": letter_id,
                "reason": "InvalidHeaderValue",
                "outcome": "failed",
                "queue": "requests",
                "client_request_id": f"{number:08x}-0000-4000-8000-00000000000f",
                "job_id": "Job-1",
                "task_id": f"task-{number}",
                "dry_run": False,
                "attempts": 1,
                "generation": 0,
                "first_seen_at": to_text(first_seen),
                "last_seen_at": to_text(first_seen),
                "redriven_at": "",
                "error": '["InvalidHeaderValue","Refused.",[]]',
                "batch_request_id": "batch-3",
                "status_code": 400,
                "body": b'{"clientRequestId": "' + f"{number:08x}".encode() + b'-0000-4000-8000-00000000000f", '
                b'"jobId": "Job-1", "taskId": "task-' + str(number).encode() + b'"}'
                if row.startswith("id:")
                else b"",
            } | columns
    return found
