"""Bearer tokens: one credential and one token request at a time for each process and audience.

azure-identity locks its cache but not its requests: twelve cold threads make twelve requests, and if the
endpoint is down, each of them waits for the whole time-out. Hence a second cache in front of it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from shared.clock import Clock
from shared.errors import TokenUnavailable

logger = logging.getLogger(__name__)

RENEW_BEFORE_EXPIRY_SECONDS: Final = 300.0
ASK_AGAIN_AFTER_SECONDS: Final = 300.0
"""How often the credential is asked again while a token is held. It answers from memory and renews a
long-lived token at half its life, which leaves hours to ride out an endpoint that is down."""
RETRY_RENEWAL_AFTER_SECONDS: Final = 30.0
WAIT_FOR_OTHERS_SECONDS: Final = 30.0
"""Longer than a bounded credential takes; one hanging thread must not block all the others."""

_DEFAULT: Final = "/.default"

_NOT_JSON: Final = "its answer was not JSON, so most likely an error of the endpoint itself"
_FAULTS: Final = {
    "ClientAuthenticationError": "it refused the request, or with BATCH_CREDENTIAL=developer nobody is signed in",
    "CredentialUnavailableError": "most likely no managed identity is assigned, or AZURE_CLIENT_ID names another one",
    "DecodeError": _NOT_JSON,
    "JSONDecodeError": _NOT_JSON,
    "ServiceRequestError": "it could not be reached",
    "ServiceResponseError": "it did not answer",
}
"""What to check first, by exception class. The library's own text may quote an answer, so it is never repeated."""


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


@dataclass(frozen=True)
class Token:
    """A cached token; instants are Unix time in seconds."""

    text: str
    expires_at: float
    ask_again_at: float


@dataclass
class _Flight:
    """One token request under way, and its result."""

    landed: threading.Event = field(default_factory=threading.Event)
    held: Token | None = None
    fault: str = "the token request was interrupted"


class TokenSource:
    """The current token, fetched when needed; waiting threads share one fetch and its failure."""

    def __init__(self, credential_factory: Callable[[], Credential], scope: str, clock: Clock) -> None:
        self._credential_factory = credential_factory
        self._scope = scope
        self._clock = clock
        self._lock = threading.Lock()
        self._credential: Credential | None = None
        self._held: Token | None = None
        self._flight: _Flight | None = None

    def token(self) -> str:
        """The text of a currently valid token; raises TokenUnavailable."""
        return self.current().text

    def current(self) -> Token:
        """A currently valid token; raises TokenUnavailable."""
        now = self._clock.now().timestamp()
        with self._lock:
            held, flight, credential = self._held, self._flight, self._credential
            if held is not None and (now < held.ask_again_at or (flight is not None and now < held.expires_at)):
                return held
            leads = flight is None
            if flight is None:
                flight = self._flight = _Flight()
        if leads:
            self._fetch(flight, credential)
        elif not flight.landed.wait(WAIT_FOR_OTHERS_SECONDS):
            raise TokenUnavailable(f"no answer to a token request in {WAIT_FOR_OTHERS_SECONDS:.0f} s")
        if flight.held is None:
            raise TokenUnavailable(flight.fault)
        return flight.held

    def renewed(self, stale: str) -> str:
        """A token from a fresh credential that has not cached `stale`; raises TokenUnavailable.

        When several threads were refused with the same token, only the first one drops it.
        """
        with self._lock:
            if self._held is not None and self._held.text == stale:
                # A request under way uses the old credential, so its answer must not count as fresh.
                self._credential = self._held = self._flight = None
        return self.token()

    def _fetch(self, flight: _Flight, credential: Credential | None) -> None:
        """Makes the request outside the lock, so that threads with a valid token are not held up."""
        try:
            if credential is None:
                credential = self._credential_factory()
            flight.held = self._ask(credential)
        except Exception as error:  # noqa: BLE001 -- the one point that translates azure-identity, msal and azure-core
            flight.fault = _describe(error)
            logger.warning("token_unavailable fault=%s", flight.fault)
        finally:
            self._land(flight, credential)

    def _ask(self, credential: Credential) -> Token:
        answer = credential.get_token(self._scope)
        if not answer.token.isascii() or not answer.token.isprintable() or " " in answer.token:
            raise TokenUnavailable("the token received cannot be used in a header")
        now = self._clock.now().timestamp()
        life = answer.expires_on - now
        # Otherwise every call would fetch a token that is short-lived from the start.
        rest = life - RENEW_BEFORE_EXPIRY_SECONDS if life > RENEW_BEFORE_EXPIRY_SECONDS else life / 2
        return Token(answer.token, float(answer.expires_on), now + min(rest, ASK_AGAIN_AFTER_SECONDS))

    def _land(self, flight: _Flight, credential: Credential | None) -> None:
        now = self._clock.now().timestamp()
        with self._lock:
            if self._flight is flight:
                self._flight = None
                # A failed credential remembers why: msal caches a refusal for as long as its `Retry-After` says.
                self._credential = credential if flight.held is not None else None
                old = self._held
                if flight.held is None and old is not None and now < old.expires_at:
                    flight.held = Token(old.text, old.expires_at, now + RETRY_RENEWAL_AFTER_SECONDS)
                self._held = flight.held
        flight.landed.set()


def normalised_scope(scope: str) -> str:
    """The scope whose resource ends in one slash, as the audience that Batch expects does.

    `https://batch.core.windows.net//.default`: the credential cuts off `/.default`, and with a single slash
    Batch answers 401 (https://github.com/Azure/azure-sdk-for-net/issues/8026).
    """
    return scope.removesuffix(_DEFAULT).rstrip("/") + "/" + _DEFAULT


def _describe(error: Exception) -> str:
    """Only kind and HTTP status: azure-core quotes the whole body of an answer, token included, in its texts."""
    if isinstance(error, TokenUnavailable):
        return str(error)
    status = getattr(error, "status_code", None)
    answer = f" (HTTP {status})" if isinstance(status, int) else ""
    known = next((_FAULTS[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _FAULTS), None)
    return f"no token from the identity endpoint{answer}: {known or type(error).__name__}"
