"""Batch account URLs: one canonical form, and the match against the allow list.

Calls carry a bearer token for the Batch service, so a caller's URL only ever selects an entry
of the list. URL parsers disagree on hostile texts (a backslash before `@`, a tab): here one
pattern has to match the whole text before any part of it is used.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address

_URL = re.compile(
    r"(https?)://([a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*|\[[0-9a-f:.]{2,45}\])(?::([1-9][0-9]{0,4}))?/?",
    re.IGNORECASE | re.ASCII,
)
NOT_LISTED = "must be one of the Batch accounts that this app is set up for"
_MAX_URL = 300
_MAX_PORT = 65_535
_DEFAULT_PORTS = {"https": 443, "http": 80}
_LOOPBACK = IPv4Network("127.0.0.0/8")


def canonical(text: str) -> str:
    """Scheme, host and any non-default port, in lower case and without a trailing slash.

    Raises ValueError for anything but a bare https URL, or an http URL of a loopback address.
    """
    match = _URL.fullmatch(text) if len(text) <= _MAX_URL else None
    if match is None:
        raise ValueError(
            "must be a URL of scheme, host and optional port, such as 'https://acct.region.batch.azure.com'"
        )
    scheme, host = match[1].lower(), _host(match[2].lower())
    if scheme == "http" and not _is_loopback(host):
        raise ValueError("must begin with https:// (http:// is for loopback addresses)")
    port = int(match[3] or _DEFAULT_PORTS[scheme])
    if port > _MAX_PORT:
        raise ValueError("must have a port of at most 65535")
    return f"{scheme}://{host}" if port == _DEFAULT_PORTS[scheme] else f"{scheme}://{host}:{port}"


def select(text: str, accounts: Sequence[str]) -> str:
    """The entry of the allow list (canonical URLs) that the text names.

    Raises ValueError when there is none.
    """
    if text in accounts:
        return text
    wanted = canonical(text)
    if wanted in accounts:
        return wanted
    raise ValueError(NOT_LISTED)


def _host(host: str) -> str:
    if not host.startswith("["):
        return host
    try:
        return f"[{IPv6Address(host[1:-1]).compressed}]"
    except ValueError:
        raise ValueError("must have a valid IPv6 address in its brackets") from None


def _is_loopback(host: str) -> bool:
    if host in ("localhost", "[::1]"):
        return True
    try:
        return IPv4Address(host) in _LOOPBACK
    except ValueError:
        return False
