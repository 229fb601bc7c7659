"""Bearer tokens for the Batch service: one credential and one token request at a time per process.

azure-identity locks its cache but not its requests: twelve cold threads make twelve requests, and an
endpoint that is down costs each of them the whole time-out. Hence a cache of our own in front of it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from shared.clock import Clock
from shared.errors import AppError

logger = logging.getLogger(__name__)

RENEW_BEFORE_EXPIRY_SECONDS: Final = 300.0
ASK_AGAIN_AFTER_SECONDS: Final = 300.0
"""A held token is asked for anew this often: the credential answers from memory and renews a long
token at half its life, which leaves hours to ride out an endpoint that is down."""
RETRY_RENEWAL_AFTER_SECONDS: Final = 30.0
WAIT_FOR_OTHERS_SECONDS: Final = 30.0
"""Longer than a bounded credential takes; a thread that hangs must not hang all others."""

_DEFAULT: Final = "/.default"

_HINTS: Final = {
    "CredentialUnavailableError": "most likely no managed identity is assigned, or AZURE_CLIENT_ID names another one",
    "ClientAuthenticationError": "it refused, or with BATCH_CREDENTIAL=developer nobody is signed in",
}
"""What a person looks at first, by class name: the library's own text may quote an answer, and is not told."""


class AccessTokenLike(Protocol):
    """`azure.core.credentials.AccessToken`, as far as it is used here."""

    @property
    def token(self) -> str: ...

    @property
    def expires_on(self) -> int:
        """Unix time in seconds."""


class Credential(Protocol):
    """A credential of azure-identity, as far as it is used here."""

    def get_token(self, *scopes: str) -> AccessTokenLike: ...


class TokenUnavailable(AppError):
    """Raised when no token is to be had now; the text names the fault and holds no secret."""


@dataclass(frozen=True)
class _Held:
    token: str
    expires_at: float
    ask_again_at: float


@dataclass
class _Flight:
    """One token request under way, and what it came to."""

    landed: threading.Event = field(default_factory=threading.Event)
    held: _Held | None = None
    fault: str = "the token request was broken off"


class TokenSource:
    """The current token, fetched when needed; threads that wait share the fetch and its failure."""

    def __init__(self, credential_factory: Callable[[], Credential], scope: str, clock: Clock) -> None:
        self._credential_factory = credential_factory
        self._scope = normalised_scope(scope)
        self._clock = clock
        self._lock = threading.Lock()
        self._credential: Credential | None = None
        self._held: _Held | None = None
        self._flight: _Flight | None = None

    def token(self) -> str:
        """A token that is valid now; raises TokenUnavailable."""
        now = self._clock.now().timestamp()
        with self._lock:
            held, flight, credential = self._held, self._flight, self._credential
            if held is not None and (now < held.ask_again_at or (flight is not None and now < held.expires_at)):
                return held.token
            leads = flight is None
            if flight is None:
                flight = self._flight = _Flight()
        if leads:
            self._fetch(flight, credential)
        elif not flight.landed.wait(WAIT_FOR_OTHERS_SECONDS):
            raise TokenUnavailable(f"no answer to a token request in {WAIT_FOR_OTHERS_SECONDS:.0f} s")
        if flight.held is None:
            raise TokenUnavailable(flight.fault)
        return flight.held.token

    def renewed(self, stale: str) -> str:
        """A token from a fresh credential, whose memory does not hold `stale`; raises TokenUnavailable.

        Only the first of the threads that were refused with one token drops it.
        """
        with self._lock:
            if self._held is not None and self._held.token == stale:
                # A request under way asks the old credential: its answer must not count as fresh.
                self._credential = self._held = self._flight = None
        return self.token()

    def _fetch(self, flight: _Flight, credential: Credential | None) -> None:
        """Makes the request outside the lock, so that threads with a valid token go on meanwhile."""
        try:
            if credential is None:
                credential = self._credential_factory()
            flight.held = self._ask(credential)
        except Exception as error:  # noqa: BLE001 -- the one point that translates azure-identity, msal and azure-core
            flight.fault = _describe(error)
            logger.warning("token_unavailable fault=%s", flight.fault)
        finally:
            self._land(flight, credential)

    def _ask(self, credential: Credential) -> _Held:
        answer = credential.get_token(self._scope)
        if not answer.token.isascii() or not answer.token.isprintable() or " " in answer.token:
            raise TokenUnavailable("the token that came cannot be put into a header")
        now = self._clock.now().timestamp()
        life = answer.expires_on - now
        # A token that is short-lived from the start would otherwise be fetched anew by every call.
        rest = life - RENEW_BEFORE_EXPIRY_SECONDS if life > RENEW_BEFORE_EXPIRY_SECONDS else life / 2
        return _Held(answer.token, float(answer.expires_on), now + min(rest, ASK_AGAIN_AFTER_SECONDS))

    def _land(self, flight: _Flight, credential: Credential | None) -> None:
        now = self._clock.now().timestamp()
        with self._lock:
            if self._flight is flight:
                self._flight = None
                self._credential = credential
                old = self._held
                if flight.held is None and old is not None and now < old.expires_at:
                    flight.held = _Held(old.token, old.expires_at, now + RETRY_RENEWAL_AFTER_SECONDS)
                self._held = flight.held
        flight.landed.set()


def normalised_scope(scope: str) -> str:
    """The scope whose resource ends in one slash, as the audience that Batch wants does.

    `https://batch.core.windows.net//.default`: the credential cuts `/.default` off, and with one slash
    Batch answers 401 (https://github.com/Azure/azure-sdk-for-net/issues/8026).
    """
    return scope.removesuffix(_DEFAULT).rstrip("/") + "/" + _DEFAULT


def _describe(error: Exception) -> str:
    """Class and HTTP status alone: azure-core puts the whole body of an answer, token included, into its texts."""
    if isinstance(error, TokenUnavailable):
        return str(error)
    status = getattr(error, "status_code", None)
    answer = f" (HTTP {status})" if isinstance(status, int) else ""
    name = type(error).__name__
    hint = f"; {_HINTS[name]}" if name in _HINTS else ""
    return f"no token from the identity endpoint: {name}{answer}{hint}"
