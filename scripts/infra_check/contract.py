"""Checks for every shape that the deployment has everything that the app and its callers rely on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from scripts.infra_check.pinned import (
    APP_PRINCIPAL,
    APP_ROLES,
    BATCH_ROLE,
    CALLER_ROLES,
    PLATFORM_SETTINGS,
    STAND_INS,
    TELEMETRY_SETTINGS,
)
from scripts.infra_check.snapshots import Resource, Shape
from shared.errors import InvalidConfiguration
from shared.settings import POISON_SUFFIX, Settings
from shared.storage.connection import NAME as CONNECTION

QUEUES = "Microsoft.Storage/storageAccounts/queueServices/queues"
TABLES = "Microsoft.Storage/storageAccounts/tableServices/tables"
ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
DEFAULTS = "defaults"
"""The shape whose settings are those of the app and of local.settings.sample.json."""

_CONNECTION_SETTINGS = {
    f"{CONNECTION}__{part}" for part in ("queueServiceUri", "tableServiceUri", "credential", "clientId")
}
_SECRET = re.compile(r"secret|password|connection_?string|token|credential|key|\blist", re.IGNORECASE)
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PARAMETER = re.compile(r"^param (\w+)", re.MULTILINE)


def problems(shapes: Iterable[Shape], infra: Path, root: Path) -> Iterator[str]:
    """One sentence for each thing that the templates lack or get wrong. `root` is the app's folder."""
    yield from _parameter_file(infra)
    for shape in shapes:
        for problem in _of_shape(shape, root):
            yield f"{shape.name}: {problem}"


def _of_shape(shape: Shape, root: Path) -> Iterator[str]:
    settings = app_settings(shape)
    yield from shape.diagnostics
    yield from _setting_names(settings)
    yield from _setting_values(settings, defaults=shape.name == DEFAULTS)
    yield from _queues_and_tables(shape, settings)
    if shape.name == DEFAULTS:
        yield from _sample(settings, root / "local.settings.sample.json")
    yield from _runtime(shape, root / ".python-version")
    yield from _roles(shape)
    yield from _tags(shape)
    yield from _secrets(shape)


def _parameter_file(infra: Path) -> Iterator[str]:
    """main.parameters.json passes declared parameters only, and every required one; azd asks the user for the rest."""
    path = infra / "main.parameters.json"
    given = set(json.loads(path.read_text(encoding="utf-8"))["parameters"])
    declared = set(_PARAMETER.findall((infra / "main.bicep").read_text(encoding="utf-8")))
    yield from (f"{path.name} lacks {name}" for name in sorted(declared - given))
    yield from (f"{path.name} gives {name}, which main.bicep does not declare" for name in sorted(given - declared))


def app_settings(shape: Shape) -> dict[str, Any]:
    """The app settings of a shape."""
    found = [each.properties for each in shape.of("Microsoft.Web/sites/config") if each.last_name == "appsettings"]
    return dict(found[0]) if found else {}


def settings_read() -> set[str]:
    """The names of the settings that the app reads, found by letting it read an environment that records them."""
    asked = _Asked()
    try:
        Settings.from_env(asked)
    except InvalidConfiguration:
        # Nothing is set, so the settings are refused; only the recorded names matter.
        return {name for name in asked.names if CONNECTION not in name}
    return set()


