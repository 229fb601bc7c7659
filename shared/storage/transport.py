"""The HTTP transport under the storage clients: no call of theirs lasts longer than a caller waits."""

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
"""Connections kept: no fewer than threads. A smaller pool throws connections away and pays TLS again and again."""

_PLAIN_URL = re.compile(r"[!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+")
"""One in which nothing is left to be encoded, as the clients' own all are."""
_HEADERS = {"Accept-Encoding": "gzip, deflate", "Accept": "*/*", "Connection": "keep-alive"}
"""Those of `requests`, below the clients' own."""
_WITHOUT_BODY = frozenset({"GET", "HEAD"})

_WAITS = ("retry-after", "retry-after-ms", "x-ms-retry-after-ms")
"""What azure-core sleeps for, however long (`get_retry_after` in its `pipeline/policies/_utils.py`)."""
_TOO_SHORT_SECONDS = 0.02
"""A time-out below this is no try."""


@dataclass(frozen=True)
class Patience:
    """How long one storage call may take. An HTTP caller is told within 15 s that storage is down."""

    connect_seconds: float = 3
    """Two lost SYNs, which are sent again after one second and after two more, are lived through."""
    read_seconds: float = 5
    all_tries_seconds: float = 9
    """All tries of one call and the waits between them; waits after it, for tries that then fail at once, are short."""

    @classmethod
    def within(cls, seconds: float) -> Patience:
        """The same shares of another whole."""
        share = seconds / cls.all_tries_seconds
        return cls(cls.connect_seconds * share, cls.read_seconds * share, seconds)

    def timeouts(self, left: float) -> tuple[float, float]:
        """Time-outs to connect and to read that end within what is left."""
        share = min(1.0, left / (self.connect_seconds + self.read_seconds))
        return self.connect_seconds * share, self.read_seconds * share


class StorageSession(requests.Session):
    """Sends what azure-core has prepared already, and prepares, merges and looks up nothing again.

    It has no proxy, no cookies and no .netrc, which would replace the Authorization header.
    """

    def __init__(self) -> None:
        super().__init__()
        self._adapter = DirectAdapter(POOL)

    def request(  # type: ignore[override]  # what azure-core calls, and no more
        self, method: str, url: str, *, headers: Mapping[str, str], data: Any, stream: bool = False, **options: Any
    ) -> requests.Response:
        """One try; the body is read unless it is to be streamed."""
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
            # Counted again: of a text azure-core counts characters.
            prepared.headers["Content-Length"] = str(len(prepared.body or b""))
        response = self._adapter.send(prepared, stream=stream, timeout=options["timeout"])
        if not stream:
            # Read here, where a connection that breaks is still a failure of this try.
            response.content  # noqa: B018
        return response

    def close(self) -> None:
        """Lets go of all connections."""
        self._adapter.close()


class BoundedTransport(RequestsTransport):  # type: ignore[misc]  # handed out untyped by a lazy __getattr__
    """Knows the tries of one call by their request, which the retry policies of both libraries send again."""

    def __init__(self, patience: Patience, monotonic: Callable[[], float] = time.monotonic) -> None:
        # Given to a client, the time-outs would be those of a transport that it makes itself.
        super().__init__(
            session=StorageSession(),
            session_owner=False,
            use_env_settings=False,
            connection_timeout=patience.connect_seconds,
            read_timeout=patience.read_seconds,
        )
        self._patience = patience
        self._monotonic = monotonic
        self._ends: WeakKeyDictionary[Any, float] = WeakKeyDictionary()

    def send(self, request: Any, **options: Any) -> Any:
        """One try; raises ServiceRequestTimeoutError when no time is left for it."""
        now = self._monotonic()
        left = self._ends.setdefault(request, now + self._patience.all_tries_seconds) - now
        if left < _TOO_SHORT_SECONDS:
            raise ServiceRequestTimeoutError("no time left for another try")
        options["connection_timeout"], options["read_timeout"] = self._patience.timeouts(left)
        response = super().send(request, **options)
        for name in _WAITS:
            # A caller does not wait for so long; the clients' own pauses are short, and whoever called tries again.
            response.headers.pop(name, None)
        return response


class BoundedRetry(LinearRetry):
    """The queue library's retries, none of which begins when the time is over.

    That library asks for its token anew at every try, so that an identity endpoint that is silent costs each of them
    the whole patience of the credential, before the transport sees anything of it.
    """

    def __init__(self, patience: Patience, monotonic: Callable[[], float] = time.monotonic) -> None:
        # Up to a second between two tries. The policy does not know the names of azure-core's for the wait.
        super().__init__(backoff=0, retry_total=2, random_jitter_range=1, retry_connect=2, retry_read=2)
        self._patience = patience
        self._monotonic = monotonic

    def configure_retries(self, request: Any) -> dict[str, Any]:
        """What is counted for one call, with its end."""
        return super().configure_retries(request) | {"ends": self._monotonic() + self._patience.all_tries_seconds}

    def increment(self, settings: dict[str, Any], *arguments: Any, **options: Any) -> bool:
        """Whether there is to be another try."""
        return super().increment(settings, *arguments, **options) and self._monotonic() < settings["ends"]
