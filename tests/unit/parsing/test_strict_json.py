"""Strict JSON: nothing is dropped, coerced or guessed, and every fault is reported with its place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInput
from shared.parsing.strict_json import TOO_LARGE, Fault, capped, excerpt, faults, parse, pointer, read, refuse_faults

LIMIT = 10_000
# Surrogates among them, which the default of st.text() leaves out.
_CHARACTERS = st.characters()


def _problems_of(raw: bytes | str, **options: int) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as caught:
        parse(raw, **({"max_bytes": LIMIT} | options))
    return [(problem.pointer, problem.text) for problem in caught.value.problems]


def _nested(depth: int) -> str:
    return "[" * depth + "1" + "]" * depth


@pytest.mark.parametrize(
    "text",
    ['{"a": [1, -2.5, "x", true, false, null]}', '"é😀"', " \t\r\n{} ", '{"a": {"b": {}}, "c": [[]]}', "1e3", "-0"],
)
def test_good_json_reads_as_the_standard_library_reads_it(text: str) -> None:
    """Valid JSON reads as `json.loads` reads it, from text and from bytes."""
    assert parse(text, max_bytes=LIMIT) == json.loads(text)
    assert parse(text.encode(), max_bytes=LIMIT) == json.loads(text)


@pytest.mark.parametrize(
    ("raw", "where", "what"),
    [
        ('{"a": 1, "a": 2}', "/a", "more than once"),
        ('{"a": {"b~/c": 1, "b~/c": 1}}', "/a/b~0~1c", "more than once"),
        ('{"a": [0, {"b": 1, "b": 1}]}', "/a/1/b", "more than once"),
        ('{"a": NaN}', "/a", "NaN"),
        ('{"a": [Infinity]}', "/a/0", "Infinity"),
        ('{"a": -Infinity}', "/a", "-Infinity"),
        ('{"a": 1e999}', "/a", "too large"),
        ('{"a": -1e999}', "/a", "too large"),
        ('{"a": ' + "9" * 41 + "}", "/a", "too large"),
        ('{"a": ' + "9" * 5000 + "}", "/a", "too large"),
        (r'{"a": "\ud800"}', "/a", "lone surrogate (U+D800)"),
        (r'{"a": "\udc00\ud800"}', "/a", "lone surrogate (U+DC00)"),
        (r'{"a": "x\u0000"}', "/a", "control character (U+0000)"),
        (r'{"a": "x\n"}', "/a", "control character (U+000A)"),
        ('{"a": "x\ny"}', "/a", "control character (U+000A)"),
        ('{"a": "\x00"}', "/a", "control character (U+0000)"),
        ('{"a": "\x7f"}', "/a", "control character (U+007F)"),
        ('{"a": ["\x85"]}', "/a/0", "control character (U+0085)"),
        (r'{"a": "\u009f"}', "/a", "control character (U+009F)"),
        (r'{"a\u0007": 1}', r"/a\u0007", "name that contains a control character (U+0007)"),
        (r'{"\ud800": 1}', r"/\ud800", "name that contains a lone surrogate"),
        ('"\x1b"', "", "control character (U+001B)"),
        (_nested(9), "/0/0/0/0/0/0/0/0", "too deep"),
        (_nested(100_000), "", "deep"),
        ('{"a":' * 9 + "1" + "}" * 9, "/a/a/a/a/a/a/a/a", "too deep"),
        ("", "", "is empty"),
        (" \n", "", "is empty"),
        ("{", "", "not JSON"),
        ("{'a': 1}", "", "not JSON (line 1, column 2)"),
        ('{"a": 1,}', "", "not JSON"),
        ("{} {}", "", "not JSON (line 1, column 4)"),
        ("\ufeff{}", "", "byte order mark"),
        ("\uff10", "", "not JSON"),
        (b'{"a": "\xff"}', "", "not UTF-8 (byte 7)"),
        (b'"\xed\xa0\x80"', "", "not UTF-8"),
        (b'"\xc0\xaf"', "", "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "", "not UTF-8"),
        ('{"a": 1}'.encode("utf-16-le"), "", "not JSON"),
    ],
)
def test_a_fault_is_refused_with_a_pointer_to_it(raw: bytes | str, where: str, what: str) -> None:
    """What `json.loads` would accept or crash on, such as duplicate keys or NaN, is refused with a pointer."""
    [(pointed, text)] = _problems_of(raw, max_bytes=300_000)
    assert pointed == where
    assert what in text


def test_every_fault_is_told_at_once() -> None:
    """Faults in different places of a text are all reported."""
    assert [where for where, _ in _problems_of('{"a": NaN, "b": {"c": "\x01"}, "a": 1}')] == ["/a", "/b/c"]


def test_eight_levels_are_allowed_and_the_root_counts() -> None:
    """JSON may be nested eight levels deep, the root included, or as deep as the limit given."""
    assert parse(_nested(8), max_bytes=LIMIT) == json.loads(_nested(8))
    assert _problems_of(_nested(2), max_depth=1) == [("/0", "is nested too deeply")]


@pytest.mark.parametrize("raw", [b'"1234"', '"1234"', '"é12"', '"é12"'.encode()])
def test_the_limit_counts_bytes(raw: bytes | str) -> None:
    """A text of exactly the maximum number of bytes is read; one byte more is refused as too large."""
    size = len(raw) if isinstance(raw, bytes) else len(raw.encode())
    assert parse(raw, max_bytes=size)
    with pytest.raises(InvalidInput) as caught:
        parse(raw, max_bytes=size - 1)
    assert caught.value.code == TOO_LARGE


def test_a_lone_surrogate_in_the_text_itself_does_not_crash() -> None:
    """A lone surrogate in a text is refused with a pointer rather than raising an encoding error."""
    assert _problems_of('{"a": "\udfff"}') == [("/a", "contains a lone surrogate (U+DFFF)")]


def test_one_fault_leaves_the_rest_readable() -> None:
    """`read` returns the valid parts, with a Fault in place of each invalid value."""
    value = read('{"good": 1, "bad": "\x01", "list": [2, NaN]}', max_bytes=LIMIT)
    assert value == {
        "good": 1,
        "bad": Fault("contains a control character (U+0001)"),
        "list": [2, Fault("is NaN, which is not a JSON number")],
    }
    assert [problem.pointer for problem in faults(value)] == ["/bad", "/list/1"]


def test_faults_are_counted_from_where_the_tree_hangs() -> None:
    """Faults of a part of a body are reported with pointers from the body's root."""
    with pytest.raises(InvalidInput) as caught:
        refuse_faults([Fault("is bad")], "/requests/3")
    assert caught.value.problems[0].pointer == "/requests/3/0"


