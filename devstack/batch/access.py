"""Who may call: the bearer tokens that the account accepts, and why it refuses others."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime

from devstack import tokens
from devstack.batch.errors import ServiceError
from devstack.http1 import Headers

AUDIENCE = "https://batch.core.windows.net/"
"""With the slash at its end: the service refuses tokens for the audience without it."""


class Gate:
    """Accepts tokens that the local identity endpoint issued for the Batch service and that have not expired."""

    def __init__(self, signing_key: str, now: Callable[[], datetime], audience: str = AUDIENCE) -> None:
        self._now = now
        self._audience = audience
        self._verified = functools.lru_cache(maxsize=256)(lambda token: tokens.verify(token, signing_key))
        self._revoked_until = 0.0

    def revoke_issued_tokens(self) -> None:
        """Refuses from now on every token issued so far; newer ones are accepted."""
        self._revoked_until = self._now().timestamp()

    def check(self, headers: Headers) -> None:
        """Raises AuthenticationFailed, with the reason among the error's values."""
        scheme, _, token = (headers.get("Authorization") or "").partition(" ")
        if not scheme:
            raise _refusal("The Authorization header is missing.")
        if scheme.lower() != "bearer":
            raise _refusal(f"The authentication scheme {scheme} is not supported.")
        try:
            claims = self._verified(token.strip())
        except tokens.InvalidToken as error:
            raise _refusal(str(error)) from error
        if claims.get("aud") != self._audience:
            raise _refusal(f"The audience of the token is {claims.get('aud')!r}, expected {self._audience!r}.")
        if claims.get("iss") != tokens.ISSUER:
            raise _refusal("The issuer of the token is not trusted.")
        if float(claims.get("exp", 0)) <= self._now().timestamp():
            raise _refusal("The token has expired.")
        if float(claims.get("iat", 0)) <= self._revoked_until:
            raise _refusal("The token was revoked.")


def _refusal(detail: str) -> ServiceError:
    return ServiceError("AuthenticationFailed", [("AuthenticationErrorDetail", detail)])
