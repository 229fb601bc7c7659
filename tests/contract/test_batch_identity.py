"""Tokens from the real azure-identity library: from the local identity endpoint to the simulated account."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

import pytest

from devstack.batch import BatchSimulator
from devstack.identity import IdentityEndpoint
from shared.batch.tokens import TokenSource, normalised_scope
from shared.clock import SystemClock
from shared.errors import TokenUnavailable
from shared.wiring.credentials import SharedCredential, credential_factory
from tests.contract.batch_calls import client, deletion, within

SCOPE = "https://batch.core.windows.net//.default"
USER_ASSIGNED = "11111111-2222-3333-4444-555555555555"


@dataclass(frozen=True)
class Choice:
    """The settings that choose a credential."""

    batch_credential: str = "managed_identity"
    client_id: str | None = None


@pytest.fixture(autouse=True)
def _platform(identity_endpoint: IdentityEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in identity_endpoint.environment.items():
        monkeypatch.setenv(name, value)


def source(choice: Choice | None = None, scope: str = SCOPE) -> TokenSource:
    """A token source with the credential that the app uses."""
    return TokenSource(credential_factory(choice or Choice()), normalised_scope(scope), SystemClock())


@pytest.mark.parametrize("scope", [SCOPE, "https://batch.core.windows.net/.default"])
def test_the_endpoint_is_asked_for_batch_with_its_slash(identity_endpoint: IdentityEndpoint, scope: str) -> None:
    """Tokens are requested for Batch's resource with its final slash, whichever way the scope is spelled."""
    source(scope=scope).token()
    [asked] = identity_endpoint.requests
    assert (asked.resource, asked.client_id) == ("https://batch.core.windows.net/", None)


@pytest.mark.parametrize("credential", ["managed_identity", "developer"])
def test_a_user_assigned_identity_is_named(identity_endpoint: IdentityEndpoint, credential: str) -> None:
    """The client id from the settings is passed to the identity endpoint."""
    source(Choice(credential, USER_ASSIGNED)).token()
    assert identity_endpoint.requests[-1].client_id == USER_ASSIGNED


def test_the_account_takes_the_token(batch_simulator: BatchSimulator, identity_endpoint: IdentityEndpoint) -> None:
    """The account accepts the token that azure-identity got, and three deletions share one token request."""
    batch_simulator.seed(id="job1", tasks=["a", "b", "c"])
    caller = client(batch_simulator.url, source())
    statuses = [caller.delete(deletion(batch_simulator.url, task_id=t), within(10)).status for t in "abc"]
    assert (statuses, len(identity_endpoint.requests)) == ([200] * 3, 1)


def test_a_revoked_token_is_replaced(batch_simulator: BatchSimulator, identity_endpoint: IdentityEndpoint) -> None:
    """If Batch revokes a token, the call gets a new one past azure-identity's cache and succeeds."""
    batch_simulator.seed(id="job1", tasks=["a", "b"])
    caller = client(batch_simulator.url, source())
    caller.delete(deletion(batch_simulator.url, task_id="a"), within(10))
    batch_simulator.revoke_tokens()
    reply = caller.delete(deletion(batch_simulator.url, task_id="b"), within(10))
    assert (reply.status, len(identity_endpoint.requests)) == (200, 2)
    assert [entry.status for entry in batch_simulator.deletes("b")] == [401, 200]


def test_cold_threads_ask_once(identity_endpoint: IdentityEndpoint) -> None:
    """Twelve threads that need the first token at the same time make one token request."""
    identity_endpoint.fault(delay_seconds=0.2)
    tokens = source()
    got: list[str] = []
    threads = [threading.Thread(target=lambda: got.append(tokens.token())) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (len(got), len(set(got)), len(identity_endpoint.requests)) == (12, 1, 1)


@pytest.mark.parametrize("status", [400, 403, 429, 500, 503])
def test_a_refusing_endpoint_is_asked_once(identity_endpoint: IdentityEndpoint, status: int) -> None:
    """If the identity endpoint refuses, azure-identity does not retry: there is one request and TokenUnavailable."""
    identity_endpoint.fault(status=status)
    with pytest.raises(TokenUnavailable):
        source().token()
    assert len(identity_endpoint.requests) == 1


def test_an_endpoint_that_is_down_costs_little(identity_endpoint: IdentityEndpoint) -> None:
    """If the identity endpoint is down, asking for a token fails within four seconds."""
    source().token()
    identity_endpoint.stop()
    began = time.monotonic()
    with pytest.raises(TokenUnavailable):
        source().token()
    assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    "body", ['{"access_token": "s3cret", ', '{"access_token": "s3cret"}', "s3cret", '["s3cret"]', ""]
)
def test_a_broken_answer_is_not_quoted(
    identity_endpoint: IdentityEndpoint, caplog: pytest.LogCaptureFixture, body: str
) -> None:
    """A malformed answer of the identity endpoint is quoted neither in the error nor in the log."""
    caplog.set_level(logging.INFO)
    identity_endpoint.fault(body=body)
    with pytest.raises(TokenUnavailable) as caught:
        source().token()
    assert "s3cret" not in f"{caught.value}{caplog.text}"
    assert "token_unavailable" in caplog.text


def test_a_missing_endpoint_fails_at_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an identity endpoint the app starts, and fails with a clear error when it needs a token."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token")
    tokens = source()
    with pytest.raises(TokenUnavailable, match="no token from the identity endpoint: it could not be reached"):
        tokens.token()


def test_storage_asks_for_its_token_once(identity_endpoint: IdentityEndpoint) -> None:
    """32 threads that need the first storage token at the same time make one token request."""
    credential = SharedCredential(credential_factory(Choice()), SystemClock())
    identity_endpoint.fault(delay_seconds=0.2)
    threads = [
        threading.Thread(target=credential.get_token, args=("https://storage.azure.com/.default",)) for _ in "x" * 32
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [asked.resource for asked in identity_endpoint.requests] == ["https://storage.azure.com"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_refusal_is_forgotten_whatever_it_asks_for(identity_endpoint: IdentityEndpoint, status: int) -> None:
    """A refusal with `Retry-After: 3600` does not block the next token request once the endpoint works again."""
    tokens = source()
    identity_endpoint.fault(status=status, retry_after="3600")
    with pytest.raises(TokenUnavailable):
        tokens.token()
    identity_endpoint.behave()
    assert tokens.token()


def test_an_endpoint_in_trouble_is_described_in_words(identity_endpoint: IdentityEndpoint) -> None:
    """If the identity endpoint answers with HTML, the error says so in words, not as JSONDecodeError."""
    identity_endpoint.fault(status=500, body="<html>")
    with pytest.raises(TokenUnavailable, match="its answer was not JSON, so most likely an error of the endpoint"):
        source().token()
