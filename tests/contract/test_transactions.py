"""The app's own table transactions against the Tables client's: the same rows, answers and numbers of tries.

Every kind of answer is provoked twice, once by each way, on tables with the same contents.
"""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError
from azure.data.tables import TableClient, TableServiceClient, TableTransactionError, UpdateMode
from requests import PreparedRequest

from devstack.azurite import Azurite
from devstack.azurite.emulator import ACCOUNT, KEY
from devstack.http1 import Answer, Incoming
from devstack.loopback import LoopbackServer
from shared.settings import Settings
from shared.storage.transactions import (
    Delete,
    Insert,
    InsertOrMerge,
    Merge,
    Operation,
    TransactionFailed,
    Transactions,
    UnreadableAnswer,
)
from shared.wiring.storage_clients import table_service
from tests.fakes.app import ENVIRONMENT

STALE = "W/\"datetime'2020-01-01T00%3A00%3A00.0000000Z'\""
AGAIN = {"retry_on_methods": frozenset({"POST", "PATCH"})}
WAYS = ("theirs", "ours")

Etags = dict[str, str]
Ask = Callable[[Etags], Sequence[Operation]]


def client_of(connection: str, name: str) -> TableClient:
    """A Tables client as the app configures it."""
    settings = Settings.from_env({**ENVIRONMENT, "TaskDeleteStorage": connection})
    return table_service(settings).get_table_client(name)


def row(key: str, **columns: Any) -> dict[str, Any]:
    """A row of the test's partition."""
    return {"PartitionKey": "a", "RowKey": key, **columns}


def submit(way: str, client: TableClient, operations: Sequence[Operation]) -> list[str]:
    """Submits the operations by either way and returns the ETags."""
    if way == "ours":
        return Transactions(client).submit(operations, **AGAIN)
    answers = client.submit_transaction([_theirs(operation) for operation in operations], **AGAIN)
    return [str(answer.get("etag", "")) for answer in answers]


def _theirs(operation: Operation) -> tuple[Any, ...]:
    if isinstance(operation, Insert):
        return ("create", operation.entity)
    if isinstance(operation, InsertOrMerge):
        return ("upsert", operation.entity, {"mode": UpdateMode.MERGE})
    options = {"etag": operation.etag, "match_condition": MatchConditions.IfNotModified}
    if isinstance(operation, Delete):
        return ("delete", operation.entity, options)
    return ("update", operation.entity, {**options, "mode": UpdateMode.MERGE})


def outcome(way: str, client: TableClient, operations: Sequence[Operation]) -> object:
    """The result of a transaction, in a form that both ways share."""
    try:
        return [bool(etag) for etag in submit(way, client, operations)]
    except (TransactionFailed, TableTransactionError) as fault:
        code = getattr(fault, "error_code", None)
        return fault.status_code, str(getattr(code, "value", code)), fault.index
    except HttpResponseError as fault:
        return fault.status_code


ASKED: dict[str, Ask] = {
    "inserts of every kind of column": lambda _: [
        Insert(row("n1", text="hé \U0001f600 \"quoted\" 'single' \\ \r\n", empty="", number=-(2**31), flag=True)),
        Insert(row("n2", number=2**31 - 1, flag=False, v=1)),
    ],
    "bytes": lambda etags: [Insert(row("n1", body=b"\xff\x00{}", none=b"")), Merge(row("1", body=b"x"), etags["1"])],
    "keys that a URL cannot hold as they are": lambda _: [Insert(row("tally:x y'z&é+%2F:dry-run", requested=1))],
    "merges": lambda etags: [Merge(row("1", text="new"), etags["1"]), Merge(row("it's:2", number=9), etags["it's:2"])],
    "deletions": lambda etags: [Delete(row("1"), etags["1"]), Delete(row("it's:2"), etags["it's:2"])],
    "an insert, a merge and a deletion": lambda etags: [
        Insert(row("new")),
        Merge(row("1", text="m"), etags["1"]),
        Delete(row("it's:2"), etags["it's:2"]),
    ],
    "whatever version there is": lambda etags: [
        Merge(row("1", text="m"), etags["1"]),
        InsertOrMerge(row("it's:2", number=9)),
        InsertOrMerge(row("new", number=9)),
    ],
    "whatever version there is, beside a refusal": lambda _: [InsertOrMerge(row("new")), Merge(row("1"), STALE)],
    "a hundred": lambda _: [Insert(row(f"h{number}", text="x" * 500)) for number in range(100)],
    "an insert of a row that is there, first": lambda _: [Insert(row("1")), Insert(row("new"))],
    "an insert of a row that is there, last": lambda _: [Insert(row("new")), Insert(row("new2")), Insert(row("1"))],
    "a merge of a version that is over": lambda etags: [Merge(row("1"), etags["1"]), Merge(row("it's:2"), STALE)],
    "a merge of a row that is not there": lambda etags: [Merge(row("1"), etags["1"]), Merge(row("nowhere"), STALE)],
    "a deletion of a version that is over": lambda etags: [Delete(row("1"), etags["1"]), Delete(row("it's:2"), STALE)],
    "a deletion of a row that is not there": lambda _: [Delete(row("nowhere"), STALE)],
    "one row twice": lambda _: [Insert(row("new")), Insert(row("new"))],
    "a column that is too long": lambda _: [Insert(row("new")), Insert(row("long", text="x" * 40_000))],
    "a body that is too large": lambda _: [Insert(row(f"l{n}", text="x" * 32_000, b="y" * 32_000)) for n in range(80)],
}


