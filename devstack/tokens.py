"""Access tokens of the local stack: JSON Web Tokens signed with a key that its two ends share (RFC 7519, HS256)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

ISSUER = "https://sts.windows.net/00000000-0000-0000-0000-00000000a001/"
DEFAULT_SIGNING_KEY = "local-stack"
"""Protects nothing: both ends listen on the loopback address alone."""
SIGNING_KEY_VARIABLE = "DEVSTACK_SIGNING_KEY"
_HEADER = {"alg": "HS256", "typ": "JWT"}


class InvalidToken(Exception):
    """Raised when a text is no token that was signed with the key; the text says what is wrong."""


def mint(claims: dict[str, Any], signing_key: str) -> str:
    """The signed token with these claims."""
    signed = f"{_encode(_HEADER)}.{_encode(claims)}"
    return f"{signed}.{_signature(signed, signing_key)}"


def verify(token: str, signing_key: str) -> dict[str, Any]:
    """The claims of a token whose signature holds; audience, issuer and expiry are the caller's to judge."""
    signed, _, signature = token.rpartition(".")
    parts = signed.split(".")
    if len(parts) != 2:
        raise InvalidToken("The token is not a JSON Web Token.")
    if not hmac.compare_digest(signature.encode(), _signature(signed, signing_key).encode()):
        raise InvalidToken("The signature of the token is not valid.")
    header, claims = (_decode(part) for part in parts)
    if header.get("alg") != "HS256":
        raise InvalidToken("The algorithm of the token is not supported.")
    return claims


def _signature(signed: str, signing_key: str) -> str:
    digest = hmac.new(signing_key.encode(), signed.encode(), hashlib.sha256).digest()
    return _to_base64url(digest)


def _encode(part: dict[str, Any]) -> str:
    return _to_base64url(json.dumps(part, separators=(",", ":")).encode())


def _decode(part: str) -> dict[str, Any]:
    try:
        decoded = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError) as error:
        raise InvalidToken("The token is not a JSON Web Token.") from error
    if not isinstance(decoded, dict):
        raise InvalidToken("The token is not a JSON Web Token.")
    return decoded


def _to_base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
