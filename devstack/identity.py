"""The managed-identity endpoint of App Service and Functions, for the local stack.

What the app's credential library asks for, it gets: a token for the resource it names, signed so that the simulated
Batch service takes it. Run it with `python -m devstack.identity`; it prints its URL as one line when ready.
https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference

Control calls, without a header: `GET /_control`, `POST /_control/fault` (fields of IdentityFault in camelCase),
`DELETE /_control/fault`, `POST /_control/lifetime` `{"seconds"}`.
"""

from __future__ import annotations

import argparse
import hmac
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

from devstack import tokens
from devstack.http1 import Answer, Incoming
from devstack.loopback import LoopbackServer, run_until_signalled

MSI_PATH = "/msi/token"
API_VERSION = "2019-08-01"
SYSTEM_ASSIGNED_CLIENT_ID = "00000000-0000-0000-0000-00000000c001"
PRINCIPAL_ID = "00000000-0000-0000-0000-00000000b001"
DEFAULT_HEADER = "local-identity-header"
HEADER_VARIABLE = "DEVSTACK_IDENTITY_HEADER"


@dataclass(frozen=True)
class IdentityFault:
    """A fault for the next `times` requests (None: all). A fault without an answer only delays."""

    status: int | None = None
    body: str | None = None
    """Sent instead of the document, with status 200 unless another is given."""
    delay_seconds: float = 0.0
    times: int | None = None
    retry_after: str | None = None
    """The `Retry-After` header of a refusal."""


@dataclass(frozen=True)
class TokenRequest:
    """One request for a token that carried the right header, by what it asked for."""

    resource: str | None
    client_id: str | None
    status: int


class IdentityEndpoint:
    """The endpoint on 127.0.0.1, as a context manager or between `start` and `stop`.

    `client_ids` are the user-assigned identities that exist; None means that every identity exists.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        header: str = DEFAULT_HEADER,
        signing_key: str = tokens.DEFAULT_SIGNING_KEY,
        lifetime_seconds: float = 3600.0,
        client_ids: tuple[str, ...] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.header = header
        self.lifetime_seconds = lifetime_seconds
        self.server = LoopbackServer(self._serve, port)
        self._signing_key = signing_key
        self._client_ids = client_ids
        self._now = now
        self._fault: IdentityFault | None = None
        self._faults_left: int | None = None
        self._requests: list[TokenRequest] = []
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The server's URL, without the path of the token call."""
        return self.server.url

    @property
    def environment(self) -> dict[str, str]:
        """The two variables by which App Service tells an app where its identity is."""
        return {"IDENTITY_ENDPOINT": self.url + MSI_PATH, "IDENTITY_HEADER": self.header}

    @property
    def requests(self) -> list[TokenRequest]:
        """The token requests so far, oldest first."""
        with self._lock:
            return list(self._requests)

    def start(self) -> Self:
        """Starts accepting requests."""
        self.server.start()
        return self

    def stop(self) -> None:
        """Cuts all connections."""
        self.server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def fault(self, fault: IdentityFault | None = None, **fields: Any) -> None:
        """Sets a fault, replacing any earlier one."""
        with self._lock:
            self._fault = fault or IdentityFault(**fields)
            self._faults_left = self._fault.times

    def behave(self) -> None:
        """Ends the fault."""
        with self._lock:
            self._fault = None

    def token(self, resource: str, client_id: str | None = None) -> dict[str, str]:
        """The response document for this resource, for callers that need no server."""
        now = self._now()
        expires = int(now + self.lifetime_seconds)
        claims = {
            "aud": resource,
            "iss": tokens.ISSUER,
            "iat": now,
            "nbf": now,
            "exp": expires,
            "oid": PRINCIPAL_ID,
            "appid": client_id or SYSTEM_ASSIGNED_CLIENT_ID,
        }
        return {
            "access_token": tokens.mint(claims, self._signing_key),
            "expires_on": str(expires),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": client_id or SYSTEM_ASSIGNED_CLIENT_ID,
        }

    def _serve(self, incoming: Incoming) -> Answer:
        path, _, raw_query = incoming.target.partition("?")
        if path.startswith("/_control"):
            return self._control(incoming.method, path, incoming.body)
        if (incoming.method, path) != ("GET", MSI_PATH):
            return _refusal(404, "There is no such resource.")
        given = incoming.headers.get("X-IDENTITY-HEADER") or ""
        if not hmac.compare_digest(given.encode(), self.header.encode()):
            return _refusal(401, "The X-IDENTITY-HEADER is missing or wrong.")
        query = dict(parse_qsl(raw_query))
        answer = self._take_fault() or self._issue(query)
        with self._lock:
            self._requests.append(TokenRequest(query.get("resource"), query.get("client_id"), answer.status))
        return answer

    def _issue(self, query: dict[str, str]) -> Answer:
        resource, client_id = query.get("resource"), query.get("client_id")
        if query.get("api-version") != API_VERSION:
            return _refusal(400, f"The api-version must be {API_VERSION}.")
        if not resource:
            return _refusal(400, "The resource is missing.")
        if client_id and self._client_ids is not None and client_id not in self._client_ids:
            return _refusal(400, "No User Assigned Identity found for specified ClientId.")
        return _json(200, self.token(resource, client_id))

    def _take_fault(self) -> Answer | None:
        with self._lock:
            fault = self._fault
            if fault is None or self._faults_left == 0:
                return None
            if self._faults_left is not None:
                self._faults_left -= 1
        time.sleep(fault.delay_seconds)
        if fault.body is not None:
            return Answer(fault.status or 200, {"Content-Type": "application/json"}, fault.body.encode())
        if fault.status is None:
            return None
        refusal = _refusal(fault.status, "A fault that was asked for.")
        wait = {"Retry-After": fault.retry_after} if fault.retry_after else {}
        return Answer(refusal.status, {**refusal.headers, **wait}, refusal.body)

    def _control(self, method: str, path: str, body: bytes) -> Answer:
        content = json.loads(body) if body else {}
        match method, path:
            case "GET", "/_control":
                pass
            case "POST", "/_control/fault":
                delay = float(content.get("delaySeconds", 0.0))
                self.fault(IdentityFault(content.get("status"), content.get("body"), delay, content.get("times")))
            case "DELETE", "/_control/fault":
                self.behave()
            case "POST", "/_control/lifetime":
                self.lifetime_seconds = float(content["seconds"])
            case _:
                return _refusal(404, "There is no such control call.")
        issued = sum(request.status == 200 for request in self.requests)
        return _json(200, {"requests": len(self.requests), "issued": issued, "lifetimeSeconds": self.lifetime_seconds})


def _refusal(status: int, text: str) -> Answer:
    return _json(status, {"statusCode": status, "message": text})


def _json(status: int, document: dict[str, Any]) -> Answer:
    return Answer(status, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(document).encode())


def main() -> None:
    """Reads the command line and serves until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m devstack.identity", description="A local managed identity.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--lifetime-seconds", type=float, default=3600.0, help="of each token")
    parser.add_argument("--header", default=os.environ.get(HEADER_VARIABLE, DEFAULT_HEADER))
    parser.add_argument(
        "--signing-key", default=os.environ.get(tokens.SIGNING_KEY_VARIABLE, tokens.DEFAULT_SIGNING_KEY)
    )
    arguments = parser.parse_args()
    endpoint = IdentityEndpoint(
        port=arguments.port,
        header=arguments.header,
        signing_key=arguments.signing_key,
        lifetime_seconds=arguments.lifetime_seconds,
    )
    run_until_signalled(endpoint.server)


if __name__ == "__main__":
    main()
