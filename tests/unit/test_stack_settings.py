"""The settings and environment that the local stack gives its parts."""

from __future__ import annotations

import socket

import pytest

from devstack.stack_settings import Ports, app_settings, free_port, inherited_environment, where_free


def test_what_was_chosen_wins() -> None:
    """A setting that a test chooses overrides the local stack's."""
    settings = app_settings("storage", "http://127.0.0.1:1", "http://127.0.0.1:2", {"BATCH_ACCOUNT_URLS": "http://x"})
    assert settings["BATCH_ACCOUNT_URLS"] == "http://x"
    assert settings["TaskDeleteStorage"] == "storage"
    assert settings["IDENTITY_ENDPOINT"] == "http://127.0.0.1:2/msi/token"


def test_a_developer_signs_in_without_the_local_identity() -> None:
    """DefaultAzureCredential asks a managed identity before the Azure CLI, and would get the local stack's token."""
    chosen = {"BATCH_CREDENTIAL": "developer"}
    settings = app_settings("storage", "http://127.0.0.1:1", "http://127.0.0.1:2", chosen)
    assert settings["BATCH_CREDENTIAL"] == "developer"
    assert [name for name in settings if name.startswith("IDENTITY_")] == []


def test_a_part_sees_nothing_of_the_shell_that_steers_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies, credentials and app settings of the shell do not reach the parts of the local stack."""
    for name in ("HTTPS_PROXY", "AZURE_CLIENT_ID", "BATCH_ACCOUNT_URLS", "IDENTITY_ENDPOINT", "REQUEST_QUEUE_NAME"):
        monkeypatch.setenv(name, "from the shell")
    environment = inherited_environment()
    assert "PATH" in environment
    assert "from the shell" not in environment.values()


def test_a_wanted_port_that_is_taken_gives_way_to_a_free_one() -> None:
    """A wanted port that is taken is replaced by a free one."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert where_free(Ports(batch=other.getsockname()[1])) == Ports(batch=0)
    free = free_port()
    assert where_free(Ports(batch=free)) == Ports(batch=free)