def filled(client: TableClient) -> Etags:
    """Creates the table with two rows and returns their versions."""
    client.create_table()
    return {key: client.create_entity(row(key, text="old", number=1))["etag"] for key in ("1", "it's:2")}


def contents(client: TableClient) -> list[dict[str, Any]]:
    """All rows with their columns and the columns' types."""
    return [{name: (type(value), value) for name, value in entity.items()} for entity in client.list_entities()]


@pytest.mark.parametrize("asked", ASKED)
def test_the_service_answers_both_ways_alike(azurite: Azurite, asked: str) -> None:
    """A transaction has the same result and leaves the same rows, sent by the app or by the official client."""
    seen = []
    for way in WAYS:
        client = client_of(azurite.connection_string, f"t{uuid.uuid4().hex}")
        operations = ASKED[asked](filled(client))
        seen.append((outcome(way, client, operations), contents(client)))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("way", WAYS)
def test_a_table_that_is_not_there_is_named_as_such(azurite: Azurite, way: str) -> None:
    """A transaction on a missing table is refused as `TableNotFound`, by either way."""
    client = client_of(azurite.connection_string, f"t{uuid.uuid4().hex}")
    assert outcome(way, client, [Insert(row("1")), Insert(row("2"))]) == (404, "TableNotFound", 0)


def test_more_than_a_hundred_are_refused_whole(azurite: Azurite) -> None:
    """A transaction of 101 writes is refused whole; the app reads the error, on which the official client fails."""
    operations = [Insert(row(f"h{number}")) for number in range(101)]
    client = client_of(azurite.connection_string, f"t{uuid.uuid4().hex}")
    filled(client)
    assert outcome("ours", client, operations) == (400, "InvalidInput", 0)
    with pytest.raises(HTTPException):
        outcome("theirs", client, operations)
    assert len(contents(client)) == 2


ALONE: dict[str, Callable[[Etags], Operation]] = {
    "an insert": lambda _: Insert(row("n", text="hé", empty="", number=-(2**31), flag=True)),
    "an insert of a row that is there": lambda _: Insert(row("it's:2", text="other")),
    "an insert of what is too long": lambda _: Insert(row("n", text="x" * 40_000)),
    "a merge": lambda etags: Merge(row("it's:2", text="new", more=1), etags["it's:2"]),
    "a merge of a version that is over": lambda _: Merge(row("it's:2", text="new"), STALE),
    "a merge of a row that is not there": lambda _: Merge(row("nowhere", text="new"), STALE),
}


def alone(way: str, client: TableClient, operation: Operation) -> object:
    """The result of one write outside a transaction."""
    condition: dict[str, Any] = {"match_condition": MatchConditions.IfNotModified, **AGAIN}
    try:
        if way == "ours":
            return bool(Transactions(client).write(operation, **AGAIN))
        if isinstance(operation, Merge):
            merge = client.update_entity(operation.entity, UpdateMode.MERGE, etag=operation.etag, **condition)
            return bool(merge["etag"])
        return bool(client.create_entity(operation.entity, **AGAIN)["etag"])
    except HttpResponseError as fault:
        code = getattr(fault, "error_code", None)
        return fault.status_code, getattr(code, "value", code)


