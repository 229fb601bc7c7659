"""Every exception class of the Azure libraries is translated by the adapters.

The classes are found by walking the libraries, so that one added by a new release is noticed here.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Any, ClassVar

import azure.core.exceptions
import azure.data.tables
import azure.identity
import pytest
import requests.exceptions
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.data.tables import TableTransactionError

from shared.batch.tokens import TokenSource
from shared.batch.transport import fault
from shared.errors import StorageUnavailable, TokenUnavailable
from shared.storage.faults import storage_faults
from shared.storage.query import Query
from shared.storage.queues import QueueSender
from shared.storage.table import AzureTable, RowWrite, StoredRow
from tests.fakes.clock import FakeClock

SECRET = "secret-body"
NO_FAULTS = {"StreamConsumedError", "StreamClosedError", "ResponseNotReadError"}
"""Raised by misuse of a response's stream alone, which no adapter touches."""


def classes_of(module: ModuleType, base: type[BaseException]) -> list[type[Any]]:
    """The exception classes that a package defines in any of its modules."""
    found = {cls for _, cls in inspect.getmembers(module, inspect.isclass) if issubclass(cls, base)}
    for info in pkgutil.walk_packages(getattr(module, "__path__", []), f"{module.__name__}."):
        if ".aio" in info.name:
            continue
        # Parts for optional packages that are not installed.
        with suppress(ImportError):
            part = importlib.import_module(info.name)
            found |= {cls for _, cls in inspect.getmembers(part, inspect.isclass) if issubclass(cls, base)}
    return sorted((cls for cls in found if cls.__module__.startswith("azure")), key=lambda cls: cls.__name__)


AZURE = classes_of(azure.core.exceptions, Exception)
STORAGE = sorted({*AZURE, *classes_of(azure.data.tables, AzureError)}, key=lambda cls: cls.__name__)
IDENTITY = sorted({*AZURE, *classes_of(azure.identity, Exception)}, key=lambda cls: cls.__name__)
REQUESTS = sorted(
    (
        cls
        for _, cls in inspect.getmembers(requests.exceptions, inspect.isclass)
        if issubclass(cls, requests.RequestException)
    ),
    key=lambda cls: cls.__name__,
)


class Response:
    """An error response whose body must not be quoted."""

    status_code = 500
    reason = "Internal Server Error"
    headers: ClassVar[dict[str, str]] = {}
    content_type = "application/json"

    def body(self) -> bytes:
        """The error as JSON bytes."""
        return json.dumps({"error": {"code": "Broken", "message": SECRET}}).encode()

    def text(self, encoding: str | None = None) -> str:
        """The error as JSON text."""
        return self.body().decode()


def made(cls: Any) -> Exception:
    """An exception of the class, with a text that must not be quoted; some classes need more than a text."""
    for arguments in ((SECRET,), (SECRET, object()), (Response(),), (), ({"scopes"},)):
        with suppress(TypeError, AttributeError, KeyError):
            error = cls(*arguments)
            assert isinstance(error, Exception)
            return error
    error = cls.__new__(cls)
    error.args = (SECRET,)
    assert isinstance(error, Exception)
    return error


def names(classes: list[type[Any]]) -> list[Any]:
    """Parameters named after their classes."""
    return [pytest.param(cls, id=cls.__name__) for cls in classes if cls.__name__ not in NO_FAULTS]


def test_the_walk_finds_the_known_ones() -> None:
    """The walk finds the well-known exception classes, so that an empty list cannot pass."""
    assert {AzureError, HttpResponseError, ClientAuthenticationError} <= set(AZURE)
    assert TableTransactionError in STORAGE
    assert azure.identity.CredentialUnavailableError in IDENTITY
    assert requests.exceptions.ChunkedEncodingError in REQUESTS
    assert min(len(AZURE), len(REQUESTS)) > 15


@pytest.mark.parametrize("cls", names(STORAGE))
def test_storage(cls: type[Any]) -> None:
    """Every exception of the storage libraries becomes StorageUnavailable, whose text quotes no body."""
    with pytest.raises(StorageUnavailable) as translated, storage_faults("table rows: read"):
        raise made(cls)
    assert str(translated.value).startswith("table rows: read: ")
    assert cls.__name__ not in str(translated.value)
    assert SECRET not in str(translated.value)


KEYS = {"PartitionKey": "a", "RowKey": "b"}


class Raising:
    """A client whose every call raises."""

    url = "https://account.table.core.windows.net"
    table_name = "rows"
    api_version = "2019-02-02"

    def __init__(self, error: Exception) -> None:
        self._error = error
        self._client = self

    def get_table_client(self, name: str) -> Raising:
        """Itself."""
        return self

    def get_queue_client(self, name: str) -> Raising:
        """Itself."""
        return self

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*_: object, **__: object) -> Any:
            raise self._error

        return call


OPERATIONS: dict[str, Callable[[Any], object]] = {
    "read": lambda service: AzureTable(service, "rows").read("a", "b"),
    "write": lambda service: AzureTable(service, "rows").write(RowWrite(KEYS)),
    "merge": lambda service: AzureTable(service, "rows").write(RowWrite(KEYS, "e")),
    "group": lambda service: AzureTable(service, "rows").write_group([RowWrite(KEYS), RowWrite(KEYS, "e")]),
    "query": lambda service: AzureTable(service, "rows").query(Query("a"), None, 1),
    "delete": lambda service: AzureTable(service, "rows").delete_group([StoredRow(KEYS, "e")]),
    "send": lambda service: QueueSender(service).send("some-queue", "text"),
    "probe": lambda service: QueueSender(service).probe("some-queue"),
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("cls", names(STORAGE))
def test_no_exception_of_a_library_leaves_an_adapter(cls: type[Any], operation: str) -> None:
    """Storage operations turn every library exception into StorageUnavailable; a missing row reads as None."""
    if (operation, cls.__name__) == ("read", "ResourceNotFoundError"):
        assert OPERATIONS[operation](Raising(made(cls))) is None
        return
    with pytest.raises(StorageUnavailable) as translated:
        OPERATIONS[operation](Raising(made(cls)))
    assert SECRET not in str(translated.value)


@pytest.mark.parametrize("cls", names(IDENTITY))
def test_identity(cls: type[Any]) -> None:
    """Every exception of azure-identity becomes TokenUnavailable, whose text quotes no body."""
    source = TokenSource(lambda: Raising(made(cls)), "https://batch.core.windows.net//.default", FakeClock())
    with pytest.raises(TokenUnavailable) as translated:
        source.token()
    assert str(translated.value).startswith("no token from the identity endpoint")
    assert SECRET not in str(translated.value)


@pytest.mark.parametrize("sent", [False, True])
@pytest.mark.parametrize("cls", names(REQUESTS))
def test_batch(cls: type[Any], sent: bool) -> None:
    """Every exception of requests becomes a reply that says whether the call was sent and quotes no body."""
    reply = fault(made(cls), sent=sent)
    assert reply.was_sent is sent
    assert reply.error is not None
    assert SECRET not in reply.error.message
