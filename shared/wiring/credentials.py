"""Chooses the azure-identity credential, and limits how long it may try."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final, Protocol

from azure.core.credentials import AccessToken

from shared.batch.tokens import Credential, TokenSource
from shared.clock import Clock

DEVELOPER: Final = "developer"

_RETRIES: Final[dict[str, Any]] = {
    "connection_timeout": 2,
    "read_timeout": 5,
    # One immediate retry after a lost connection, none after an answer: azure-core would sleep for as long
    # as a `Retry-After` says, and the request itself is retried later anyway.
    "retry_total": 1,
    "retry_status": 0,
}


class CredentialSettings(Protocol):
    """The app settings that determine the credential."""

    @property
    def batch_credential(self) -> str: ...

    @property
    def client_id(self) -> str | None: ...


def credential_factory(settings: CredentialSettings) -> Callable[[], Credential]:
    """A function that makes a fresh credential; until it is called, nothing is imported or contacted."""

    def make() -> Credential:
        # A 0.2 s import that functions without Batch calls do not need.
        from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

        # azure-identity logs its exception's text, which quotes the answer's body: if that is broken JSON,
        # it can include a token. `TokenUnavailable` reports the fault instead.
        logging.getLogger("azure.identity").setLevel(logging.CRITICAL)
        client_id = settings.client_id or None
        if settings.batch_credential == DEVELOPER:
            return DefaultAzureCredential(managed_identity_client_id=client_id, **_RETRIES)
        # The endpoint is local to the machine; a proxy set in the environment must not see its header.
        return ManagedIdentityCredential(client_id=client_id, use_env_settings=False, **_RETRIES)

    return make


class SharedCredential:
    """A credential for azure-core's clients that makes one token request at a time, however many threads there are.

    azure-identity does not: with it, 32 cold threads make 32 requests. Raises TokenUnavailable.
    """

    def __init__(self, factory: Callable[[], Credential], clock: Clock) -> None:
        self._factory = factory
        self._clock = clock
        self._lock = threading.Lock()
        self._sources: dict[str, TokenSource] = {}

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """The token for the first scope; the clients pass only one."""
        with self._lock:
            source = self._sources.setdefault(scopes[0], TokenSource(self._factory, scopes[0], self._clock))
        token = source.current()
        return AccessToken(token.text, int(token.expires_at))