class _Asked(dict[str, str]):
    """An empty environment that records which names are looked up."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, key: str, default: Any = None, /) -> Any:
        self.names.add(key)
        return default


def _setting_names(settings: Mapping[str, Any]) -> Iterator[str]:
    expected = settings_read() | _CONNECTION_SETTINGS | PLATFORM_SETTINGS
    yield from (f"setting {name} is not set" for name in sorted(expected - settings.keys()))
    unread = settings.keys() - expected - TELEMETRY_SETTINGS
    yield from (f"setting {name} is set but never read" for name in sorted(unread))


def _setting_values(settings: Mapping[str, Any], *, defaults: bool) -> Iterator[str]:
    """A shape's values must pass the app's own rules and, without parameters, agree with its defaults."""
    platform = PLATFORM_SETTINGS | TELEMETRY_SETTINGS
    env = {name: _text(value) for name, value in settings.items() if name not in platform}
    try:
        whole = Settings.from_env(env)
    except InvalidConfiguration as fault:
        yield from (f"setting {problem}" for problem in fault.problems)
        return
    for name in sorted(env.keys() - _CONNECTION_SETTINGS - {"AZURE_CLIENT_ID"}) if defaults else ():
        if _without(env, name) not in {None, whole}:
            yield f"setting {name} differs from the app's default"


def _without(env: Mapping[str, str], name: str) -> Settings | None:
    """The settings without a given one, so that its default applies; None if it has no default."""
    try:
        return Settings.from_env({key: value for key, value in env.items() if key != name})
    except InvalidConfiguration:
        return None


def _text(value: Any) -> str:
    return next((known for ending, known in STAND_INS.items() if str(value).endswith(ending)), str(value))


def _queues_and_tables(shape: Shape, settings: Mapping[str, Any]) -> Iterator[str]:
    inputs = [settings.get("REQUEST_QUEUE_NAME"), settings.get("JOB_COMPLETION_QUEUE_NAME")]
    queues = {*inputs, *(f"{name}{POISON_SUFFIX}" for name in inputs), settings.get("RESULT_QUEUE_NAME")}
    yield from _difference("queue", queues, shape.of(QUEUES))
    tables = {settings.get("REQUEST_TABLE_NAME"), settings.get("DEAD_LETTER_TABLE_NAME")}
    yield from _difference("table", tables, shape.of(TABLES))


def _difference(kind: str, used: set[Any], resources: list[Resource]) -> Iterator[str]:
    created = {resource.last_name for resource in resources}
    yield from (f"{kind} {name} is used and not created" for name in sorted(used - created, key=str))
    yield from (f"{kind} {name} is created and not used" for name in sorted(created - used, key=str))


def _sample(settings: Mapping[str, Any], sample: Path) -> Iterator[str]:
    """Queues and tables have the same names on the local stack and in Azure, so that nobody has to translate."""
    local = json.loads(sample.read_text(encoding="utf-8"))["Values"]
    for name, value in sorted(local.items()):
        if name.endswith(("_QUEUE_NAME", "_TABLE_NAME")) and settings.get(name) != value:
            yield f"{name} is {value} in {sample.name} and {settings.get(name)} in the template"


def _runtime(shape: Shape, versions: Path) -> Iterator[str]:
    """The deployed Python is the version that the repository is developed with (the first in .python-version)."""
    developed = versions.read_text(encoding="utf-8").split()[0]
    for site in shape.of("Microsoft.Web/sites"):
        runtime = site.properties["functionAppConfig"]["runtime"]
        if runtime != {"name": "python", "version": developed}:
            yield f"the runtime is {runtime['name']} {runtime['version']}, not python {developed}"


def _roles(shape: Shape) -> Iterator[str]:
    """Every role assignment is one that pinned.py lists for its principal, and the app has all of its roles."""
    name, batch_role = BATCH_ROLE
    # Without role assignments on the Batch accounts, an output has the commands that make them.
    wanted = (
        APP_ROLES if batch_role in str(shape.outputs.get("BATCH_ROLE_COMMANDS")) else {**APP_ROLES, name: batch_role}
    )
    held: set[str] = set()
    for assignment in shape.of(ASSIGNMENTS):
        (role,) = _GUID.findall(assignment.properties["roleDefinitionId"])[-1:]
        is_app = APP_PRINCIPAL.search(assignment.properties["principalId"]) is not None
        held |= {role} if is_app else set()
        if role not in (wanted if is_app else CALLER_ROLES).values():
            yield f"role {role} is given, which is not pinned for that principal"
    yield from (f"the app does not get the role {name}" for name, role in wanted.items() if role not in held)


def _tags(shape: Shape) -> Iterator[str]:
    """Every resource with a location has the tags, which azd and cost reports need to find it."""
    for resource in shape.resources:
        if resource.location and "azd-env-name" not in resource.tags:
            yield f"{resource.type} has no tags"


def _secrets(shape: Shape) -> Iterator[str]:
    for name, value in shape.outputs.items():
        if _SECRET.search(name) or _SECRET.search(str(value)):
            yield f"output {name} may be secret; outputs are kept in plain text"
