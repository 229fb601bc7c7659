"""Connections for `requests` without its extras: proxy look-ups, cookies, redirects, and a CA bundle per connection.

In a plain session these take four tenths of a call's CPU (docs/performance.md).
"""

from __future__ import annotations

import re
import ssl
from functools import cache
from typing import Any

import certifi
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.util.ssl_ import create_urllib3_context

MOST_HOSTS = 256
"""More than the number of accounts anybody lists: an evicted host loses its connections."""

_AFTER_HOST = re.compile("[/?#]")

PoolClasses = dict[str, type[HTTPConnectionPool]]


@cache
def verifying_context(ca_file: str) -> ssl.SSLContext:
    """One context for all connections that trust a bundle; loading the bundle takes 16 of a TLS connection's 20 ms."""
    context = create_urllib3_context()
    context.load_verify_locations(ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    context.check_hostname = True
    return context


class DirectAdapter(HTTPAdapter):
    """Keeps `pool` connections per host, tries once, and always verifies; a session's `verify` does not count.

    `pool_classes` replaces urllib3's own, by scheme. Trusts the CAs of certifi unless a bundle is named.
    """

    def __init__(self, pool: int, ca_file: str | None = None, pool_classes: PoolClasses | None = None) -> None:
        self._context = verifying_context(ca_file or certifi.where())
        self._pool_classes = pool_classes
        self._pools: dict[str, HTTPConnectionPool] = {}
        super().__init__(pool_connections=MOST_HOSTS, pool_maxsize=pool, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        """Makes the pools, with our context and classes."""
        super().init_poolmanager(connections, maxsize, block, ssl_context=self._context, **options)
        if self._pool_classes:
            self.poolmanager.pool_classes_by_scheme = dict(self._pool_classes)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """The context verifies."""
        conn.cert_reqs, conn.ca_certs, conn.ca_cert_dir = "CERT_REQUIRED", None, None

    def get_connection_with_tls_context(
        self, request: PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> HTTPConnectionPool:
        """The pool of the request's host; no proxies."""
        url = request.url or ""
        scheme, _, rest = url.partition("://")
        origin = f"{scheme}://{_AFTER_HOST.split(rest, maxsplit=1)[0]}"
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools.setdefault(origin, self.poolmanager.connection_from_url(url))
        return pool

    def request_url(self, request: PreparedRequest, proxies: Any) -> str:
        """Path and query; no proxies."""
        return request.path_url

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:
        """The answer, without a cookie jar."""
        response = Response()
        response.status_code = resp.status
        response.reason = resp.reason
        response.headers = CaseInsensitiveDict(resp.headers)
        response.raw = resp
        response.url = req.url or ""
        response.request = req
        return response

    def close(self) -> None:
        """Closes all connections."""
        self._pools.clear()
        super().close()