def without_code(end: object) -> object:
    """A result without its code, which the official client leaves out for an insert."""
    return end[0] if isinstance(end, tuple) else end


@pytest.mark.parametrize("asked", ALONE)
def test_a_write_by_itself_is_answered_both_ways_alike(azurite: Azurite, asked: str) -> None:
    """A single write has the same result and leaves the same rows, sent by the app or the official client."""
    seen = []
    for way in WAYS:
        client = client_of(azurite.connection_string, f"t{uuid.uuid4().hex}")
        operation = ALONE[asked](filled(client))
        seen.append((without_code(alone(way, client, operation)), contents(client)))
    assert seen[0] == seen[1]


def test_a_write_by_itself_to_a_table_that_is_not_there_says_so(azurite: Azurite) -> None:
    """A single write to a missing table is refused as `TableNotFound`, which the official client leaves out."""
    client = client_of(azurite.connection_string, f"t{uuid.uuid4().hex}")
    assert alone("ours", client, Insert(row("1"))) == (404, "TableNotFound")


def test_the_etags_are_those_of_the_rows(azurite: Azurite) -> None:
    """ETags are returned in the order of the operations, so the next write needs no read."""
    client = client_of(azurite.connection_string, f"t{uuid.uuid4().hex}")
    client.create_table()
    etags = Transactions(client).submit([Insert(row(key)) for key in ("b", "a", "c")])
    assert etags == [client.get_entity("a", key).metadata["etag"] for key in ("b", "a", "c")]


def test_a_column_that_our_encoding_does_not_know_is_refused() -> None:
    """A float, an integer over 32 bits or None as a column raises TypeError instead of changing its type."""
    client = client_of(f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY}", "rows")
    for value in (1.5, 2**31, None):
        with pytest.raises(TypeError, match="column odd"):
            Transactions(client).submit([Insert(row("1", odd=value))])


@dataclass
class Scripted:
    """A table service that gives scripted answers in turn, and afterwards accepts everything."""

    script: list[Answer | None]
    seen: list[Incoming] = field(default_factory=list)

    def serve(self, incoming: Incoming) -> Answer | None:
        """Gives one answer; None cuts the connection."""
        self.seen.append(incoming)
        return self.script.pop(0) if self.script else taken(2)


def error(code: str, text: str = "text") -> bytes:
    """The body of an error."""
    return json.dumps({"odata.error": {"code": code, "message": {"lang": "en-US", "value": text}}}).encode()


def multipart(parts: Sequence[str], *, changeset: bool = True, cut: int = 0) -> Answer:
    """The answer to a transaction, optionally truncated."""
    inner = "changesetresponse_1" if changeset else "batchresponse_1"
    lines = [*(["--batchresponse_1", f"Content-Type: multipart/mixed; boundary={inner}", ""] if changeset else [])]
    for part in parts:
        lines += [f"--{inner}", "Content-Type: application/http", "Content-Transfer-Encoding: binary", "", part]
    lines += [f"--{inner}--", *(["--batchresponse_1--"] if changeset else []), ""]
    body = "\r\n".join(lines).encode()
    headers = {"Content-Type": "multipart/mixed; boundary=batchresponse_1"}
    return Answer(202, headers, body[: len(body) - cut])


def taken(count: int) -> Answer:
    """The answer that accepts all operations."""
    return multipart([f'HTTP/1.1 204 No Content\r\nETag: W/"{number}"\r\n\r\n' for number in range(count)])


