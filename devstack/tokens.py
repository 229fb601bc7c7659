"""Access tokens of the local stack: JSON Web Tokens signed with a key that both ends share (HS256)."""

from __future__ import annotations

from typing import Any

import jwt
from jwt.types import Options

ISSUER = "https://sts.windows.net/00000000-0000-0000-0000-00000000a001/"
DEFAULT_SIGNING_KEY = "signing key of the local stack, known to all"
"""Protects nothing: both ends listen on the loopback address alone."""
SIGNING_KEY_VARIABLE = "DEVSTACK_SIGNING_KEY"
_ALGORITHM = "HS256"
_SIGNATURE_ALONE: Options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False}


class InvalidToken(Exception):
    """Raised for a text that is no token signed with the key; the text says what is wrong."""


def mint(claims: dict[str, Any], signing_key: str) -> str:
    """The signed token with these claims."""
    return jwt.encode(claims, signing_key, _ALGORITHM)


def verify(token: str, signing_key: str) -> dict[str, Any]:
    """The claims of a token whose signature is valid; the caller checks audience, issuer and expiry."""
    try:
        claims: dict[str, Any] = jwt.decode(token, signing_key, [_ALGORITHM], options=_SIGNATURE_ALONE)
    except jwt.InvalidSignatureError as error:
        raise InvalidToken("The signature of the token is not valid.") from error
    except jwt.InvalidTokenError as error:
        raise InvalidToken("The token is not a JSON Web Token.") from error
    return claims
