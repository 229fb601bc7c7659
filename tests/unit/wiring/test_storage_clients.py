"""The storage clients: which account they use, and with which identity."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

from shared.errors import TokenUnavailable
from shared.settings import Settings
from shared.wiring.storage_clients import queue_service, table_service
from tests.fakes.app import ENVIRONMENT

BY_IDENTITY = {name: text for name, text in ENVIRONMENT.items() if name != "TaskDeleteStorage"} | {
    "TaskDeleteStorage__accountName": "acct",
    "TaskDeleteStorage__credential": "managedidentity",
}
CLIENT = "0f0e0d0c-0b0a-0908-0706-050403020100"


@pytest.fixture
def known_as(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The client ids for which a managed identity was created, in order."""
    asked: list[str | None] = []
    made = ManagedIdentityCredential.__init__

    def watched(self: ManagedIdentityCredential, **options: Any) -> None:
        asked.append(options.get("client_id"))
        made(self, **options)

    monkeypatch.setattr(ManagedIdentityCredential, "__init__", watched)
    return asked


@pytest.mark.parametrize("client_id", [None, CLIENT])
def test_an_account_by_name_is_reached_by_managed_identity(known_as: list[str | None], client_id: str | None) -> None:
    """An account given by name is reached at its public hosts, with the connection's managed identity."""
    env = BY_IDENTITY | ({"TaskDeleteStorage__clientId": client_id} if client_id else {})
    settings = Settings.from_env(env)
    assert table_service(settings).url == "https://acct.table.core.windows.net"
    assert queue_service(settings).url.rstrip("/") == "https://acct.queue.core.windows.net"
    with pytest.raises(TokenUnavailable):
        queue_service(settings).credential.get_token("https://storage.azure.com/.default")
    assert known_as == [client_id]


def test_a_developer_is_found_where_developers_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `BATCH_CREDENTIAL=developer`, storage is reached as the signed-in developer."""
    settings = Settings.from_env(BY_IDENTITY | {"BATCH_CREDENTIAL": "developer"})
    asked: list[str] = []

    def nobody(_: object, scope: str) -> None:
        asked.append(scope)
        raise ClientAuthenticationError("nobody is signed in")

    monkeypatch.setattr(DefaultAzureCredential, "get_token", nobody)
    with pytest.raises(TokenUnavailable):
        queue_service(settings).credential.get_token("https://storage.azure.com/.default")
    assert asked == ["https://storage.azure.com/.default"]
