"""The few Azure calls needed to check a deployment, using azd's sign-in and only the standard library."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

API_VERSION = "2025-03-01"
STORAGE = "https://storage.azure.com"
"""The audience of storage tokens, in every cloud."""

# The resource manager of each cloud, by the ending of its apps' names.
_MANAGERS = {
    ".azurewebsites.us": "https://management.usgovcloudapi.net",
    ".chinacloudsites.cn": "https://management.chinacloudapi.cn",
}
_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; status 0 when there was none, with the reason as text."""

    status: int
    text: str

    def json(self) -> Any:
        """The body as JSON; None if it is not JSON."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None


def send(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
    """Makes one call, through the proxy that the environment names."""
    request = urllib.request.Request(url, data=body, headers=dict(headers), method=method)  # noqa: S310 -- addresses of azd
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
            return Answer(answer.status, answer.read().decode("utf-8", "replace"))
    except urllib.error.HTTPError as refused:
        with refused:
            return Answer(refused.code, refused.read().decode("utf-8", "replace"))
    except OSError as fault:
        return Answer(0, f"no answer: {fault}")


def azd_token(audience: str) -> str:
    """A token for the identity that is signed in to azd."""
    command = ["azd", "auth", "token", "--output", "json", "--scope", f"{audience}/.default"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return str(json.loads(shown)["token"])


def azd_values() -> dict[str, str]:
    """The current azd environment: parameters and outputs."""
    command = ["azd", "env", "get-values", "--output", "json"]
    return dict(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


@dataclass(frozen=True)
class Azure:
    """Calls with a token. Tests replace the transport and the tokens."""

    send: Callable[[str, str, Mapping[str, str], bytes | None], Answer] = send
    token: Callable[[str], str] = azd_token
    _tokens: dict[str, str] = field(default_factory=dict)

    def get(self, url: str, **headers: str) -> Answer:
        """A call without a token."""
        return self.send("GET", url, headers, None)

    def app(self, outputs: Mapping[str, str], method: str, path: str) -> Answer:
        """Calls the resource manager about the app that the outputs name."""
        manager = next(
            (url for ending, url in _MANAGERS.items() if outputs["FUNCTION_URL"].endswith(ending)),
            "https://management.azure.com",
        )
        resource = (
            f"/subscriptions/{outputs['AZURE_SUBSCRIPTION_ID']}/resourceGroups/{outputs['AZURE_RESOURCE_GROUP']}"
            f"/providers/Microsoft.Web/sites/{outputs['AZURE_FUNCTION_NAME']}"
        )
        headers = {"Authorization": self._bearer(manager), "Content-Type": "application/json"}
        body = b"" if method == "POST" else None
        return self.send(method, f"{manager}{resource}{path}?api-version={API_VERSION}", headers, body)

    def put_message(self, queue_url: str, text: str) -> Answer:
        """Puts a message on a queue (https://learn.microsoft.com/rest/api/storageservices/put-message)."""
        headers = {
            "Authorization": self._bearer(STORAGE),
            "Content-Type": "application/xml",
            "x-ms-version": "2021-12-02",
        }
        body = f"<QueueMessage><MessageText>{text}</MessageText></QueueMessage>".encode()
        return self.send("POST", f"{queue_url}/messages", headers, body)

    def _bearer(self, audience: str) -> str:
        if audience not in self._tokens:
            self._tokens[audience] = self.token(audience)
        return f"Bearer {self._tokens[audience]}"
