"""The HTTP transport under the storage clients: no storage call lasts longer than an HTTP caller waits."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import requests
from azure.core.exceptions import ServiceRequestTimeoutError
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.queue import LinearRetry
from requests.structures import CaseInsensitiveDict

from shared.connections import DirectAdapter

POOL = 64
"""Connections kept: at least one per thread. A smaller pool discards connections and repeats TLS handshakes."""

_PLAIN_URL = re.compile(r"[!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+")
"""A URL in which nothing needs encoding; the clients produce only such URLs."""
_HEADERS = {"Accept-Encoding": "gzip, deflate", "Accept": "*/*", "Connection": "keep-alive"}
"""The defaults of `requests`; the clients' own headers override them."""
_WITHOUT_BODY = frozenset({"GET", "HEAD"})

_WAITS = ("retry-after", "retry-after-ms", "x-ms-retry-after-ms")
"""What azure-core sleeps for, however long (`get_retry_after` in its `pipeline/policies/_utils.py`)."""
_TOO_SHORT_SECONDS = 0.02
"""A try with less time than this is pointless."""


@dataclass(frozen=True)
class Timeouts:
    """How long one storage call may take. An HTTP caller learns within 15 s that storage is down."""

    connect_seconds: float = 3
    """Long enough for two lost SYNs, which are sent again after one second and after two more."""
    read_seconds: float = 5
    all_tries_seconds: float = 9
    """All tries of one call and the waits between them. A wait may run past it, but is short, and the next try fails."""

    @classmethod
    def within(cls, seconds: float) -> Timeouts:
        """The same proportions, for a different total."""
        share = seconds / cls.all_tries_seconds
        return cls(cls.connect_seconds * share, cls.read_seconds * share, seconds)

    def shortened(self, left: float) -> tuple[float, float]:
        """Connect and read time-outs that end within the time left."""
        share = min(1.0, left / (self.connect_seconds + self.read_seconds))
        return self.connect_seconds * share, self.read_seconds * share


class StorageSession(requests.Session):
    """Sends what azure-core has already prepared, without preparing, merging or looking up anything again.

    It has no proxy and no cookies, and no .netrc, which would replace the Authorization header.
    """

    def __init__(self) -> None:
        super().__init__()
        self._adapter = DirectAdapter(POOL)

    def request(  # type: ignore[override]  # what azure-core calls, and no more
        self, method: str, url: str, *, headers: Mapping[str, str], data: Any, stream: bool = False, **options: Any
    ) -> requests.Response:
        """One try; reads the body unless it is to be streamed."""
        prepared = requests.PreparedRequest()
        prepared.method = method
        if _PLAIN_URL.fullmatch(url):
            prepared.url = url
        else:
            prepared.prepare_url(url, None)
        prepared.headers = CaseInsensitiveDict(_HEADERS)
        prepared.headers.update(headers)
        prepared.body = data.encode() if isinstance(data, str) else data
        if prepared.body or method not in _WITHOUT_BODY:
            # Counted again, because azure-core counts the characters of a text.
            prepared.headers["Content-Length"] = str(len(prepared.body or b""))
        response = self._adapter.send(prepared, stream=stream, timeout=options["timeout"])
        if not stream:
            # Read here, where a broken connection still counts as a failure of this try.
            response.content  # noqa: B018
        return response

    def close(self) -> None:
        """Closes all connections."""
        self._adapter.close()


class BoundedTransport(RequestsTransport):  # type: ignore[misc]  # handed out untyped by a lazy __getattr__
    """Recognises the tries of one call by their request, which both libraries' retry policies send again."""

    def __init__(self, timeouts: Timeouts, monotonic: Callable[[], float] = time.monotonic) -> None:
        # Given to a client, the time-outs would be those of a transport that it makes itself.
        super().__init__(
            session=StorageSession(),
            session_owner=False,
            use_env_settings=False,
            connection_timeout=timeouts.connect_seconds,
            read_timeout=timeouts.read_seconds,
        )
        self._timeouts = timeouts
        self._monotonic = monotonic
        self._ends: WeakKeyDictionary[Any, float] = WeakKeyDictionary()

    def send(self, request: Any, **options: Any) -> Any:
        """One try; raises ServiceRequestTimeoutError when there is no time left for it."""
        now = self._monotonic()
        left = self._ends.setdefault(request, now + self._timeouts.all_tries_seconds) - now
        if left < _TOO_SHORT_SECONDS:
            raise ServiceRequestTimeoutError("no time left for another try")
        options["connection_timeout"], options["read_timeout"] = self._timeouts.shortened(left)
        response = super().send(request, **options)
        for name in _WAITS:
            # No caller waits that long. The clients' own pauses are short, and the caller tries again.
            response.headers.pop(name, None)
        return response


class BoundedRetry(LinearRetry):
    """The queue library's retries, none of which starts once the time is over.

    That library asks for a token on every try, so with a silent identity endpoint each try waits for the credential's
    whole time-out before the transport is even called.
    """

    def __init__(self, timeouts: Timeouts, monotonic: Callable[[], float] = time.monotonic) -> None:
        # Up to a second between tries. The policy does not know azure-core's names for the wait.
        super().__init__(backoff=0, retry_total=2, random_jitter_range=1, retry_connect=2, retry_read=2)
        self._timeouts = timeouts
        self._monotonic = monotonic

    def configure_retries(self, request: Any) -> dict[str, Any]:
        """The retry state of one call, including when it must end."""
        return super().configure_retries(request) | {"ends": self._monotonic() + self._timeouts.all_tries_seconds}

    def increment(self, settings: dict[str, Any], *arguments: Any, **options: Any) -> bool:
        """Whether to try again."""
        return super().increment(settings, *arguments, **options) and self._monotonic() < settings["ends"]
