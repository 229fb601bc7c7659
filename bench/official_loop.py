"""A loop over the official client, as in a team's script: list the job's completed tasks, delete from threads.

`python -m bench.official_loop URL JOB THREADS` prints {"seconds", "cpu_seconds", "tasks"}.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from azure.batch import BatchClient
from azure.identity import ManagedIdentityCredential


def main() -> None:
    """Deletes the tasks and prints the time, from the first call to the last."""
    url, job, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    plain: dict[str, Any] = {"enforce_https": False} if url.startswith("http:") else {}
    client = BatchClient(url, ManagedIdentityCredential())
    began, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        tasks = client.list_tasks(job, filter="state eq 'completed'", select=["id", "state", "executionInfo"], **plain)
        deletions = [pool.submit(client.delete_task, job, task.id, **plain) for task in tasks]
        for deletion in deletions:
            deletion.result()
    spent = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu}
    print(json.dumps({**spent, "tasks": len(deletions)}))


if __name__ == "__main__":
    main()
