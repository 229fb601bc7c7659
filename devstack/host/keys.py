"""Access keys: not asked for by default, as under the Core Tools; with `--enable-auth` as in the cloud."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from devstack.host.app_settings import AppSettings
from devstack.host.errors import StartUpFailed
from devstack.http1 import Incoming

FUNCTION_KEY_SETTING = "HOST_FUNCTION_KEY"
MASTER_KEY_SETTING = "HOST_MASTER_KEY"


@dataclass(frozen=True)
class AccessKeys:
    """The keys to ask for; an empty key admits nobody."""

    required: bool
    function_key: str = field(default="", repr=False)
    """Opens every function of level `function`, like a host key in the cloud."""
    master_key: str = field(default="", repr=False)
    """Opens everything, and is the only key for level `admin`."""

    def refusal(self, level: str, request: Incoming) -> int | None:
        """None if the request may pass, else 401, or 403 for a valid key that does not suffice."""
        if not self.required or level == "anonymous":
            return None
        given = _given(request)
        if _same(given, self.master_key):
            return None
        if not _same(given, self.function_key):
            return 401
        return None if level == "function" else 403


def keys_from(settings: AppSettings, *, required: bool) -> AccessKeys:
    """The keys in the settings. Raises StartUpFailed if keys are required and missing."""
    function_key = settings.get(FUNCTION_KEY_SETTING) or ""
    master_key = settings.get(MASTER_KEY_SETTING) or ""
    if required and not (function_key or master_key):
        raise StartUpFailed([f"--enable-auth needs {FUNCTION_KEY_SETTING} or {MASTER_KEY_SETTING} in the settings"])
    return AccessKeys(required, function_key, master_key)


def _given(request: Incoming) -> str:
    """The first `x-functions-key`, even an empty one; without that header, the first `code` of the query."""
    headers = [value for name, value in request.headers.pairs if name.lower() == "x-functions-key"]
    query = parse_qsl(request.target.partition("?")[2], keep_blank_values=True)
    return next(iter(headers or [value for name, value in query if name.lower() == "code"]), "")


def _same(given: str, key: str) -> bool:
    return bool(key) and hmac.compare_digest(given.encode(), key.encode())
