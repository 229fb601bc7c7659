"""Access keys: not asked for by default, as under the Core Tools; with `--enable-auth` as in the cloud."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from devstack.host.app_settings import AppSettings
from devstack.host.errors import StartUpFailed
from devstack.host.http_messages import HttpRequest

FUNCTION_KEY_SETTING = "HOST_FUNCTION_KEY"
MASTER_KEY_SETTING = "HOST_MASTER_KEY"


@dataclass(frozen=True)
class AccessKeys:
    """The keys to ask for; empty ones admit nobody."""

    required: bool
    function_key: str = field(default="", repr=False)
    """Opens every function of level `function`, like a host key in the cloud."""
    master_key: str = field(default="", repr=False)
    """Opens everything, and alone opens level `admin`."""

    def admit(self, level: str, request: HttpRequest) -> bool:
        """Whether the request may pass: key in `x-functions-key` first, else in the query's `code`."""
        if not self.required or level == "anonymous":
            return True
        given = request.header("x-functions-key") or request.query.get("code") or ""
        if _same(given, self.master_key):
            return True
        return level == "function" and _same(given, self.function_key)


def keys_from(settings: AppSettings, *, required: bool) -> AccessKeys:
    """The keys of the settings. Raises StartUpFailed when keys are required and there are none."""
    function_key = settings.get(FUNCTION_KEY_SETTING) or ""
    master_key = settings.get(MASTER_KEY_SETTING) or ""
    if required and not (function_key or master_key):
        raise StartUpFailed([f"--enable-auth needs {FUNCTION_KEY_SETTING} or {MASTER_KEY_SETTING} in the settings"])
    return AccessKeys(required, function_key, master_key)


def _same(given: str, key: str) -> bool:
    return bool(key) and hmac.compare_digest(given.encode(), key.encode())
