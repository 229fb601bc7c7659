"""App settings as the host sees them: the environment overrides the settings file, and names ignore case."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devstack.host.errors import StartUpFailed

_PLACEHOLDER = re.compile(r"%([^%]+)%")
_DEFAULT_CONNECTION = "AzureWebJobsStorage"
# https://learn.microsoft.com/azure/azure-functions/functions-reference#configure-an-identity-based-connection
_IDENTITY_SUFFIXES = ("__accountName", "__queueServiceUri", "__serviceUri")


@dataclass(frozen=True)
class AppSettings:
    """The settings an app runs with."""

    values: Mapping[str, str]

    def get(self, name: str) -> str | None:
        """The value of a setting; None when it is absent or empty."""
        folded = name.lower()
        exact = self.values.get(name)
        if exact is not None:
            return exact or None
        return next((value for key, value in self.values.items() if key.lower() == folded), None) or None

    def resolve(self, text: str) -> str:
        """Replaces each `%NAME%` by its setting. Raises StartUpFailed for one that has no value."""

        def value_of(match: re.Match[str]) -> str:
            value = self.get(match[1])
            if value is None:
                raise StartUpFailed([f"'%{match[1]}%' does not resolve to a value: no such app setting"])
            return value

        return _PLACEHOLDER.sub(value_of, text)

    def connection_string(self, name: str | None) -> str:
        """The storage connection string that a binding's `connection` names.

        Looks for `AzureWebJobs<name>` first, then `<name>`, as the host does.
        Raises StartUpFailed when there is none, or only the identity form, which needs a cloud.
        """
        wanted = self.resolve(name) if name else _DEFAULT_CONNECTION
        for candidate in (f"AzureWebJobs{wanted}", wanted):
            value = self.get(candidate)
            if value is not None:
                return value
        identity = [wanted + suffix for suffix in _IDENTITY_SUFFIXES if self.get(wanted + suffix)]
        if identity:
            raise StartUpFailed([f"{identity[0]}: this host takes connection strings only, set {wanted}"])
        raise StartUpFailed([f"connection string '{wanted}' is missing from the app settings"])


def load_settings(path: Path, environment: Mapping[str, str]) -> AppSettings:
    """The `Values` of a local.settings.json with the environment on top; a missing file counts as empty.

    Raises StartUpFailed when the file is not what the tools write.
    """
    if not path.is_file():
        return AppSettings(dict(environment))
    try:
        values = json.loads(path.read_text(encoding="utf-8")).get("Values") or {}
    except (ValueError, AttributeError) as error:
        raise StartUpFailed([f"{path.name}: {error}"]) from error
    wrong = [name for name, value in values.items() if not isinstance(value, str)]
    if wrong:
        raise StartUpFailed([f"{path.name}: the value of {name} must be a string" for name in wrong])
    return AppSettings({**values, **environment})