def test_a_long_list_of_problems_ends_in_a_count() -> None:
    """Of many problems, twenty are reported one by one and the rest as a number."""
    with pytest.raises(InvalidInput) as caught:
        parse("[" + ",".join(["NaN"] * 100) + "]", max_bytes=LIMIT)
    assert len(caught.value.problems) == 21
    assert (caught.value.problems[-1].pointer, caught.value.problems[-1].text) == ("", "has 80 more faults")
    assert capped(list(caught.value.problems[:20])) == list(caught.value.problems[:20])


@pytest.mark.parametrize("raw", [b"\xef\xbb\xbf{}", "\ufeff{}"])
def test_a_byte_order_mark_is_named(raw: bytes | str) -> None:
    """A byte order mark is refused with an error that names it, because it is invisible."""
    assert _problems_of(raw) == [("", "begins with a byte order mark (U+FEFF), which JSON must not")]


def test_an_excerpt_is_short_and_printable() -> None:
    """Quoted input is cut to 64 characters, with control and direction characters escaped."""
    assert excerpt("a\r\n\x1b\u202e\ud800é") == "a\\u000d\\u000a\\u001b\\u202e\\ud800é"
    assert excerpt("x" * 64) == "x" * 64
    assert excerpt("x" * 65) == "x" * 63 + "…"


def test_an_excerpt_is_short_when_it_is_escaped_too() -> None:
    """Quoted input is still cut to 64 characters when all of it has to be escaped."""
    assert excerpt("\x01" * 64) == "\\u0001" * 10 + "\\u0…"


def test_a_deep_pointer_is_short() -> None:
    """A pointer into deeply nested long names is cut to 256 characters."""
    at = ""
    for _ in range(8):
        at = pointer(at, "\U0001f600~" * 100)
    assert len(at) == 256
    assert at.startswith("/\U0001f600~0")
    assert at.endswith("…")


def test_a_pointer_is_escaped_by_its_standard() -> None:
    """Pointers escape `~` and `/` as RFC 6901 says, and list items are numbers."""
    assert pointer(pointer("", "a/b~c"), 3) == "/a~1b~0c/3"


def _told(raw: bytes | str, max_bytes: int) -> list[str] | None:
    """The problems of a text that is refused; None for one that is read."""
    try:
        parse(raw, max_bytes=max_bytes)
    except InvalidInput as fault:
        return [told for problem in fault.problems for told in (problem.pointer, problem.text)]
    return None


@given(st.binary(max_size=300) | st.text(_CHARACTERS, max_size=300))
def test_no_input_raises_anything_but_invalid_input(raw: bytes | str) -> None:
    """Any input is read or refused with short, printable problems, and nothing else is raised."""
    told = _told(raw, 200)
    assert told is None or told
    assert all(text.isprintable() and len(text) < 100 for text in told or [])


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.text(_CHARACTERS, max_size=8) | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(_CHARACTERS, max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(_ANYTHING)
def test_json_is_read_exactly_or_refused(value: object) -> None:
    """Any JSON value is refused or reads back as exactly the value that was written."""
    text = json.dumps(value)
    assert _told(text, 100_000) or parse(text, max_bytes=100_000) == value
