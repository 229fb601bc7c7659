"""Loads an app's function_app.py and turns what it declares into `IndexedFunction` values.

As with the real worker, one bad function keeps the whole app from loading.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import sys
import types
from pathlib import Path
from typing import Any

import azure.functions as func

from devstack.host.annotations import choose_converters
from devstack.host.app_settings import AppSettings
from devstack.host.bindings import (
    HttpOutput,
    HttpTrigger,
    IndexedFunction,
    Output,
    QueueOutput,
    QueueTrigger,
    TimerTrigger,
    Trigger,
)
from devstack.host.errors import StartUpFailed

_log = logging.getLogger(__name__)
_BINARY = 2  # azure.functions DataType.BINARY
_TRIGGER_TYPES = ("httpTrigger", "queueTrigger", "timerTrigger")


def index_app(app_dir: Path, settings: AppSettings) -> tuple[IndexedFunction, ...]:
    """Every function of the app in the order of its decorators. Raises StartUpFailed with all that is wrong."""
    functions: list[IndexedFunction] = []
    reasons: list[str] = []
    for declared in _declared_functions(app_dir, settings):
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


def _declared_functions(app_dir: Path, settings: AppSettings) -> list[Any]:
    script = settings.get("PYTHON_SCRIPT_FILE_NAME") or "function_app.py"
    if not (app_dir / script).is_file():
        raise StartUpFailed([f"{app_dir} has no {script}"])
    sys.path.insert(0, str(app_dir))
    try:
        # get_functions() is called once: names pile up on the app, and a second call finds them all twice.
        return list(_app_of(importlib.import_module(Path(script).stem)).get_functions())
    except StartUpFailed:
        raise
    except Exception as error:  # whatever the app's own code raised
        _log.exception("indexing failed script=%s", script)
        raise StartUpFailed([f"{script}: {type(error).__name__}: {error}"]) from error


def _app_of(module: types.ModuleType) -> Any:
    apps = {id(value): value for value in vars(module).values() if isinstance(value, func.FunctionRegister)}
    if len(apps) != 1:
        raise StartUpFailed([f"{module.__name__} must hold one FunctionApp at its top level, found {len(apps)}"])
    return next(iter(apps.values()))


def _index(declared: Any, settings: AppSettings) -> IndexedFunction:
    name, call, bindings = declared.get_function_name(), declared.get_user_function(), declared.get_bindings()
    if declared.get_settings_dict("retry_policy"):
        # Only triggers that support retries honour the policy, and none that this host serves from a queue does.
        _log.warning("retry policy ignored function=%s", name)
    trigger = _trigger(declared.get_trigger(), name, settings)
    others = [binding for binding in bindings if binding is not declared.get_trigger()]
    outputs = tuple(_output(binding, settings) for binding in others)
    converters, wants_context = choose_converters(call, bindings)
    return IndexedFunction(
        name=name,
        call=call,
        is_async=inspect.iscoroutinefunction(call),
        wants_context=wants_context,
        directory=str(Path(inspect.getfile(call)).parent),
        trigger=trigger,
        outputs=outputs,
        converters=converters,
    )


def _trigger(binding: Any, function_name: str, settings: AppSettings) -> Trigger:
    if binding is None:
        raise ValueError("has no trigger")
    if binding.type not in _TRIGGER_TYPES:
        raise ValueError(f'trigger type "{binding.type}" is not known to this host')
    if binding.type == "queueTrigger":
        queue, connection = _queue_address(binding, settings)
        binary = binding.data_type is not None and int(binding.data_type) == _BINARY
        return QueueTrigger(binding.name, queue, connection, binary)
    if binding.type == "timerTrigger":
        return TimerTrigger(binding.name, settings.resolve(binding.schedule), bool(binding.run_on_startup))
    return HttpTrigger(
        name=binding.name,
        route=settings.resolve(binding.route or function_name),
        methods=frozenset(str(method).upper() for method in binding.methods) if binding.methods else None,
        auth_level=str(getattr(binding.auth_level, "value", binding.auth_level) or "function").lower(),
    )


def _output(binding: Any, settings: AppSettings) -> Output:
    if binding.type == "http":
        return HttpOutput(binding.name)
    if binding.type == "queue":
        return QueueOutput(binding.name, *_queue_address(binding, settings))
    raise ValueError(f'binding type "{binding.type}" of {binding.name} is not known to this host')


def _queue_address(binding: Any, settings: AppSettings) -> tuple[str, str]:
    # The host lower-cases queue names, the library does not.
    return settings.resolve(binding.queue_name).lower(), settings.connection_string(binding.connection)
