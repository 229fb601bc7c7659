"""Runs one client of the DELETE call in a separate process; prints its figures as JSON.

Runs in .venv-bench, which has aiohttp; the app is deployed without it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Self

from bench.arithmetic import percentile

API_VERSION = "2024-07-01.20.0"
TOKEN = "x" * 1200
"""As long as a token of Entra ID."""
JOB = "bench"


class _Credential:
    def get_token(self, *scopes: str, **options: Any) -> Any:
        from azure.core.credentials import AccessToken

        return AccessToken(TOKEN, int(time.time()) + 86_400)


class _AsyncCredential:
    async def get_token(self, *scopes: str, **options: Any) -> Any:
        return _Credential().get_token(*scopes)

    async def close(self) -> None:
        """Holds nothing."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def of_the_app(url: str, ca: str | None, threads: int) -> Callable[[], object]:
    """The app's own client."""
    from bench.app_client import delete_call

    delete = delete_call(url, ca, threads, TOKEN)

    def call() -> None:
        status = delete()
        if status != 200:
            raise RuntimeError(f"answered {status}")

    return call


def of_requests(url: str, ca: str | None, threads: int) -> Callable[[], object]:
    """A session of requests with as many connections as threads, as a careful user configures it."""
    import requests

    session = requests.Session()
    session.mount(url, requests.adapters.HTTPAdapter(pool_maxsize=threads))
    session.headers["Authorization"] = f"Bearer {TOKEN}"

    def call() -> None:
        where = f"{url}/jobs/{JOB}/tasks/task-1"
        headers = {"client-request-id": str(uuid.uuid4())}
        session.delete(
            where, params={"api-version": API_VERSION}, headers=headers, timeout=60, verify=ca or True
        ).raise_for_status()

    return call


def official_sync(url: str, ca: str | None, _threads: int) -> Callable[[], object]:
    """azure-batch with its defaults."""
    from azure.batch import BatchClient

    client = BatchClient(url, _Credential(), **({"connection_verify": ca} if ca else {}))
    plain: dict[str, Any] = {} if ca else {"enforce_https": False}
    return lambda: client.delete_task(JOB, "task-1", **plain)


async def official_aio(url: str, ca: str | None, count: int, seconds: float) -> list[float]:
    """azure-batch's asynchronous client with its defaults."""
    from azure.batch.aio import BatchClient

    plain: dict[str, Any] = {} if ca else {"enforce_https": False}
    # The CA is that of SSL_CERT_FILE: of a bundle given to the client azure-core makes a context for each call.
    async with BatchClient(url, _AsyncCredential()) as client:
        return await _drive(lambda: client.delete_task(JOB, "task-1", **plain), count, seconds)


async def _drive(call: Callable[[], Awaitable[object]], count: int, seconds: float) -> list[float]:
    await asyncio.gather(*(call() for _ in range(count)))
    ends = time.perf_counter() + seconds
    global _began, _cpu
    _began, _cpu = time.perf_counter(), time.process_time()

    async def work() -> list[float]:
        took = []
        while (now := time.perf_counter()) < ends:
            await call()
            took.append(time.perf_counter() - now)
        return took

    return [latency for latencies in await asyncio.gather(*(work() for _ in range(count))) for latency in latencies]


_began = _cpu = 0.0
SYNC = {"app": of_the_app, "requests.Session": of_requests, "official sync": official_sync}
CLIENTS = (*SYNC, "official aio")


def main() -> None:
    """Runs one client and prints rate, CPU per call and percentiles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", choices=CLIENTS)
    parser.add_argument("url")
    parser.add_argument("--ca")
    parser.add_argument("--in-flight", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1)
    options = parser.parse_args()
    if options.client in SYNC:
        from bench.calls import call_from

        call = SYNC[options.client](options.url, options.ca, options.in_flight)
        calls = call_from(options.in_flight, lambda: call, seconds=options.seconds, most=1_000_000)
        latencies, wall, cpu = calls.latencies, calls.seconds, calls.cpu_seconds
    else:
        latencies = asyncio.run(official_aio(options.url, options.ca, options.in_flight, options.seconds))
        wall, cpu = time.perf_counter() - _began, time.process_time() - _cpu
    figures = {
        "calls_per_second": len(latencies) / wall,
        "cpu_us": cpu / len(latencies) * 1e6,
        "p50_ms": percentile(latencies, 0.5) * 1e3,
        "p99_ms": percentile(latencies, 0.99) * 1e3,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
