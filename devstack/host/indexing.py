"""Loads an app's function_app.py and turns what it declares into values.

One bad function keeps the whole app from loading, as in the real worker.
What the product does not use is refused here, so that nothing runs on a laptop in a way that nobody compared with the
cloud: `async def`, text triggers, other outputs than lists of texts, answers that are no HttpResponse, retry policies.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import sys
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import azure.functions as func

from devstack.host.app_settings import AppSettings
from devstack.host.bindings import HttpTrigger, IndexedFunction, QueueOutput, QueueTrigger, TimerTrigger, Trigger
from devstack.host.errors import StartUpFailed
from devstack.host.routes import RouteTemplate

_log = logging.getLogger(__name__)
_SCRIPT = "function_app.py"
_BINARY = 2  # azure.functions DataType.BINARY
_RETURN = "$return"
_INPUTS = {"httpTrigger": func.HttpRequest, "queueTrigger": func.QueueMessage, "timerTrigger": func.TimerRequest}
# The worker takes typing.List alone: Out[list[str]] keeps its apps from loading (python-worker#1176).
_OUTPUTS = {"queue": func.Out[typing.List[str]]}  # noqa: UP006


@dataclass(frozen=True)
class LoadedFunction:
    """One function with its code."""

    indexed: IndexedFunction
    call: Callable[..., Any]
    wants_context: bool


def index_app(app_dir: Path, settings: AppSettings) -> tuple[LoadedFunction, ...]:
    """Every function of the app in the order of its decorators. Raises StartUpFailed with every problem."""
    functions: list[LoadedFunction] = []
    reasons: list[str] = []
    for declared in _declared_functions(app_dir):
        name = declared.get_function_name()
        try:
            functions.append(_index(declared, settings))
        except StartUpFailed as error:
            reasons.extend(f"function {name}: {reason}" for reason in error.reasons)
        except (TypeError, ValueError, NameError) as error:
            reasons.append(f"function {name}: {error}")
    if reasons:
        raise StartUpFailed(reasons)
    return tuple(functions)


def _declared_functions(app_dir: Path) -> list[Any]:
    if not (app_dir / _SCRIPT).is_file():
        raise StartUpFailed([f"{app_dir} has no {_SCRIPT}"])
    sys.path.insert(0, str(app_dir))
    try:
        # get_functions() is called once: names pile up on the app, and a second call finds them all twice.
        return list(_app_of(importlib.import_module(Path(_SCRIPT).stem)).get_functions())
    except StartUpFailed:
        raise
    except Exception as error:  # whatever the app's own code raised
        _log.exception("indexing failed script=%s", _SCRIPT)
        raise StartUpFailed([f"{_SCRIPT}: {type(error).__name__}: {error}"]) from error


def _app_of(module: types.ModuleType) -> Any:
    apps = {id(value): value for value in vars(module).values() if isinstance(value, func.FunctionRegister)}
    if len(apps) != 1:
        raise StartUpFailed([f"{module.__name__} must hold one FunctionApp at its top level, found {len(apps)}"])
    return next(iter(apps.values()))


def _index(declared: Any, settings: AppSettings) -> LoadedFunction:
    name, call, trigger = declared.get_function_name(), declared.get_user_function(), declared.get_trigger()
    if trigger is None or trigger.type not in _INPUTS:
        raise ValueError(f"a trigger of type {trigger and trigger.type} is not imitated")
    if inspect.iscoroutinefunction(call):
        raise TypeError("async functions are not imitated")
    if declared.get_settings_dict("retry_policy"):
        raise ValueError("retry policies do nothing for HTTP and queues, and are not imitated for timers")
    outputs = [binding for binding in declared.get_bindings() if binding is not trigger and binding.name != _RETURN]
    wants_context = _check_parameters(call, trigger, outputs)
    indexed = IndexedFunction(
        name=name,
        trigger=_trigger(trigger, name, settings),
        outputs=tuple(QueueOutput(output.name, *_queue_address(output, settings)) for output in outputs),
    )
    return LoadedFunction(indexed, call, wants_context)


def _check_parameters(call: Callable[..., Any], trigger: Any, outputs: list[Any]) -> bool:
    """Whether the function takes a `context`. Raises TypeError if parameters and bindings do not match."""
    wanted: dict[str, Any] = {trigger.name: _INPUTS[trigger.type]}
    for output in outputs:
        if output.type not in _OUTPUTS:
            raise TypeError(f"a binding of type {output.type} ({output.name}) is not imitated")
        wanted[output.name] = _OUTPUTS[output.type]
    annotations = typing.get_type_hints(call)
    returned = annotations.pop("return", type(None))
    wants_context = "context" in inspect.signature(call).parameters
    if wants_context:
        wanted["context"] = func.Context
    for name in wanted.keys() | set(inspect.signature(call).parameters):
        if name not in wanted:
            raise TypeError(f"parameter {name} has no binding")
        if annotations.get(name) != wanted[name]:
            raise TypeError(f"parameter {name} must be annotated {wanted[name]}; nothing else is imitated")
    if returned is not (func.HttpResponse if trigger.type == "httpTrigger" else type(None)):
        raise TypeError(f"a return value of type {returned!r} is not imitated")
    return wants_context


def _trigger(binding: Any, function_name: str, settings: AppSettings) -> Trigger:
    if binding.type == "queueTrigger":
        if binding.data_type is None or int(binding.data_type) != _BINARY:
            raise ValueError("a queue trigger must ask for bytes, data_type=func.DataType.BINARY")
        return QueueTrigger(binding.name, *_queue_address(binding, settings))
    if binding.type == "timerTrigger":
        if binding.run_on_startup:
            raise ValueError("run_on_startup is not imitated")
        return TimerTrigger(binding.name, settings.resolve(binding.schedule))
    route = settings.resolve(binding.route or function_name)
    RouteTemplate(route)
    return HttpTrigger(
        name=binding.name,
        route=route,
        methods=frozenset(str(method).upper() for method in binding.methods) if binding.methods else None,
        auth_level=str(getattr(binding.auth_level, "value", binding.auth_level) or "function").lower(),
    )


def _queue_address(binding: Any, settings: AppSettings) -> tuple[str, str]:
    # The host lower-cases queue names, the library does not.
    return settings.resolve(binding.queue_name).lower(), settings.connection_string(binding.connection)
