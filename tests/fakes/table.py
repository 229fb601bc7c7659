"""An in-memory table with row versions; it passes the same contract tests as the storage service's table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import RLock

from shared.errors import StorageUnavailable
from shared.storage.query import Query
from shared.storage.table import ANY_VERSION, MAX_OPERATIONS, Page, Refused, RowWrite, StoredRow
from tests.fakes.passage import Passage, T, storage, undisturbed


class MemoryTable:
    """Rows in a dictionary. Operations are named after the kind of row and what is done to it."""

    def __init__(self, name: str = "row", passage: Passage = undisturbed) -> None:
        self.rows: dict[tuple[str, str], dict[str, object]] = {}
        self.etags: dict[tuple[str, str], str] = {}
        self.operations = 0
        self.passage = passage
        self._name = name
        self.on_put: Callable[[dict[str, object]], None] = lambda _: None
        """Told of each row as it stands after a write."""
        self._version = 0
        self._lock = RLock()

    def touch(self) -> None:
        """Changes the version of every row, as another worker's write would."""
        for key in self.etags:
            self.etags[key] += "x"

    def read(self, partition: str, row: str) -> StoredRow | None:
        """See Table."""
        return self._run("read", lambda: self._found((partition, row)))

    def write(self, write: RowWrite) -> str | None:
        """See Table."""
        return self._run("write", lambda: self._put(write) if self._holds(write) else None)

    def write_group(self, writes: Sequence[RowWrite]) -> list[str] | Refused:
        """See Table."""
        return self._run("write", lambda: self._put_all(writes))

    def query(
        self, query: Query, columns: Sequence[str] | None, top: int, continuation: dict[str, str] | None = None
    ) -> Page:
        """See Table."""
        # The daily round is known by its scans; reading a parent's counts is none.
        name = "count" if "tally:" in query.text and "touched_at" not in query.text else "query"
        return self._run(name, lambda: self._page(query, top, continuation), query.text)

    def delete_group(self, rows: Sequence[StoredRow]) -> bool:
        """See Table."""
        return self._run("delete", lambda: self._delete_all(rows))

    def probe(self) -> None:
        """See Table."""
        self.read("0", "probe")

    def _run(self, operation: str, call: Callable[[], T], about: str = "") -> T:
        def effect() -> T:
            # Only here: an operation that is stalled must not hold the others up.
            with self._lock:
                self.operations += 1
                return call()

        return self.passage(storage(f"{self._name} {operation}", effect, about))

    def _found(self, key: tuple[str, str]) -> StoredRow | None:
        return StoredRow(dict(self.rows[key]), self.etags[key]) if key in self.rows else None

    def _holds(self, write: RowWrite) -> bool:
        key = _key(write)
        if write.etag is None:
            return key not in self.rows
        if write.etag == ANY_VERSION:
            return True
        return self.etags.get(key) == write.etag

    def _put(self, write: RowWrite) -> str:
        key = _key(write)
        if any(
            isinstance(value, str) and len(value.encode("utf-16-le", "surrogatepass")) > 64 * 1024
            for value in write.entity.values()
        ):
            raise StorageUnavailable("table: write: HTTP 400 PropertyValueTooLarge")
        self._version += 1
        self.rows[key] = {**self.rows.get(key, {}), **write.entity}
        self.etags[key] = f'W/"{self._version}"'
        self.on_put(self.rows[key])
        return self.etags[key]

    def _put_all(self, writes: Sequence[RowWrite]) -> list[str] | Refused:
        assert len({_key(write)[0] for write in writes}) == 1, "a group is of one partition"
        assert len({_key(write) for write in writes}) == len(writes), "a group is of different rows"
        if len(writes) > MAX_OPERATIONS:
            raise StorageUnavailable("table: write group: HTTP 400 InvalidInput")
        for index, write in enumerate(writes):
            if not self._holds(write):
                return Refused(index)
        return [self._put(write) for write in writes]

    def _page(self, query: Query, top: int, continuation: dict[str, str] | None) -> Page:
        keys = sorted(key for key in self.rows if query.takes(self.rows[key]))
        if continuation:
            keys = [key for key in keys if key >= (continuation["PartitionKey"], continuation["RowKey"])]
        more = {"PartitionKey": keys[top][0], "RowKey": keys[top][1]} if len(keys) > top else None
        return Page(tuple(StoredRow(dict(self.rows[key]), self.etags[key]) for key in keys[:top]), more)

    def _delete_all(self, rows: Sequence[StoredRow]) -> bool:
        keys = [(str(row.entity["PartitionKey"]), str(row.entity["RowKey"])) for row in rows]
        if any(self.etags.get(key) != row.etag for key, row in zip(keys, rows, strict=True)):
            return False
        for key in keys:
            del self.rows[key], self.etags[key]
        return True


def _key(write: RowWrite) -> tuple[str, str]:
    return str(write.entity["PartitionKey"]), str(write.entity["RowKey"])
