"""Finding the text of each item of a JSON list, as it was sent."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.parsing.json_items import items_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, st.lists(VALUES, max_size=5), VALUES, st.sampled_from([None, 1, "\t"]))
def test_each_item_is_found_whatever_stands_around_it(
    before: object, items: list[object], after: object, indent: object
) -> None:
    """The items of a list are found whatever values and white space surround them."""
    text = json.dumps({"a": before, "requests": items, "b": after}, indent=indent)  # type: ignore[arg-type]
    assert [json.loads(item) for item in items_of(text, "requests")] == json.loads(json.dumps(items)) or "NaN" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"requests":[]}', []),
        (' {"requests" : [ 1 , {"a": 1.0e5} ] } ', ["1", '{"a": 1.0e5}']),
        ('{"x": [2], "requests": ["\\u0041"]}', ['"\\u0041"']),
        ('{"requests": [' + "9" * 5_000 + "]}", ["9" * 5_000]),
        ('{"other": [1]}', []),
        ("{}", []),
    ],
)
def test_an_item_keeps_its_spelling(text: str, expected: list[str]) -> None:
    """The text of an item keeps its escapes, digits and white space."""
    assert items_of(text, "requests") == expected
