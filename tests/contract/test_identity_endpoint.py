"""The local managed-identity endpoint, asked by the real azure-identity library and by raw requests."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ManagedIdentityCredential

from devstack import tokens
from devstack.batch import API_VERSION, BatchSimulator
from devstack.identity import IdentityEndpoint
from tests.stack_fixtures import BATCH_RESOURCE, BATCH_SCOPE

CLIENT_ID = "11111111-2222-3333-4444-555555555555"
QUERY = {"api-version": "2019-08-01", "resource": BATCH_RESOURCE}


@pytest.fixture
def credential(
    identity_endpoint: IdentityEndpoint, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ManagedIdentityCredential]:
    """A managed identity configured as on App Service."""
    for name, value in identity_endpoint.environment.items():
        monkeypatch.setenv(name, value)
    with ManagedIdentityCredential(retry_total=0) as made:
        yield made


def ask(endpoint: IdentityEndpoint, query: dict[str, str], header: str | None = None) -> requests.Response:
    """The endpoint's answer to a raw request."""
    headers = {"X-IDENTITY-HEADER": (endpoint.header if header is None else header).encode()}
    return requests.get(endpoint.environment["IDENTITY_ENDPOINT"], params=query, headers=headers, timeout=90)


def test_a_real_credential_gets_a_token_that_the_account_takes(
    credential: ManagedIdentityCredential, identity_endpoint: IdentityEndpoint, batch_simulator: BatchSimulator
) -> None:
    """For a scope with two slashes, azure-identity gets a token with one final slash, which the account accepts."""
    token = credential.get_token(BATCH_SCOPE)
    assert 3500 < token.expires_on - time.time() <= 3601
    assert [request.resource for request in identity_endpoint.requests] == [BATCH_RESOURCE]
    headers = {"Authorization": f"Bearer {token.token}"}
    jobs = requests.get(f"{batch_simulator.url}/jobs", params={"api-version": API_VERSION}, headers=headers, timeout=90)
    assert jobs.status_code == 200


def test_a_scope_with_one_slash_gives_a_token_that_the_account_refuses(
    credential: ManagedIdentityCredential, batch_simulator: BatchSimulator
) -> None:
    """A scope with one slash gives a token that the account refuses with 401, as in Azure."""
    token = credential.get_token("https://batch.core.windows.net/.default")
    headers = {"Authorization": f"Bearer {token.token}"}
    jobs = requests.get(f"{batch_simulator.url}/jobs", params={"api-version": API_VERSION}, headers=headers, timeout=90)
    assert jobs.status_code == 401


def test_the_answer_has_the_documented_fields(identity_endpoint: IdentityEndpoint) -> None:
    """The token answer has the documented fields; `expires_on` is Unix time as text, matching the token."""
    document = ask(identity_endpoint, {**QUERY, "client_id": CLIENT_ID}).json()
    assert set(document) == {"access_token", "expires_on", "resource", "token_type", "client_id"}
    assert document["client_id"] == CLIENT_ID
    claims = tokens.verify(document["access_token"], tokens.DEFAULT_SIGNING_KEY)
    assert (claims["aud"], claims["iss"], str(claims["exp"])) == (BATCH_RESOURCE, tokens.ISSUER, document["expires_on"])


@pytest.mark.parametrize("header", ["", "wrong", "örtlich"])
def test_without_the_right_header_there_is_no_token(identity_endpoint: IdentityEndpoint, header: str) -> None:
    """Without the secret identity header, the endpoint answers 401 and gives no token."""
    assert ask(identity_endpoint, QUERY, header).status_code == 401
    assert identity_endpoint.requests == []


@pytest.mark.parametrize(
    "query",
    [{"resource": BATCH_RESOURCE}, {"api-version": "2017-09-01", "resource": "x"}, {"api-version": "2019-08-01"}],
)
def test_an_incomplete_request_is_refused(identity_endpoint: IdentityEndpoint, query: dict[str, str]) -> None:
    """A token request without resource, or with a missing or other api-version, is refused with 400."""
    assert ask(identity_endpoint, query).status_code == 400


def test_an_identity_that_does_not_exist_is_refused() -> None:
    """If user-assigned identities are listed, a request for any other is refused with 400."""
    with IdentityEndpoint(client_ids=(CLIENT_ID,)) as endpoint:
        assert ask(endpoint, {**QUERY, "client_id": CLIENT_ID}).status_code == 200
        assert ask(endpoint, {**QUERY, "client_id": "other"}).status_code == 400


def test_a_fault_ends_after_its_times(identity_endpoint: IdentityEndpoint) -> None:
    """A simulated fault, an error status or an unusable body, ends after the given number of answers."""
    identity_endpoint.fault(status=500, times=2)
    assert [ask(identity_endpoint, QUERY).status_code for _ in range(3)] == [500, 500, 200]
    requests.post(f"{identity_endpoint.url}/_control/fault", json={"body": "<html>", "times": 1}, timeout=90)
    assert [ask(identity_endpoint, QUERY).text[:6] == "<html>" for _ in range(2)] == [True, False]


def test_a_real_credential_reports_a_refusal(
    credential: ManagedIdentityCredential, identity_endpoint: IdentityEndpoint
) -> None:
    """azure-identity raises an authentication error, whatever status the endpoint used."""
    identity_endpoint.fault(status=400)
    with pytest.raises(ClientAuthenticationError):
        credential.get_token(BATCH_SCOPE)


def test_the_lifetime_of_tokens_can_be_set(identity_endpoint: IdentityEndpoint) -> None:
    """New tokens get the lifetime that was set, so a test of expiry need not wait an hour."""
    requests.post(f"{identity_endpoint.url}/_control/lifetime", json={"seconds": 2}, timeout=90)
    assert int(ask(identity_endpoint, QUERY).json()["expires_on"]) <= time.time() + 2