def refused(status: str, code: str, text: str) -> Answer:
    """The answer that refuses one operation."""
    return multipart([f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n\r\n{error(code, text).decode()}"])


BUSY = Answer(503, {"x-ms-error-code": "ServerBusy", "Content-Type": "application/json"}, error("ServerBusy"))
JSON = {"Content-Type": "application/json"}
SCRIPTS: dict[str, list[Answer | None]] = {
    "taken at once": [],
    "busy, then taken": [BUSY],
    "busy twice, then taken": [BUSY, BUSY],
    "busy for good": [BUSY] * 9,
    "throttled": [Answer(429, {"Retry-After": "1"}), BUSY],
    "a server's fault": [Answer(500, JSON, error("InternalError"))],
    "timed out": [Answer(500, JSON, error("OperationTimedOut"))] * 9,
    "a connection that is lost": [None],
    "a connection that is lost again and again": [None] * 9,
    "too large": [Answer(413, JSON, error("RequestBodyTooLarge"))],
    "not allowed": [Answer(403, JSON, error("AuthorizationFailure"))],
    "a bad request": [Answer(400, JSON, error("InvalidInput"))],
    "an error without a body": [Answer(400)],
    "an error with an index": [refused("409 Conflict", "EntityAlreadyExists", "1:there")],
    "an error without an index": [refused("412 Precondition Failed", "UpdateConditionNotSatisfied", "changed")],
    "a server's fault within": [refused("500 Internal Server Error", "OperationTimedOut", "0:late")],
    "busy within": [refused("503 Service Unavailable", "ServerBusy", "0:busy")],
}


@pytest.fixture
def scripted() -> Iterator[Callable[[list[Answer | None]], tuple[Scripted, TableClient]]]:
    """A scripted service and a client for it."""
    servers = []

    def make(script: list[Answer | None]) -> tuple[Scripted, TableClient]:
        service = Scripted(list(script))
        server = LoopbackServer(service.serve, 0)
        server.start()
        servers.append(server)
        endpoint = f"TableEndpoint={server.url}/{ACCOUNT}"
        return service, client_of(
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};{endpoint};", "rows"
        )

    yield make
    for server in servers:
        server.stop()


def faced(way: str, service: Scripted, client: TableClient) -> tuple[object, int]:
    """The result of a transaction of two inserts, and the number of tries."""
    try:
        found = outcome(way, client, [Insert(row("1")), Insert(row("2"))])
    except AzureError as fault:
        found = type(fault).__name__
    return found, len(service.seen)


@pytest.mark.parametrize("name", SCRIPTS)
def test_trouble_is_met_both_ways_alike(scripted: Any, name: str) -> None:
    """Faults of the service lead to as many tries and the same error as through the official client."""
    theirs, ours = (faced(way, *scripted(SCRIPTS[name])) for way in WAYS)
    if isinstance(theirs[0], int):
        # The library has no index and no code for what is no part of an answer.
        assert isinstance(ours[0], tuple)
        ours = (ours[0][0], ours[1])
    assert ours == theirs


ALONE_SCRIPTS: dict[str, list[Answer | None]] = {
    "taken at once": [Answer(204, {"ETag": "1"})],
    "busy, then taken": [BUSY, Answer(204, {"ETag": "1"})],
    "busy for good": [BUSY] * 9,
    "a connection that is lost": [None, Answer(204, {"ETag": "1"})],
    "a connection that is lost again and again": [None] * 9,
    "not allowed": [Answer(403, JSON, error("AuthorizationFailure"))],
    "there already": [Answer(409, JSON, error("EntityAlreadyExists"))],
}


@pytest.mark.parametrize("name", ALONE_SCRIPTS)
def test_trouble_of_a_write_by_itself_is_met_both_ways_alike(scripted: Any, name: str) -> None:
    """A single write makes the same number of tries, with the same result, as through the official client."""
    found = []
    for way in WAYS:
        service, client = scripted(ALONE_SCRIPTS[name])
        try:
            end = alone(way, client, Insert(row("1")))
        except AzureError as fault:
            end = type(fault).__name__
        found.append((without_code(end), len(service.seen)))
    assert found[0] == found[1]


def test_a_write_without_an_etag_in_its_answer_is_no_success(scripted: Any) -> None:
    """A 200 without an ETag, as from a sign-in page, raises UnreadableAnswer instead of counting as a success."""
    _, client = scripted([Answer(200, {"Content-Type": "text/html"}, b"<html>sign in</html>")])
    with pytest.raises(UnreadableAnswer):
        Transactions(client).write(Insert(row("1")))


UNREADABLE: dict[str, Answer] = {
    "no multipart at all": Answer(202, {"Content-Type": "text/html"}, b"<html>sign in</html>"),
    "cut off": multipart([f"HTTP/1.1 204 No Content\r\nETag: {n}\r\n\r\n" for n in range(2)], cut=40),
    "a part too few": taken(1),
    "a part too many": taken(3),
    "a part without a status": multipart(["HTTP/1.1\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n"]),
    "an index that was never asked": refused("409 Conflict", "EntityAlreadyExists", "7:there"),
    "empty": Answer(202),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_answer_that_cannot_be_read_is_no_success_and_no_refusal(scripted: Any, name: str) -> None:
    """An unreadable answer to a transaction counts as neither success nor refusal, so the caller reads its rows."""
    _, client = scripted([UNREADABLE[name]])
    with pytest.raises(AzureError) as fault:
        Transactions(client).submit([Insert(row("1")), Insert(row("2"))])
    assert not isinstance(fault.value, TransactionFailed)


def test_an_error_that_stands_outside_of_a_change_set_is_read(scripted: Any) -> None:
    """An error that the service returns outside the change set is read with its code."""
    body = error("InvalidInput", "0:bad").decode()
    answer = multipart([f"HTTP/1.1 400 Bad Request\r\n\r\n{body}"], changeset=False)
    _, client = scripted([answer])
    assert outcome("ours", client, [Insert(row("1")), Insert(row("2"))]) == (400, "InvalidInput", 0)


LEFT_OUT = {"content-length", "content-type", "date", "x-ms-date", "x-ms-version", "prefer", "accept"}
"""Headers of a part left out of the comparison: they follow from the body, the whole request or the answer's form."""


def test_the_requests_say_the_same(scripted: Any) -> None:
    """Each part of a transaction has the method, URL, condition and columns that the official client sends."""
    operations: list[Operation] = [
        Insert(row("n", text="é", number=1)),
        Merge(row("it's:2", flag=True), STALE),
        Delete(row("3"), STALE),
    ]
    sent = []
    for way in WAYS:
        service, client = scripted([taken(3)])
        submit(way, client, operations)
        sent.append([parsed(part) for part in parts_of(service.seen[0], client)])
    assert sent[0] == sent[1]


def parts_of(incoming: Incoming, client: TableClient) -> list[str]:
    """The requests inside a transaction, with an address independent of the server's port."""
    text = incoming.body.decode().replace(client.url.partition("/devstore")[0], "http://host")
    boundary = text.partition("boundary=")[2].partition("\r\n")[0]
    return [part.partition("\r\n\r\n")[2] for part in text.split(f"--{boundary}")[1:-1]]


def parsed(part: str) -> tuple[str, Mapping[str, str], Mapping[str, Any]]:
    """First line, headers and columns of a request."""
    head, _, body = part.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    columns = json.loads(body) if body.strip() else {}
    return (
        first,
        {name: value for name, value in headers.items() if name not in LEFT_OUT},
        {name: value for name, value in columns.items() if not name.endswith("@odata.type")},
    )


def test_the_url_is_the_accounts_whatever_the_connection(azurite: Azurite) -> None:
    """A shared access signature is part of the URL exactly once, as with the official client."""
    seen: list[str | None] = []

    class Refuses:
        """A transport that records where requests go and refuses them."""

        def send(self, request: PreparedRequest, **_: object) -> None:
            seen.append(request.url)
            raise AzureError("noted")

        def open(self) -> None: ...
        def close(self) -> None: ...
        def sleep(self, _: float) -> None: ...
        def __enter__(self) -> None: ...
        def __exit__(self, *_: object) -> None: ...

    connection = "TableEndpoint=https://account.table.core.windows.net/;SharedAccessSignature=sv=2026&sig=secret"
    for way in WAYS:
        service = TableServiceClient.from_connection_string(connection, transport=Refuses(), retry_total=0)
        with pytest.raises(AzureError, match="noted"):
            submit(way, service.get_table_client("rows"), [Insert(row("1"))])
    assert seen == ["https://account.table.core.windows.net/$batch?sv=2026&sig=secret"] * 2


def test_a_server_that_is_not_there_is_tried_as_often(scripted: Any) -> None:
    """An unreachable server leads to the same error as through the official client."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    endpoint = f"TableEndpoint=http://127.0.0.1:{port}/{ACCOUNT}"
    client = client_of(f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};{endpoint};", "rows")
    found = []
    for way in WAYS:
        with pytest.raises(AzureError) as fault:
            submit(way, client, [Insert(row("1"))])
        found.append(type(fault.value))
    assert found[0] is found[1]
