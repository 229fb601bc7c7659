"""Whether what is deployed is what the app and its callers rely on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from scripts.infra_check.evaluation import Resource, Unknown
from scripts.infra_check.pinned import APP_ROLES, CALLER_ROLES, PLATFORM_SETTINGS
from scripts.infra_check.template import BicepFile
from shared.errors import InvalidConfiguration
from shared.settings import POISON_SUFFIX, Settings
from shared.storage.connection import NAME as CONNECTION

QUEUES = "Microsoft.Storage/storageAccounts/queueServices/queues"
TABLES = "Microsoft.Storage/storageAccounts/tableServices/tables"
ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"

_CONNECTION_SETTINGS = {
    f"{CONNECTION}__{part}" for part in ("queueServiceUri", "tableServiceUri", "credential", "clientId")
}
_APP_PRINCIPAL = Unknown("identity.outputs.principalId")
_SECRET = re.compile(r"secret|password|connection_?string|token|credential|key|\blist", re.IGNORECASE)
# What a deployment knows and the template does not, in a form that the app's own rules accept.
_STAND_INS = {
    "BATCH_ACCOUNT_URLS": "https://account.region.batch.azure.com",
    f"{CONNECTION}__queueServiceUri": "https://account.queue.core.windows.net/",
    f"{CONNECTION}__tableServiceUri": "https://account.table.core.windows.net/",
}
_SOME_GUID = "00000000-0000-4000-8000-000000000000"


def problems(files: Iterable[BicepFile], resources: list[Resource], root: Path) -> Iterator[str]:
    """One sentence for each promise that the templates do not keep; `root` is the app's folder."""
    settings = app_settings(resources)
    yield from _setting_names(settings)
    yield from _setting_values(settings)
    yield from _queues_and_tables(resources, settings)
    yield from _sample(settings, root / "local.settings.sample.json")
    yield from _runtime(resources, root / ".python-version")
    yield from _roles(resources)
    yield from _secrets(files)


def app_settings(resources: list[Resource]) -> dict[str, Any]:
    """The app settings as deployed with all defaults."""
    found = [
        resource.config["properties"]
        for resource in resources
        if resource.type == "Microsoft.Web/sites/config" and resource.config["name"] == "appsettings"
    ]
    return dict(found[0]) if found else {}


def settings_read() -> set[str]:
    """The names of the settings that the app asks for, by letting it ask."""
    asked = _Asked()
    try:
        Settings.from_env(asked)
    except InvalidConfiguration:
        # Nothing is set, so much is wrong; what counts is what was looked for.
        return {name for name in asked.names if CONNECTION not in name}
    return set()


class _Asked(dict[str, str]):
    """An empty environment that remembers what was looked up in it."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, key: str, default: Any = None, /) -> Any:
        self.names.add(key)
        return default


def _setting_names(settings: Mapping[str, Any]) -> Iterator[str]:
    expected = settings_read() | _CONNECTION_SETTINGS | PLATFORM_SETTINGS
    yield from (f"setting {name} is not set" for name in sorted(expected - settings.keys()))
    yield from (f"setting {name} is set and nobody reads it" for name in sorted(settings.keys() - expected))


def _setting_values(settings: Mapping[str, Any]) -> Iterator[str]:
    """The template's values must pass the app's own rules and agree with its defaults."""
    env = {name: _text(name, value) for name, value in settings.items() if name not in PLATFORM_SETTINGS}
    try:
        whole = Settings.from_env(env)
    except InvalidConfiguration as fault:
        yield from (f"setting {problem}" for problem in fault.problems)
        return
    for name in sorted(env.keys() - _CONNECTION_SETTINGS - {"AZURE_CLIENT_ID"}):
        if _without(env, name) not in {None, whole}:
            yield f"setting {name} differs from the app's default"


def _without(env: Mapping[str, str], name: str) -> Settings | None:
    """The settings when one is left to its default; None when it has none."""
    try:
        return Settings.from_env({key: value for key, value in env.items() if key != name})
    except InvalidConfiguration:
        return None


def _text(name: str, value: Any) -> str:
    return _STAND_INS.get(name, _SOME_GUID) if isinstance(value, Unknown) else str(value)


def _queues_and_tables(resources: list[Resource], settings: Mapping[str, Any]) -> Iterator[str]:
    inputs = [settings.get("REQUEST_QUEUE_NAME"), settings.get("JOB_COMPLETION_QUEUE_NAME")]
    queues = {*inputs, *(f"{name}{POISON_SUFFIX}" for name in inputs), settings.get("RESULT_QUEUE_NAME")}
    yield from _difference("queue", queues, _names(resources, QUEUES))
    tables = {settings.get("REQUEST_TABLE_NAME"), settings.get("DEAD_LETTER_TABLE_NAME")}
    yield from _difference("table", tables, _names(resources, TABLES))


def _difference(kind: str, used: set[Any], created: set[Any]) -> Iterator[str]:
    yield from (f"{kind} {name} is used and not created" for name in sorted(used - created, key=str))
    yield from (f"{kind} {name} is created and not used" for name in sorted(created - used, key=str))


def _names(resources: list[Resource], kind: str) -> set[Any]:
    return {resource.config["name"] for resource in resources if resource.type == kind and not resource.existing}


def _sample(settings: Mapping[str, Any], sample: Path) -> Iterator[str]:
    """A newcomer meets the same names on the laptop and in the cloud."""
    local = json.loads(sample.read_text(encoding="utf-8"))["Values"]
    for name, value in sorted(local.items()):
        if name.endswith(("_QUEUE_NAME", "_TABLE_NAME")) and settings.get(name) != value:
            yield f"{name} is {value} in {sample.name} and {settings.get(name)} in the template"


def _runtime(resources: list[Resource], versions: Path) -> Iterator[str]:
    """The deployed Python is the first one that the repository is developed with."""
    developed = versions.read_text(encoding="utf-8").split()[0]
    for resource in resources:
        if resource.type == "Microsoft.Web/sites" and not resource.existing:
            runtime = resource.config["properties"]["functionAppConfig"]["runtime"]
            if runtime != {"name": "python", "version": developed}:
                yield f"{resource.file}: the runtime is {runtime['name']} {runtime['version']}, not python {developed}"


def _roles(resources: list[Resource]) -> Iterator[str]:
    held: set[str] = set()
    for resource in resources:
        if resource.type == ASSIGNMENTS:
            role = str(resource.config["properties"]["roleDefinitionId"]).rpartition("/")[2]
            is_app = resource.config["properties"]["principalId"] == _APP_PRINCIPAL
            allowed = APP_ROLES if is_app else CALLER_ROLES
            held |= {role} if is_app else set()
            if role not in allowed.values():
                yield f"{resource.file}: {resource.symbol} gives role {role}, which is not pinned for that principal"
    yield from (f"the app does not get the role {name}" for name, role in APP_ROLES.items() if role not in held)


def _secrets(files: Iterable[BicepFile]) -> Iterator[str]:
    """Outputs of modules count too: they stay readable in the resource group's list of deployments."""
    for file in files:
        for name, output in file.outputs.items():
            if _SECRET.search(name) or _SECRET.search(str(output["value"])):
                yield f"{file.path.name}: output {name} may be secret; outputs are kept in plain text"
