"""How the local host reads app settings and access keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from devstack.host.app_settings import AppSettings, load_settings
from devstack.host.errors import StartUpFailed
from devstack.host.keys import AccessKeys, keys_from
from devstack.http1 import Headers, Incoming


def test_the_environment_wins_over_the_settings_file(tmp_path: Path) -> None:
    """The environment wins over local.settings.json, as under the Core Tools."""
    path = tmp_path / "local.settings.json"
    path.write_text(json.dumps({"Values": {"A": "file", "B": "file"}}))
    settings = load_settings(path, {"A": "environment"})
    assert (settings.get("A"), settings.get("B")) == ("environment", "file")


def test_a_missing_file_leaves_the_environment_alone(tmp_path: Path) -> None:
    """Without a settings file, the environment alone is used."""
    assert load_settings(tmp_path / "none.json", {"A": "1"}).values == {"A": "1"}


@pytest.mark.parametrize("text", ["{", "[]", '{"Values": {"A": 1}}'])
def test_a_settings_file_that_is_not_what_the_tools_write_is_refused(tmp_path: Path, text: str) -> None:
    """A settings file that is malformed or has values that are not text is refused."""
    path = tmp_path / "local.settings.json"
    path.write_text(text)
    with pytest.raises(StartUpFailed, match=r"local\.settings\.json"):
        load_settings(path, {})


def test_placeholders_are_resolved_and_a_missing_one_is_a_fault() -> None:
    """`%NAME%` is replaced by the setting in any letter case; a missing one is an error."""
    settings = AppSettings({"Queue": "requests"})
    assert settings.resolve("%QUEUE%-x") == "requests-x"
    with pytest.raises(StartUpFailed, match="%OTHER%"):
        settings.resolve("%OTHER%")


def test_a_connection_is_looked_up_with_the_hosts_prefix_first() -> None:
    """A connection is looked up as `AzureWebJobs<name>`, then `<name>`; without a name, AzureWebJobsStorage."""
    settings = AppSettings({"AzureWebJobsOne": "prefixed", "One": "plain", "Two": "two", "AzureWebJobsStorage": "own"})
    assert settings.connection_string("One") == "prefixed"
    assert settings.connection_string("Two") == "two"
    assert settings.connection_string(None) == "own"


@pytest.mark.parametrize(
    ("values", "reason"),
    [({}, "missing"), ({"One__queueServiceUri": "https://a.queue.core.windows.net"}, "connection strings only")],
)
def test_a_connection_that_cannot_be_used_is_a_fault(values: dict[str, str], reason: str) -> None:
    """A connection that is missing, or uses an identity, stops the host from starting."""
    with pytest.raises(StartUpFailed, match=reason):
        AppSettings(values).connection_string("One")


KEYS = AccessKeys(required=True, function_key="f", master_key="m")


@pytest.mark.parametrize(
    ("level", "headers", "query", "refusal"),
    [
        ("anonymous", [], "", None),
        ("anonymous", ["wrong"], "", None),
        ("function", [], "", 401),
        ("function", ["wrong"], "", 401),
        ("function", ["f"], "", None),
        ("function", ["m"], "", None),
        ("function", [], "?code=f", None),
        ("function", [], "?CODE=f", None),
        ("function", ["wrong"], "?code=f", 401),
        ("function", [""], "?code=f", 401),
        ("function", ["f", "wrong"], "", None),
        ("function", ["wrong", "f"], "", 401),
        ("function", [], "?code=wrong&code=f", 401),
        ("admin", ["f"], "", 403),
        ("admin", ["wrong"], "", 401),
        ("admin", ["m"], "", None),
    ],
)
def test_keys_open_what_they_open_in_the_cloud(level: str, headers: list[str], query: str, refusal: int | None) -> None:
    """Keys in header or query open what they open in the cloud; the master key opens everything."""
    request = Incoming("GET", f"/api/x{query}", Headers([("X-Functions-Key", value) for value in headers]))
    assert KEYS.refusal(level, request) == refusal


def test_no_key_is_asked_for_by_default_and_none_can_be_empty() -> None:
    """By default no key is needed; asking for keys without having one is an error."""
    request = Incoming("GET", "/", Headers({}))
    assert AccessKeys(required=False).refusal("admin", request) is None
    with pytest.raises(StartUpFailed, match="HOST_FUNCTION_KEY"):
        keys_from(AppSettings({}), required=True)
    assert AccessKeys(required=True, function_key="f").refusal("admin", request) == 401
