"""`make test-clients`: generated and official clients run against the local stack.

Each is generated, compiled and run as its users would. The last lines name what this machine lacks.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import requests

from devstack.azurite.install import Node, ensure_installed, find_node
from devstack.stack import ROOT, Stack
from tests.clients.page import JOBS, has_az, samples

HERE = Path(__file__).parent
GENERATED = HERE / "generated"
DESCRIPTION = GENERATED / "openapi.json"
TOOLS = HERE / "node_modules" / ".bin"
STAMP = HERE / "node_modules" / ".installed-from"
POLICIES = '[{"name": "swept", "jobs": "swept-*", "deleteAfter": "PT0S"}]'
KEY = "a-key-of-the-local-stack"
SECONDS = 900
DOTNET_TOOLS = {"NSwag": "nswag", "Kiota": "kiota"}
PROGRAMS = ("openapi-typescript", "hey-api", "cloudevents", "storage-queue", "azure-batch")


class Failed(Exception):
    """Raised when a client does not work with the app; the text is the client's own."""


def main() -> int:
    """Runs all clients; returns 0 if every one works with the app."""
    node = _node()
    _install(node)
    shutil.rmtree(GENERATED, ignore_errors=True)
    GENERATED.mkdir()
    settings = {"HOST_FUNCTION_KEY": KEY, "RETENTION_POLICIES": POLICIES, "BATCH_RETRY_BASE_SECONDS": "0.5"}
    with Stack(ROOT, env=settings, host_options=["--enable-auth"]) as stack:
        answer = requests.get(f"{stack.http_url}/api/openapi.json", headers={"x-functions-key": KEY}, timeout=60)
        answer.raise_for_status()
        DESCRIPTION.write_text(answer.text)
        requests.post(f"{stack.batch_url}/_control/jobs", json=JOBS, timeout=60).raise_for_status()
        failed = [name for name, command in _steps(node) if not _passes(name, command, _environment(stack))]
    if missing := _missing():
        _say(f"not run, as they are not on this machine: {', '.join(missing)}")
    _say(f"failed: {', '.join(failed)}" if failed else "every client gets on with the app")
    return 1 if failed else 0


def _steps(node: Node) -> list[tuple[str, list[str]]]:
    """The steps, in their order."""
    lint = [
        ("redocly", _tool(node, "redocly", "lint", "--max-problems=50", "--config=redocly.yaml", str(DESCRIPTION))),
        (
            "spectral",
            _tool(node, "spectral", "lint", "--fail-severity=hint", "--ruleset=.spectral.yaml", str(DESCRIPTION)),
        ),
    ]
    generate = [
        (
            "openapi-typescript (types)",
            _tool(node, "openapi-typescript", str(DESCRIPTION), "-o", "generated/schema.d.ts"),
        ),
        ("hey-api (client)", _tool(node, "openapi-ts", "-i", "./generated/openapi.json", "-o", "generated/hey-api")),
        ("tsc --strict", _tool(node, "tsc", "-p", ".")),
    ]
    run = [(name, [node.program, f"generated/compiled/programs/{name}.js"]) for name in PROGRAMS]
    python = [("azure-batch (Python)", [sys.executable, "programs/azure_batch.py"])]
    return [*lint, *generate, *run, *python, *samples(GENERATED / "page", node.program), *_for_dotnet()]


def _tool(node: Node, name: str, *arguments: str) -> list[str]:
    return [node.program, str((TOOLS / name).resolve()), *arguments]


def _environment(stack: Stack) -> dict[str, str]:
    queues = {
        name: stack.env[name] for name in ("REQUEST_QUEUE_NAME", "JOB_COMPLETION_QUEUE_NAME", "RESULT_QUEUE_NAME")
    }
    return {
        **os.environ,
        **queues,
        "FUNCTION_URL": stack.http_url,
        "FUNCTION_KEY": KEY,
        "BATCH_CONTROL_URL": f"{stack.batch_url}/_control",
        "STORAGE": stack.connection_string,
        "NO_COLOR": "1",
        "REDOCLY_TELEMETRY": "off",
    }


def _passes(name: str, command: list[str], environment: dict[str, str]) -> bool:
    """Runs one step; a warning counts as a failure."""
    ended = subprocess.run(
        command, cwd=HERE, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    said = ended.stdout + ended.stderr
    passed = ended.returncode == 0 and "Warning was generated" not in said
    _say(f"{'ok    ' if passed else 'FAILED'}  {name}")
    if not passed:
        _say(said.rstrip())
    return passed


def _node() -> Node:
    ensure_installed()
    node = find_node()
    if node is None:
        raise Failed("there is no Node")
    return node


def _install(node: Node) -> None:
    """Installs the packages of the lock file, once per state of it; none needs its install script."""
    wanted = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    _say("installing the clients from npm, once, which takes about a minute")
    command = [*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(command, cwd=HERE, timeout=SECONDS, check=True)
    STAMP.write_text(wanted)


def _missing() -> list[str]:
    """The tools missing from the search path: generators for .NET, from its SDK, and the Azure CLI."""
    missing = [f"{name} ({tool})" for name, tool in DOTNET_TOOLS.items() if shutil.which(tool) is None]
    return missing if has_az() else [*missing, "the samples of the Azure CLI (az)"]


def _for_dotnet() -> list[tuple[str, list[str]]]:
    """Runs the .NET generators that are installed; their output is not compiled."""
    options = ["/generateExceptionClasses:true", "/jsonLibrary:SystemTextJson", "/generateNullableReferenceTypes:true"]
    nswag = ["nswag", "openapi2csclient", f"/input:{DESCRIPTION}", "/output:generated/Nswag.cs", *options]
    kiota = ["kiota", "generate", "-l", "csharp", "-d", str(DESCRIPTION), "-o", "generated/kiota", "-n", "App"]
    commands = {"NSwag": nswag, "Kiota": kiota}
    return [(name, command) for name, command in commands.items() if shutil.which(DOTNET_TOOLS[name])]


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
