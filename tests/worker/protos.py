"""Stand-ins for the generated protobuf messages that the worker library exchanges with the host.

The library takes the namespace as an argument, so neither gRPC nor protobuf is needed.
"""

from __future__ import annotations

import types
from typing import Any, ClassVar


class Message:
    """Fields as attributes, plus `WhichOneof`."""

    defaults: ClassVar[dict[str, Any]] = {}
    """Values of fields that the library reads although nobody has set them; a callable is called for its value."""
    oneofs: ClassVar[dict[str, tuple[str, ...]]] = {}
    """The fields that belong to each oneof."""

    def __init__(self, **fields: Any) -> None:
        for name, value in self.defaults.items():
            setattr(self, name, value() if callable(value) else value)
        self._given = {name for name, value in fields.items() if value is not None}
        for name, value in fields.items():
            setattr(self, name, value)

    def WhichOneof(self, oneof: str) -> str | None:  # noqa: N802 -- protobuf's name
        """The field of the oneof that is set, if one is."""
        return next((name for name in self.oneofs[oneof] if name in self._given), None)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in sorted(self._given))
        return f"{type(self).__name__}({shown})"


_TYPED_DATA = (
    *("string", "json", "bytes", "stream", "http", "int", "double"),
    *("collection_bytes", "collection_string", "collection_double", "collection_sint64"),
    *("model_binding_data", "collection_model_binding_data"),
)
_PLAIN = (
    *("WorkerInitResponse", "WorkerMetadata", "RpcException", "FunctionMetadataResponse", "FunctionLoadResponse"),
    *("FunctionEnvironmentReloadResponse", "InvocationResponse", "RpcFunctionMetadata", "RpcRetryOptions"),
    *("NullableString", "NullableBool", "NullableDouble", "NullableTimestamp", "Timestamp"),
)


def _message(name: str, **attributes: Any) -> type[Message]:
    return type(name, (Message,), attributes)


def build_protos() -> types.SimpleNamespace:
    """The smallest namespace that the worker library accepts."""
    typed_data = _message("TypedData", oneofs={"data": _TYPED_DATA})
    rpc_http = {"method": "", "url": "", "headers": dict, "params": dict, "query": dict, "body": typed_data}
    # Members called "in" and "None" can only be set through a mapping.
    directions = {"in": 0, "out": 1, "inout": 2, "undefined": 0, "string": 1, "binary": 2, "stream": 3}
    same_site = types.SimpleNamespace(**{"None": 0, "Lax": 1, "Strict": 2, "ExplicitNone": 3})
    return types.SimpleNamespace(
        **{name: _message(name) for name in _PLAIN},
        TypedData=typed_data,
        ParameterBinding=_message("ParameterBinding", oneofs={"rpc_data": ("data", "rpc_shared_memory")}),
        RpcHttp=_message("RpcHttp", defaults=rpc_http),
        RpcHttpCookie=_message("RpcHttpCookie", SameSite=same_site),
        StatusResult=_message("StatusResult", defaults={"exception": None}, Failure=0, Success=1, Cancelled=2),
        BindingInfo=_message("BindingInfo", **directions),
    )
