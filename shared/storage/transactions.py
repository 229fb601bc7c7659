"""Conditional writes to one table, single and in group transactions, encoded by hand.

The Tables client builds and parses each row of a transaction with `email` and `http.client`, which takes four tenths
of the CPU of a whole job, and serializes each row three times. Here a write is one body of bytes. It goes through the
client's own pipeline, so credentials, retries, time-outs and logging are the library's. Reads, queries and table
creation are left to the library.

The format, which the library uses as well:
https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.rest import HttpRequest
from azure.data.tables import TableClient

_EOL: Final = "\r\n"
_VERSION: Final = "3.0"
_SMALLEST_INT32, _LARGEST_INT32 = -(2**31), 2**31 - 1
_BOUNDARY = re.compile(rb'boundary="?([^"\s;]+)')
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
_ETAG = re.compile(rb"(?mi)^etag: *([^\r\n]+)")
_INDEX = re.compile(r"(\d+):")


@dataclass(frozen=True)
class Insert:
    """Refused when the row exists."""

    entity: Mapping[str, Any]


@dataclass(frozen=True)
class Merge:
    """Refused unless the row exists with this version."""

    entity: Mapping[str, Any]
    etag: str


@dataclass(frozen=True)
class InsertOrMerge:
    """Never refused by itself; it fails with its transaction."""

    entity: Mapping[str, Any]


@dataclass(frozen=True)
class Delete:
    """Refused unless the row exists with this version; only the entity's keys matter."""

    entity: Mapping[str, Any]
    etag: str


Operation = Insert | Merge | InsertOrMerge | Delete


class TransactionFailed(HttpResponseError):
    """Nothing was written: the service refused the operation at `index`, or the whole transaction."""

    def __init__(self, status: int, code: str, index: int = 0) -> None:
        super().__init__(f"HTTP {status} {code}")
        self.status_code = status
        self.error_code = code
        self.index = index


class UnreadableAnswer(AzureError):
    """The answer is incomplete or not from the service, so it is unknown whether anything was written."""


class Transactions:
    """Sends the conditional writes of one table."""

    def __init__(self, client: TableClient) -> None:
        # The pipeline has no public name; a contract test compares this use with the library's own. It is the one below
        # the generated client, whose `send_request` copies each request and formats its URL, which is complete here.
        self._pipeline = client._client._client
        account = client.url.partition("?")[0].rstrip("/")
        self._url = f"{account}/$batch"
        self._table_url = f"{account}/{client.table_name}"
        self._version = {"x-ms-version": client.api_version}

    def submit(self, operations: Sequence[Operation], **options: Any) -> list[str]:
        """All or nothing. Returns the new ETags in order, empty for deletions. `options` go to the pipeline.

        Raises:
            TransactionFailed: nothing was written.
            UnreadableAnswer, AzureError: it may have been written.
        """
        batch = f"batch_{uuid4()}"
        headers = self._version | {
            "DataServiceVersion": _VERSION,
            "MaxDataServiceVersion": f"{_VERSION};NetFx",
            "Content-Type": f"multipart/mixed; boundary={batch}",
            "Accept": "application/json",
        }
        body = encode(operations, self._table_url, batch, f"changeset_{uuid4()}")
        response = self._send("POST", self._url, headers, body, options)
        if response.status_code != 202:
            raise _failure(response)
        return read(response.content, len(operations), response.headers.get("content-type", ""))

    def write(self, operation: Operation, **options: Any) -> str:
        """Writes one operation and returns the new ETag. Raises as `submit` does."""
        method, url, headers, body = _request(operation, self._table_url)
        response = self._send(method, url, self._version | headers, body.encode("ascii"), options)
        etag = response.headers.get("etag", "")
        if not 200 <= response.status_code < 300:
            raise _failure(response)
        if not etag and not isinstance(operation, Delete):
            raise UnreadableAnswer("an answer to a write has no ETag")
        return str(etag)

    def _send(self, method: str, url: str, headers: dict[str, str], body: bytes, options: dict[str, Any]) -> Any:
        request = HttpRequest(method, url, headers=headers, content=body or None)
        # Streamed, as in the library: its policy for bodies handles only JSON and XML.
        response = self._pipeline.send_request(request, stream=True, **options)
        response.read()
        return response


def _failure(response: Any) -> TransactionFailed:
    code = response.headers.get("x-ms-error-code") or _error(response.content)[0]
    return TransactionFailed(response.status_code, code)


