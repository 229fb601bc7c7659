"""The converter that the worker uses for parameters annotated `str` or `bytes`, whatever the binding's type.

The library has none of its own: it is part of the worker (azure_functions_runtime/bindings/generic.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from azure.functions.meta import Datum


class GenericBinding:
    """Passes text and bytes through; turns other plain values into JSON on the way out."""

    def check_input_type_annotation(self, annotation: type) -> bool:
        return issubclass(annotation, (str, bytes))

    def check_output_type_annotation(self, annotation: type) -> bool:
        return issubclass(annotation, (str, bytes, bytearray))

    def decode(self, value: Datum, *, trigger_metadata: Mapping[str, Datum]) -> Any:
        """The payload as it came: a function annotated `bytes` still gets text unless its dataType is binary."""
        return value.value

    def encode(self, value: Any, *, expected_type: type | None) -> Datum:
        """Raises NotImplementedError for a value that the worker would not send, such as a QueueMessage."""
        if isinstance(value, str):
            return Datum(value, "string")
        if isinstance(value, (bytes, bytearray)):
            return Datum(bytes(value), "bytes")
        if isinstance(value, (dict, list)):
            return Datum(json.dumps(value), "json")
        if isinstance(value, int):
            return Datum(int(value), "int")
        if isinstance(value, float):
            return Datum(value, "double")
        raise NotImplementedError
