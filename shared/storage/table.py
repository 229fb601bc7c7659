"""One Azure table with conditional writes; the only place that knows the Tables client."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from azure.core.exceptions import (
    HttpResponseError,
    ResourceNotFoundError,
)
from azure.data.tables import TableClient, TableServiceClient

from shared.storage.faults import storage_faults
from shared.storage.query import Query
from shared.storage.transactions import Delete, Insert, InsertOrMerge, Merge, Operation, TransactionFailed, Transactions

Entity = dict[str, Any]
T = TypeVar("T")

MAX_OPERATIONS = 100
"""In one transaction: https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions"""

ANY_VERSION = "*"
"""Instead of an ETag, where the group's other writes carry the condition: insert the row, or merge into it."""


@dataclass(frozen=True)
class RowWrite:
    """An insert (no ETag) or a merge of some columns (with the ETag that the row must still have)."""

    entity: Entity
    etag: str | None = None


@dataclass(frozen=True)
class Refused:
    """Nothing of a group was written, because the write at this index was refused."""

    index: int


@dataclass(frozen=True)
class StoredRow:
    """A row as read, with its version."""

    entity: Mapping[str, Any]
    etag: str


@dataclass(frozen=True)
class Page:
    """Some rows of a query, and where the next page begins; None at the end."""

    rows: tuple[StoredRow, ...]
    continuation: dict[str, str] | None


class Table(Protocol):
    """What the app needs of a table. All writes are conditional, so a retry never overwrites."""

    def read(self, partition: str, row: str) -> StoredRow | None:
        """The row, or None when there is none."""

    def write(self, write: RowWrite) -> str | None:
        """The new ETag, or None when the condition did not hold."""

    def write_group(self, writes: Sequence[RowWrite]) -> list[str] | Refused:
        """All or nothing: at most MAX_OPERATIONS different rows of one partition; more raise StorageUnavailable."""

    def query(
        self, query: Query, columns: Sequence[str] | None, top: int, continuation: dict[str, str] | None = None
    ) -> Page:
        """One page of at most `top` rows (at most 1,000)."""

    def delete_group(self, rows: Sequence[StoredRow]) -> bool:
        """Deletes rows of one partition if all are still as read; otherwise deletes nothing and returns False."""

    def probe(self) -> None:
        """Raises StorageUnavailable when the table cannot be read."""


_AGAIN: dict[str, Any] = {"retry_on_methods": frozenset({"POST", "PATCH"})}
"""Retries a write whose answer was lost, which the client does not do for these methods.

Every write here is conditional: if the first try took effect, the second is refused, and the writer then reads the row
and recognises its own claim. Without these retries, one broken connection costs a redelivery and a second DELETE.
"""


class AzureTable:
    """A table of the storage account, created when it is missing."""

    def __init__(self, service: TableServiceClient, name: str) -> None:
        self._service = service
        self._name = name
        self._client: TableClient = service.get_table_client(name)
        self._transactions = Transactions(self._client)

    def read(self, partition: str, row: str) -> StoredRow | None:
        def get() -> StoredRow | None:
            try:
                return _found(self._client.get_entity(partition, row))
            except ResourceNotFoundError as fault:
                if _is_missing_table(fault):
                    raise
                return None

        return self._run("read", get)

    def write(self, write: RowWrite) -> str | None:
        def put() -> str | None:
            try:
                return self._transactions.write(_operation(write), **_AGAIN)
            except TransactionFailed as fault:
                return _refusal(fault, None)

        return self._run("write", put)

    def write_group(self, writes: Sequence[RowWrite]) -> list[str] | Refused:
        if len(writes) == 1:
            etag = self.write(writes[0])
            return Refused(0) if etag is None else [etag]

        def put() -> list[str] | Refused:
            try:
                return self._transactions.submit([_operation(write) for write in writes], **_AGAIN)
            except TransactionFailed as fault:
                return _refusal(fault, Refused(fault.index))

        return self._run("write group", put)

    def query(
        self, query: Query, columns: Sequence[str] | None, top: int, continuation: dict[str, str] | None = None
    ) -> Page:
        def fetch() -> Page:
            found = self._client.query_entities(
                query.text, results_per_page=top, select=list(columns) if columns else None
            )
            # The client's annotation says str, but tables return and accept a mapping.
            pages = found.by_page(continuation_token=continuation)  # type: ignore[arg-type]
            rows = tuple(_found(entity) for entity in next(pages, ()))
            return Page(rows, getattr(pages, "continuation_token", None) or None)

        return self._run("query", fetch)

    def delete_group(self, rows: Sequence[StoredRow]) -> bool:
        def delete() -> bool:
            try:
                self._transactions.submit([Delete(row.entity, row.etag) for row in rows], **_AGAIN)
            except TransactionFailed as fault:
                return _refusal(fault, False)
            return True

        return self._run("delete group", delete)

    def probe(self) -> None:
        self.read("0", "probe")

    def _run(self, what: str, call: Callable[[], T]) -> T:
        with storage_faults(f"table {self._name}: {what}"):
            try:
                return call()
            except ResourceNotFoundError as fault:
                if not _is_missing_table(fault):
                    raise
            except TransactionFailed as fault:
                if not _is_missing_table(fault):
                    raise
            # The deployment creates the tables, but a storage account emptied by hand must not stop the app.
            self._service.create_table_if_not_exists(self._name)
            return call()


def _refusal(fault: HttpResponseError, answer: T) -> T:
    """`answer` when a row's condition did not hold: it exists already, has changed, or is gone. Raises anything else."""
    if fault.status_code == 412 or _code(fault) in {"EntityAlreadyExists", "ResourceNotFound", "EntityNotFound"}:
        return answer
    raise fault


def _is_missing_table(fault: HttpResponseError) -> bool:
    return _code(fault) == "TableNotFound"


def _code(fault: HttpResponseError) -> str:
    code = getattr(fault, "error_code", None)
    return str(getattr(code, "value", code) or "")


def _operation(write: RowWrite) -> Operation:
    if write.etag is None:
        return Insert(write.entity)
    return InsertOrMerge(write.entity) if write.etag == ANY_VERSION else Merge(write.entity, write.etag)


def _found(entity: Any) -> StoredRow:
    return StoredRow(entity, str(entity.metadata["etag"]))
