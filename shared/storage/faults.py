"""Translates whatever the storage clients raise into StorageUnavailable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from azure.core.exceptions import (
    AzureError,
    DeserializationError,
    HttpResponseError,
    SerializationError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)

from shared.errors import StorageUnavailable, TokenUnavailable

_KINDS = {
    ServiceRequestTimeoutError: "no answer in time",
    ServiceResponseTimeoutError: "no answer in time",
    ServiceRequestError: "no connection",
    ServiceResponseError: "the connection broke before the answer was complete",
}


@contextmanager
def storage_faults(what: str) -> Iterator[None]:
    """Turns whatever the storage clients raise into StorageUnavailable, with a status and a code but no body.

    The original exception is not chained: a stack trace would show the URL, which may hold a shared access signature.
    """
    try:
        yield
    except HttpResponseError as fault:
        code = getattr(fault, "error_code", None)
        # The tables library uses an enum for codes, which would print as class and name.
        text = getattr(code, "value", code) or fault.reason or ""
        raise StorageUnavailable(f"{what}: HTTP {fault.status_code} {text}".rstrip()) from None
    except TokenUnavailable as fault:
        raise StorageUnavailable(f"{what}: {fault}") from None
    except (AzureError, DeserializationError, SerializationError) as fault:
        # The last two are plain ValueErrors: the answer was incomplete, or not from the service.
        raise StorageUnavailable(f"{what}: {_kind(fault)}") from None


def _kind(fault: Exception) -> str:
    return next(
        (text for kind, text in _KINDS.items() if isinstance(fault, kind)), "no complete answer from the service"
    )
