"""Which rows of a partition to read: a value, which the table adapter sends as a filter's text. Pure."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

Comparison = Literal["eq", "ne", "lt", "le", "gt", "ge"]
Value = str | bool

_COMPARED: Final[Mapping[Comparison, Callable[[Any, Any], bool]]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


@dataclass(frozen=True)
class Condition:
    """A condition on one column."""

    column: str
    comparison: Comparison
    value: Value

    @property
    def text(self) -> str:
        """The condition in OData: https://learn.microsoft.com/rest/api/storageservices/querying-tables-and-entities."""
        quoted = str(self.value).lower() if isinstance(self.value, bool) else "'" + self.value.replace("'", "''") + "'"
        return f"{self.column} {self.comparison} {quoted}"

    def holds_for(self, row: Mapping[str, Any]) -> bool:
        """Whether it holds for a row, by the service's rules: never for a row without the column."""
        return self.column in row and _COMPARED[self.comparison](row[self.column], self.value)


@dataclass(frozen=True)
class Query:
    """The rows of one partition that fulfil all conditions.

    Unless the row key is bounded, the service goes through the whole partition:
    https://learn.microsoft.com/azure/storage/tables/table-storage-design-for-query
    """

    partition: str
    conditions: tuple[Condition, ...] = ()

    def where(self, column: str, comparison: Comparison, value: Value) -> Query:
        """The query with one more condition."""
        return replace(self, conditions=(*self.conditions, Condition(column, comparison, value)))

    def from_row(self, first: str, below: str) -> Query:
        """The query limited to row keys from `first` on and below `below`."""
        return self.where("RowKey", "ge", first).where("RowKey", "lt", below)

    @property
    def text(self) -> str:
        """The filter as the service reads it."""
        return " and ".join(condition.text for condition in self._all)

    def takes(self, row: Mapping[str, Any]) -> bool:
        """Whether a row fulfils all conditions."""
        return all(condition.holds_for(row) for condition in self._all)

    @property
    def _all(self) -> tuple[Condition, ...]:
        return (Condition("PartitionKey", "eq", self.partition), *self.conditions)
