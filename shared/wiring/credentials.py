"""Which credential of azure-identity the app uses, and how long it may try."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final, Protocol

from azure.core.credentials import AccessToken

from shared.batch.tokens import Credential, TokenSource
from shared.clock import Clock

DEVELOPER: Final = "developer"

_PATIENCE: Final[dict[str, Any]] = {
    "connection_timeout": 2,
    "read_timeout": 5,
    # One more try at once after a lost connection, none after an answer: azure-core would sleep for as long
    # as a `Retry-After` says, and the request itself is put back and tried again anyway.
    "retry_total": 1,
    "retry_status": 0,
}


class CredentialSettings(Protocol):
    """The part of the app settings that chooses the credential."""

    @property
    def batch_credential(self) -> str: ...

    @property
    def client_id(self) -> str | None: ...


def credential_factory(settings: CredentialSettings) -> Callable[[], Credential]:
    """What makes a fresh credential when called; nothing is imported or contacted before."""

    def make() -> Credential:
        # 0.2 s of import that the functions without a Batch call do not need.
        from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

        # azure-identity warns with the text of its exception, which holds the body of the answer and so,
        # when that is broken JSON, a token. `TokenUnavailable` tells the fault instead.
        logging.getLogger("azure.identity").setLevel(logging.CRITICAL)
        client_id = settings.client_id or None
        if settings.batch_credential == DEVELOPER:
            return DefaultAzureCredential(managed_identity_client_id=client_id, **_PATIENCE)
        # The endpoint is on the machine; a proxy of the environment must not see its header.
        return ManagedIdentityCredential(client_id=client_id, use_env_settings=False, **_PATIENCE)

    return make


class SharedCredential:
    """A credential for azure-core's clients that asks for one token at a time, whatever the number of threads.

    azure-identity does not: 32 cold threads make 32 requests. Raises TokenUnavailable.
    """

    def __init__(self, factory: Callable[[], Credential], clock: Clock) -> None:
        self._factory = factory
        self._clock = clock
        self._lock = threading.Lock()
        self._sources: dict[str, TokenSource] = {}

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """The token for the first scope; the clients name one."""
        with self._lock:
            source = self._sources.setdefault(scopes[0], TokenSource(self._factory, scopes[0], self._clock))
        token = source.current()
        return AccessToken(token.text, int(token.expires_at))
