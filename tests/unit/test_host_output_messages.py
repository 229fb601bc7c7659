"""Which queue messages the local host makes of a function's output."""

from __future__ import annotations

import pytest

from devstack.host.output_messages import enqueued_bodies


@pytest.mark.parametrize(
    ("kind", "value", "bodies"),
    [
        ("bytes", b'{"a":1}', [b'{"a":1}']),
        ("bytes", b"[1,2]", [b"[1,2]"]),
        ("string", "plain", [b"plain"]),
        ("string", "", [b""]),
        ("string", '{"a":1}', [b'{\n  "a": 1\n}']),
        ("string", " [1, 2] ", [b"1", b"2"]),
        ("string", "[]", []),
        ("json", '["a", "{\\"b\\":1}"]', [b"a", b'{"b":1}']),
        ("json", '{"a": true}', [b'{\n  "a": true\n}']),
        ("json", "[null, true, 1.5]", [b"", b"True", b"1.5"]),
        ("int", 7, [b"7"]),
        ("string", '{"ü": 1}', ['{\n  "ü": 1\n}'.encode()]),
    ],
)
def test_output_values_become_the_messages_that_the_host_sends(kind: str, value: object, bodies: list[bytes]) -> None:
    """Bytes pass untouched; JSON text is parsed, an array gives a message per element, an object is indented."""
    assert enqueued_bodies(kind, value) == bodies


@pytest.mark.parametrize("text", ["{oops}", "[oops]"])
def test_text_with_the_look_of_json_fails_the_invocation_when_it_is_none(text: str) -> None:
    """The host parses whatever begins and ends like JSON, after the function's own code has run."""
    with pytest.raises(ValueError, match="Expecting"):
        enqueued_bodies("string", text)
