"""host.json, as far as this host supports it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from devstack.host.app_settings import AppSettings
from devstack.host.errors import StartUpFailed

_TIME_SPAN = re.compile(
    r"(?:(?P<days>\d+)\.)?(?P<hours>\d{1,2}):(?P<minutes>\d{1,2})(?::(?P<seconds>\d{1,2}(?:\.\d+)?))?"
)
_COMMENT_OR_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_OVERRIDE_PREFIX = "AzureFunctionsJobHost__"
_DEVELOPMENT_POLLING = "00:00:02"  # StorageQueuesWebJobsBuilderExtensions; a minute elsewhere
_DEFAULT_FUNCTION_TIMEOUT_SECONDS = 1800.0


@dataclass(frozen=True)
class QueueOptions:
    """`extensions.queues`: one set for all queue functions of the app."""

    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    visibility_timeout_seconds: float = 0.0
    max_polling_interval_seconds: float = 2.0


@dataclass(frozen=True)
class HostOptions:
    """The supported part of host.json."""

    route_prefix: str
    function_timeout_seconds: float | None
    """None means unlimited."""
    queues: QueueOptions


def parse_time_span(value: object) -> float:
    """Seconds of a .NET TimeSpan text `[d.]hh:mm[:ss[.f]]`.

    Raises ValueError for anything else, a bare integer too, which the real host reads as days.
    """
    match = _TIME_SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is not a time span such as '00:01:00'")
    parts = {name: float(text) for name, text in match.groupdict(default="0").items()}
    return timedelta(**parts).total_seconds()


def read_host_options(app_dir: Path, settings: AppSettings) -> HostOptions:
    """The options of an app directory. Raises StartUpFailed with every problem of its host.json."""
    try:
        document = json.loads(without_comments((app_dir / "host.json").read_text(encoding="utf-8")))
        _apply_overrides(document, settings.values)
        return host_options(document)
    except FileNotFoundError:
        raise StartUpFailed([f"{app_dir} has no host.json"]) from None
    except (ValueError, TypeError, AttributeError) as error:
        raise StartUpFailed([f"host.json: {error}"]) from error


def without_comments(text: str) -> str:
    """JSON text without `//` and `/* */`, which host.json may have; what looks like them within strings stays."""
    return _COMMENT_OR_TEXT.sub(lambda found: found[0] if found[0].startswith('"') else " ", text)


def _apply_overrides(document: dict[str, Any], values: Mapping[str, str]) -> None:
    """Settings such as `AzureFunctionsJobHost__extensions__queues__batchSize` replace what the file says.

    https://learn.microsoft.com/azure/azure-functions/functions-host-json#override-hostjson-values
    """
    for name, value in values.items():
        if name.startswith(_OVERRIDE_PREFIX):
            *path, last = name.removeprefix(_OVERRIDE_PREFIX).split("__")
            place = document
            for step in path:
                place = place.setdefault(step, {})
            place[last] = value


def host_options(document: Mapping[str, Any]) -> HostOptions:
    """The options in a parsed host.json. Raises ValueError or TypeError for a value out of its range."""
    extensions = document.get("extensions") or {}
    prefix = (extensions.get("http") or {}).get("routePrefix", "api")
    return HostOptions(
        route_prefix=prefix.strip("/"),
        function_timeout_seconds=_function_timeout(document.get("functionTimeout")),
        queues=_queue_options(extensions.get("queues") or {}),
    )


def _function_timeout(value: object) -> float | None:
    if value is None:
        return _DEFAULT_FUNCTION_TIMEOUT_SECONDS
    if value in ("-1", "-00:00:01"):
        return None
    seconds = parse_time_span(value)
    if seconds < 1:
        raise ValueError("functionTimeout must be at least one second, or -1")
    return seconds


def _queue_options(queues: Mapping[str, Any]) -> QueueOptions:
    if str(queues.get("messageEncoding", "base64")).lower() != "none":
        raise ValueError("messageEncoding must be none: base64 is not imitated")
    batch_size = _integer(queues, "batchSize", 16, lowest=1, highest=32)
    polling_seconds = parse_time_span(queues.get("maxPollingInterval", _DEVELOPMENT_POLLING))
    if polling_seconds < 0.1:
        raise ValueError("maxPollingInterval must be at least 00:00:00.1")
    return QueueOptions(
        batch_size=batch_size,
        new_batch_threshold=_integer(queues, "newBatchThreshold", batch_size // 2 * (os.cpu_count() or 1), lowest=0),
        max_dequeue_count=_integer(queues, "maxDequeueCount", 5, lowest=1),
        visibility_timeout_seconds=parse_time_span(queues.get("visibilityTimeout", "00:00:00")),
        max_polling_interval_seconds=polling_seconds,
    )


def _integer(section: Mapping[str, Any], name: str, default: int, *, lowest: int, highest: int | None = None) -> int:
    value = section.get(name, default)
    number = int(value) if isinstance(value, str) else value
    if not isinstance(number, int) or isinstance(number, bool):
        raise TypeError(f"{name} must be an integer")
    if number < lowest or (highest is not None and number > highest):
        raise ValueError(
            f"{name} must be {'at least ' if highest is None else ''}{lowest}{f' to {highest}' if highest else ''}"
        )
    return number
