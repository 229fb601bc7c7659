"""DELETEs against a stub with a limit, second by second, from one process; prints JSON.

`app` is the app's client with its own limits; `fixed` always has as many calls in flight as threads.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Callable

import requests

API_VERSION = "2024-07-01.20.0"
SECONDS_OF_A_CALL = 60


def of_the_app(url: str, threads: int) -> Callable[[], int | None]:
    """The status of one call of the app's client; None if nothing was sent."""
    from bench.app_client import delete_call

    return delete_call(url, None, threads, "x" * 1200)


def fixed(url: str, threads: int) -> Callable[[], int | None]:
    """The status of one call of a plain session."""
    session = requests.Session()
    session.mount(url, requests.adapters.HTTPAdapter(pool_maxsize=threads))
    where = f"{url}/jobs/bench/tasks/task-1?api-version={API_VERSION}"
    return lambda: session.delete(where, timeout=SECONDS_OF_A_CALL).status_code


def main() -> None:
    """Prints [[taken, refused], ...], one pair per second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", choices=("app", "fixed"))
    parser.add_argument("url")
    parser.add_argument("--threads", type=int, default=128)
    parser.add_argument("--seconds", type=int, default=30)
    options = parser.parse_args()
    call = (of_the_app if options.client == "app" else fixed)(options.url, options.threads)
    counts = [[0, 0] for _ in range(options.seconds)]
    lock, began = threading.Lock(), time.monotonic()

    def work() -> None:
        while time.monotonic() - began < options.seconds:
            status = call()
            second = int(time.monotonic() - began)
            if status is not None and second < options.seconds:
                with lock:
                    counts[second][status != 200] += 1

    for _ in range(options.threads):
        threading.Thread(target=work, daemon=True).start()
    # Threads that wait for a place are left behind.
    time.sleep(options.seconds)
    with lock:
        print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    main()
