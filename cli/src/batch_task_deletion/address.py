"""The app's address: its canonical form, and the addresses to which a key may be sent."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from batch_task_deletion.faults import Usage
from batch_task_deletion.text import escaped

_HOST = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]")
_PATH = re.compile(r"[A-Za-z0-9._~/-]*")


def api_url(text: str) -> str:
    """The address, with `/api` appended if it is missing.

    Raises Usage for anything but a plain address, and for http to any but a loopback address: key and requests could
    be read and changed on the way.
    """
    parts = _parts(text.strip())
    scheme = parts.scheme.lower()
    if scheme not in {"http", "https"}:
        raise Usage("the address must begin with https:// (http:// for a loopback address)")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        # A `?code=...` would be a key in plain sight, so this text is not repeated in the message.
        raise Usage(
            "the address must have neither a user nor a query; a key belongs in BATCH_TASK_DELETION_KEY or a file"
        )
    if not _HOST.fullmatch(parts.netloc.rpartition(":")[0] if parts.port is not None else parts.netloc):
        raise Usage(f"the address must name a host: {escaped(text)}")
    if not _PATH.fullmatch(parts.path):
        raise Usage(f"the address has an invalid path: {escaped(text)}")
    if scheme == "http" and not is_loopback(parts.hostname or ""):
        raise Usage(f"plain http is allowed only to a loopback address, not to {escaped(parts.netloc)}; use https://")
    path = parts.path.rstrip("/")
    return f"{scheme}://{parts.netloc.lower()}{path if path.endswith('/api') else path + '/api'}"


def is_loopback(host: str) -> bool:
    """Whether a host's name alone shows that it is this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _parts(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 -- raises ValueError if the port is not a number
    except ValueError:
        raise Usage("the address cannot be read; it must look like https://NAME.azurewebsites.net") from None
    return parts
