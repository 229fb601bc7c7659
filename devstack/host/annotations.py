"""The worker's rules for the parameters of a function; a broken one keeps the whole app from loading.

Same refusals as `Registry.add_indexed_function` of azure_functions_runtime/functions.py.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterable
from typing import Any

import azure.functions as func

from devstack.host.bindings import RETURN
from devstack.host.generic_binding import GenericBinding

_OUT = 1  # azure.functions BindingDirection.OUT


def choose_converters(call: Callable[..., Any], bindings: Iterable[Any]) -> tuple[dict[str, Any], bool]:
    """The converter of each binding by name, and whether the function asks for its `context`.

    Raises TypeError with the reason when the parameters and the bindings do not fit.
    """
    by_name = {binding.name: binding for binding in bindings}
    annotations = typing.get_type_hints(call)
    parameters = set(inspect.signature(call).parameters)
    wants_context = "context" in parameters and "context" not in by_name
    if wants_context:
        parameters.discard("context")
        _check_context(annotations.get("context"))
    _check_names(parameters, set(by_name) - {RETURN})
    converters = {name: _converter(by_name[name], annotations) for name in parameters}
    if RETURN in by_name:
        converters[RETURN] = _return_converter(by_name[RETURN], annotations)
    return converters, wants_context


def _check_context(annotation: Any) -> None:
    if annotation is not None and getattr(annotation, "__name__", None) != "Context":
        raise TypeError('the "context" parameter must be of type azure.functions.Context')


def _check_names(parameters: set[str], bound: set[str]) -> None:
    if parameters - bound:
        raise TypeError(f"parameters without a binding: {', '.join(sorted(parameters - bound))}")
    if bound - parameters:
        raise TypeError(f"bindings without a parameter: {', '.join(sorted(bound - parameters))}")


def _converter(binding: Any, annotations: dict[str, Any]) -> Any:
    registered = _registered(binding)
    if binding.name not in annotations:
        return registered
    annotation = annotations[binding.name]
    is_out = typing.get_origin(annotation) is func.Out or annotation is func.Out
    if is_out != (binding.direction == _OUT):
        raise TypeError(f"{binding.name}: output parameters, and only they, are annotated azure.functions.Out")
    value_type = _out_argument(binding.name, annotation) if is_out else annotation
    _check_is_class(binding.name, value_type)
    converter = GenericBinding() if value_type in (str, bytes) else registered
    check = converter.check_output_type_annotation if is_out else converter.check_input_type_annotation
    if not check(value_type):
        raise TypeError(f'{binding.name}: {value_type!r} does not fit a binding of type "{binding.type}"')
    return converter


def _registered(binding: Any) -> Any:
    return func.get_binding_registry().get(binding.type)  # type: ignore[no-untyped-call]  # the library has no hints


def _out_argument(name: str, annotation: Any) -> Any:
    arguments = typing.get_args(annotation)
    if len(arguments) != 1:
        raise TypeError(f"{name}: azure.functions.Out needs exactly one type argument")
    return arguments[0]


def _check_is_class(name: str, annotation: Any) -> None:
    # The worker knows typing.List[str], but neither list[str] nor Optional[str] (python-worker#1176).
    is_class = isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias)
    is_typing_list = not isinstance(annotation, types.GenericAlias) and typing.get_origin(annotation) is list
    if not is_class and not is_typing_list:
        raise TypeError(f"{name}: {annotation!r} is not an annotation that the worker takes")


def _return_converter(binding: Any, annotations: dict[str, Any]) -> Any:
    converter = _registered(binding)
    annotation = annotations.get("return")
    if annotation is not None and annotation is not type(None):
        if not isinstance(annotation, type):
            raise TypeError(f"return annotation {annotation!r} is no class")
        if not converter.check_output_type_annotation(annotation):
            raise TypeError(f'return annotation {annotation!r} does not fit a binding of type "{binding.type}"')
    return converter