def encode(operations: Sequence[Operation], table_url: str, batch: str, changeset: str) -> bytes:
    """The body of a transaction; the boundaries must not occur in it."""
    lines = [f"--{batch}", f"Content-Type: multipart/mixed; boundary={changeset}", ""]
    for number, operation in enumerate(operations):
        method, url, headers, body = _request(operation, table_url)
        lines += [
            f"--{changeset}",
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            f"Content-ID: {number}",
            "",
            f"{method} {url} HTTP/1.1",
            *(f"{name}: {value}" for name, value in headers.items()),
            *([f"Content-Length: {len(body)}"] if body else []),
            "",
            body,
        ]
    lines += [f"--{changeset}--", "", f"--{batch}--", ""]
    return _EOL.join(lines).encode("ascii")


def _request(operation: Operation, table_url: str) -> tuple[str, str, dict[str, str], str]:
    """Method, URL, headers and body of one operation."""
    headers = {"DataServiceVersion": _VERSION, "Accept": "application/json;odata=minimalmetadata"}
    if isinstance(operation, Delete):
        return "DELETE", _row_url(operation.entity, table_url), headers | {"If-Match": operation.etag}, ""
    headers["Content-Type"] = "application/json"
    body = json.dumps(_columns(operation.entity), separators=(",", ":"))
    if isinstance(operation, Insert):
        # Otherwise the service returns every inserted row.
        return "POST", table_url, headers | {"Prefer": "return-no-content"}, body
    condition = {"If-Match": operation.etag} if isinstance(operation, Merge) else {}
    return "PATCH", _row_url(operation.entity, table_url), headers | condition, body


def _row_url(entity: Mapping[str, Any], table_url: str) -> str:
    partition, row = (quote(entity[name].replace("'", "''"), safe="") for name in ("PartitionKey", "RowKey"))
    return f"{table_url}(PartitionKey='{partition}',RowKey='{row}')"


def _columns(entity: Mapping[str, Any]) -> Mapping[str, Any]:
    """The entity as JSON: text, booleans and small numbers need no type annotation, bytes do.

    Raises TypeError for anything else.
    https://learn.microsoft.com/rest/api/storageservices/payload-format-for-table-service-operations
    """
    columns: dict[str, Any] = {}
    for name, value in entity.items():
        if isinstance(value, bytes):
            columns[f"{name}@odata.type"] = "Edm.Binary"
            columns[name] = base64.b64encode(value).decode("ascii")
        elif isinstance(value, str | bool) or (type(value) is int and _SMALLEST_INT32 <= value <= _LARGEST_INT32):
            columns[name] = value
        else:
            raise TypeError(f"column {name} is neither text, bytes, a flag nor a 32-bit number")
    return columns


def read(answer: bytes, operations: int, content_type: str) -> list[str]:
    """The ETags in the answer to a transaction of `operations`. Raises TransactionFailed or UnreadableAnswer."""
    etags: list[str] = []
    for head, body in _parts(answer, content_type.encode("latin-1", "replace")):
        status = _STATUS.match(head)
        if status is None:
            raise UnreadableAnswer("a part of a transaction's answer has no status")
        if not status[1].startswith(b"2"):
            code, index = _error(body)
            if index >= operations:
                raise UnreadableAnswer("a transaction's answer names an operation that it did not have")
            raise TransactionFailed(int(status[1]), code, index)
        etag = _ETAG.search(head)
        etags.append(etag[1].decode("latin-1").strip() if etag else "")
    if len(etags) != operations:
        raise UnreadableAnswer(f"a transaction's answer has {len(etags)} parts for {operations} operations")
    return etags


def _parts(answer: bytes, content_type: bytes) -> list[tuple[bytes, bytes]]:
    """Head and body of each HTTP response in the answer: those of its change set, or its parts where it has none."""
    found = _BOUNDARY.search(answer) or _BOUNDARY.search(content_type)
    if found is None:
        raise UnreadableAnswer("a transaction's answer names no boundary")
    *pieces, end = answer.split(b"--" + found[1])[1:] or [b""]
    if not end.startswith(b"--"):
        raise UnreadableAnswer("a transaction's answer was cut off")
    parts = []
    for piece in pieces:
        http = piece[max(0, piece.find(b"HTTP/1.1 ")) :]
        head, _, body = http.partition(b"\r\n\r\n")
        parts.append((head, body))
    return parts


def _error(body: bytes) -> tuple[str, int]:
    """Code and index of an error. The index precedes the text; 0 where it is missing."""
    try:
        error = json.loads(body)["odata.error"]
        text = error["message"]["value"]
        index = _INDEX.match(text)
        return str(error["code"]), int(index[1]) if index else 0
    except (ValueError, LookupError, TypeError):
        return "", 0
