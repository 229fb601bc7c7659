"""`--azd`: finds the app of the current azd environment by running `azd` and `az`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass

from batch_task_deletion.faults import OutOfReach, Usage
from batch_task_deletion.keys import checked_key
from batch_task_deletion.text import escaped

_LONGEST_SECONDS = 120
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")
_WANTED = ("FUNCTION_URL", "AZURE_RESOURCE_GROUP", "AZURE_FUNCTION_NAME")


@dataclass(frozen=True)
class AzdApp:
    """The address of an azd environment's app, and its default key."""

    url: str
    key: str


def azd_app() -> AzdApp:
    """Runs both tools. Raises Usage without such an environment, OutOfReach if the key cannot be read."""
    values = env_values(_run(["azd", "env", "get-values"], Usage))
    missing = [name for name in _WANTED if not values.get(name)]
    if missing:
        raise Usage(f"the azd environment has no {', '.join(missing)}; `azd up` sets them")
    command = ["az", "functionapp", "keys", "list", "--resource-group", values["AZURE_RESOURCE_GROUP"]]
    command += ["--name", values["AZURE_FUNCTION_NAME"], "--query", "functionKeys.default", "--output", "json"]
    return AzdApp(values["FUNCTION_URL"], default_key(_run(command, OutOfReach)))


def env_values(text: str) -> dict[str, str]:
    """The values of the `NAME="value"` lines that `azd env get-values` prints."""
    found = {}
    for line in text.splitlines():
        if match := _LINE.fullmatch(line):
            found[match[1]] = _unquoted(match[2].strip())
    return found


def default_key(text: str) -> str:
    """The default function key in the output of `az`. Raises OutOfReach."""
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if isinstance(value, dict):
        keys = value.get("functionKeys")
        value = keys.get("default") if isinstance(keys, dict) else None
    if not isinstance(value, str) or not value.strip():
        raise OutOfReach("az functionapp keys list returned no key named default")
    return checked_key(value, "the output of az functionapp keys list")


def _unquoted(text: str) -> str:
    if len(text) < 2 or text[0] not in "\"'" or text[-1] != text[0]:
        return text
    inner = text[1:-1]
    return re.sub(r"\\(.)", r"\1", inner) if text[0] == '"' else inner


def _run(command: list[str], fault: type[Usage | OutOfReach]) -> str:
    name = " ".join(command[:4] if command[0] == "az" else command)
    program = shutil.which(command[0])  # on Windows, az is a command file
    if program is None:
        raise Usage(f"--azd needs {command[0]} on the path")
    try:
        # The arguments include text from azd only, and no shell interprets them.
        ended = subprocess.run(  # noqa: S603
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LONGEST_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as trouble:
        raise fault(f"{name} failed: {type(trouble).__name__}") from None
    if ended.returncode:
        said = " ".join((ended.stderr or ended.stdout).split())[-500:]
        raise fault(f"{name} exited with code {ended.returncode}: {escaped(said)}")
    return ended.stdout
