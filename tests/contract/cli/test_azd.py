"""`--azd`: the app of the current azd environment; small programs stand in for `azd` and `az`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.contract.cli.command import Command
from tests.contract.cli.played_app import PlayedApp

KEY = "default-key-of-the-app=="
VALUES = {"AZURE_RESOURCE_GROUP": "rg-batch", "AZURE_FUNCTION_NAME": "func-batch"}


class Tools:
    """A folder on the search path with stand-ins for `azd` and `az` that record how they were called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.called = folder / "called"

    def put(self, name: str, prints: str, code: int = 0) -> None:
        """Writes a program that prints a text, on standard error if its exit code is not 0."""
        path = self.folder / name
        (self.folder / f"{name}.txt").write_text(prints)
        to = "" if code == 0 else " >&2"
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> "{self.called}"\n/bin/cat "{path}.txt"{to}\nexit {code}\n')
        path.chmod(0o755)

    def environment(self, **values: str) -> None:
        """Sets what `azd env get-values` prints."""
        self.put("azd", "".join(f'{name}="{value}"\n' for name, value in values.items()))


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    """The stand-ins, with nothing else on the search path."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return Tools(tmp_path)


@pytest.fixture
def healthy(app: PlayedApp, tools: Tools) -> PlayedApp:
    """A healthy app that the azd environment names."""
    app.routes["GET /health"] = {"status": "ok", "checks": {}}
    tools.environment(FUNCTION_URL=app.url, OTHER='with \\"quotes\\"', **VALUES)
    tools.put("az", json.dumps(KEY))
    return app


def test_the_address_is_azds_and_the_key_is_azs(healthy: PlayedApp, command: Command, tools: Tools) -> None:
    """With `--azd`, the app's address comes from azd and its key from az, and the key is never shown."""
    ended = command("--azd", "health")
    assert ended.code == 0
    assert healthy.calls[0].incoming.headers.get("x-functions-key") == KEY
    azd, az = tools.called.read_text().splitlines()
    assert azd == "azd env get-values"
    assert az.startswith("az functionapp keys list --resource-group rg-batch --name func-batch")
    assert KEY not in ended.out + ended.err


def test_azd_comes_before_the_environment(
    healthy: PlayedApp, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--azd` takes precedence over address and key in environment variables."""
    monkeypatch.setenv("BATCH_TASK_DELETION_URL", "https://other.example")
    monkeypatch.setenv("BATCH_TASK_DELETION_KEY", "another-key")
    assert command("health", "--azd").code == 0
    assert healthy.calls[0].incoming.headers.get("x-functions-key") == KEY


def test_all_keys_are_read_where_az_prints_all(healthy: PlayedApp, command: Command, tools: Tools) -> None:
    """If az prints all keys of the app, the command sends the default function key and never the master key."""
    tools.put("az", json.dumps({"functionKeys": {"default": KEY, "other": "x"}, "masterKey": "master"}))
    assert command("health", "--azd").code == 0
    assert healthy.calls[0].incoming.headers.get("x-functions-key") == KEY


@pytest.mark.parametrize("more", [["--url", "https://a.example"], ["--key-file", "key"]])
def test_azd_goes_with_no_other_choice(healthy: PlayedApp, command: Command, more: list[str]) -> None:
    """`--azd` together with `--url` or `--key-file` is a usage error, code 2."""
    assert command("health", "--azd", *more).code == 2
    assert healthy.calls == []


@pytest.mark.parametrize("missing", ["FUNCTION_URL", "AZURE_RESOURCE_GROUP", "AZURE_FUNCTION_NAME"])
def test_an_environment_without_the_app_is_2(healthy: PlayedApp, command: Command, tools: Tools, missing: str) -> None:
    """If the azd environment lacks a value, the command ends with code 2 and names it."""
    values = {"FUNCTION_URL": healthy.url, **VALUES}
    del values[missing]
    tools.environment(**values)
    ended = command("health", "--azd")
    assert ended.code == 2
    assert missing in ended.err


def test_tools_that_are_not_there_are_named(command: Command, tools: Tools) -> None:
    """If azd or az is not installed, the command ends with code 2 and names the missing tool."""
    assert "--azd needs azd on the path" in command("health", "--azd").err
    tools.environment(FUNCTION_URL="https://a.example", **VALUES)
    ended = command("health", "--azd")
    assert ended.code == 2
    assert "--azd needs az on the path" in ended.err


def test_an_azd_without_an_environment_is_2(command: Command, tools: Tools) -> None:
    """If azd fails, the command ends with code 2 and shows azd's message with control characters escaped."""
    tools.put("azd", "ERROR: no \x1b[31mproject exists", 1)
    ended = command("health", "--azd")
    assert ended.code == 2
    assert "no \\x1b[31mproject exists" in ended.err


@pytest.mark.parametrize(("prints", "code"), [("ERROR: please run az login", 1), ("null", 0), ("{}", 0), ("", 0)])
def test_an_app_whose_key_is_not_given_is_3(
    healthy: PlayedApp, command: Command, tools: Tools, prints: str, code: int
) -> None:
    """If az gives no key, the command ends with code 3 and sends nothing."""
    tools.put("az", prints, code)
    assert command("health", "--azd").code == 3
    assert healthy.calls == []
