"""What the storage clients raise, as the one fault that the app knows."""

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
    ServiceResponseError: "the connection broke before the answer was whole",
}


@contextmanager
def storage_faults(what: str) -> Iterator[None]:
    """Turns whatever the storage clients raise into StorageUnavailable. The text holds a status and a code, no body.

    Nor does it name the fault as its cause: a stack trace would show the URL, with a shared access signature in it.
    """
    try:
        yield
    except HttpResponseError as fault:
        code = getattr(fault, "error_code", None)
        # The tables' library has an enumeration of codes, whose text would be its class and name.
        text = getattr(code, "value", code) or fault.reason or ""
        raise StorageUnavailable(f"{what}: HTTP {fault.status_code} {text}".rstrip()) from None
    except TokenUnavailable as fault:
        raise StorageUnavailable(f"{what}: {fault}") from None
    except (AzureError, DeserializationError, SerializationError) as fault:
        # The last two are plain ValueErrors: what answered was not the service, or not whole.
        raise StorageUnavailable(f"{what}: {_kind(fault)}") from None


def _kind(fault: Exception) -> str:
    return next((text for kind, text in _KINDS.items() if isinstance(fault, kind)), "no whole answer of the service")
