"""The storage connection, read as the Functions host reads it for triggers and bindings."""

from __future__ import annotations

import pytest

from shared.storage.connection import StorageConnection, read_connection

KEY = "c2VjcmV0LWtleQ=="
STRING = f"DefaultEndpointsProtocol=https;AccountName=acct;AccountKey={KEY};EndpointSuffix=core.windows.net"
LOCAL = (
    f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={KEY};"
    "QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;TableEndpoint=http://127.0.0.1:10002/devstoreaccount1;"
)
IDENTITY = {
    "TaskDeleteStorage__queueServiceUri": "https://acct.queue.core.windows.net/",
    "TaskDeleteStorage__tableServiceUri": "https://acct.table.core.windows.net",
}
CLIENT = "0f0e0d0c-0b0a-0908-0706-050403020100"


def _read(env: dict[str, str]) -> StorageConnection:
    problems: list[str] = []
    connection = read_connection(env, problems)
    assert problems == []
    return connection


def _problems_of(env: dict[str, str]) -> list[str]:
    problems: list[str] = []
    read_connection(env, problems)
    assert problems
    assert not [problem for problem in problems if "s3cret" in problem or KEY in problem]
    return problems


@pytest.mark.parametrize(
    "text",
    [
        STRING,
        LOCAL,
        "UseDevelopmentStorage=true",
        "AccountName=acct;SharedAccessSignature=sv=2024-01-01&sig=abc%3D",
        "QueueEndpoint=https://a.example;TableEndpoint=https://b.example;SharedAccessSignature=sv=1&sig=x",
    ],
)
def test_a_connection_string_is_passed_on_as_it_is(text: str) -> None:
    """A connection string, with key, shared access signature or the emulator's short form, is passed on unchanged."""
    assert _read({"TaskDeleteStorage": text}) == StorageConnection(text.rstrip(";"))


@pytest.mark.parametrize(
    ("text", "passed_on"),
    [
        ("usedevelopmentstorage=TRUE;", "UseDevelopmentStorage=true"),
        (f";AccountName=acct;;AccountKey={KEY};;", f"AccountName=acct;AccountKey={KEY}"),
    ],
)
def test_what_the_host_reads_with_leniency_the_clients_get_in_one_spelling(text: str, passed_on: str) -> None:
    """The host skips empty parts and ignores case; the clients would raise, each for something else."""
    assert _read({"TaskDeleteStorage": text}) == StorageConnection(passed_on)


def test_a_connection_does_not_show_its_secret() -> None:
    """The representation of a connection does not show its key."""
    assert KEY not in repr(_read({"TaskDeleteStorage": STRING}))


def test_service_uris_stand_for_an_identity() -> None:
    """Service URIs without a client id mean the system-assigned identity."""
    assert _read(IDENTITY) == StorageConnection(
        queue_url="https://acct.queue.core.windows.net", table_url="https://acct.table.core.windows.net"
    )


def test_a_user_assigned_identity_has_a_client_id() -> None:
    """`__clientId` selects a user-assigned identity."""
    env = IDENTITY | {"TaskDeleteStorage__credential": "ManagedIdentity", "TaskDeleteStorage__clientId": CLIENT}
    assert _read(env).client_id == CLIENT


def test_an_account_name_wins_over_service_uris() -> None:
    """`__accountName` overrides service URIs, as in the host."""
    assert _read(IDENTITY | {"TaskDeleteStorage__accountName": "other1"}) == StorageConnection(
        queue_url="https://other1.queue.core.windows.net", table_url="https://other1.table.core.windows.net"
    )


def test_a_plain_value_wins_over_the_identity_form() -> None:
    """A connection string overrides the identity settings, as in the host."""
    assert _read(IDENTITY | {"TaskDeleteStorage": STRING}) == StorageConnection(STRING)


def test_the_host_s_prefix_is_looked_up_first() -> None:
    """Settings with the prefix `AzureWebJobs` override those without, as in the host."""
    assert _read({"TaskDeleteStorage": LOCAL, "AzureWebJobsTaskDeleteStorage": STRING}) == StorageConnection(STRING)
    prefixed = {f"AzureWebJobs{name}": value for name, value in IDENTITY.items()}
    assert _read({"TaskDeleteStorage": LOCAL} | prefixed) == _read(IDENTITY)


def test_an_empty_setting_counts_as_absent() -> None:
    """An empty connection setting counts as absent."""
    assert _read({"AzureWebJobsTaskDeleteStorage": "", "TaskDeleteStorage": STRING}) == StorageConnection(STRING)
    assert _read(IDENTITY | {"TaskDeleteStorage": "", "TaskDeleteStorage__clientId": ""}) == _read(IDENTITY)
    assert _read(IDENTITY | {"TaskDeleteStorage__credential": ""}) == _read(IDENTITY)


@pytest.mark.parametrize(
    "env", [{}, {"TaskDeleteStorage": ""}, {"TaskDeleteStorageX": "a"}, {"AzureWebJobsStorage": STRING}]
)
def test_the_connection_is_required(env: dict[str, str]) -> None:
    """The connection is required; the host's own AzureWebJobsStorage does not stand in for it."""
    [problem] = _problems_of(env)
    assert problem.startswith("TaskDeleteStorage is required")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("s3cret", "parts 'Name=value'"),
        ("AccountName=s3cret;AccountKey", "parts 'Name=value'"),
        (f"AccountName=s3cret; AccountKey={KEY}", "parts 'Name=value'"),
        ("UseDevelopmentStorage=false", "must have AccountName, or QueueEndpoint and TableEndpoint"),
        (f"QueueEndpoint=https://s3cret;AccountKey={KEY}", "must have AccountName, or QueueEndpoint and TableEndpoint"),
        ("AccountName=acct;AccountKey=s3cret!", "base64 AccountKey"),
        ("AccountName=acct", "base64 AccountKey"),
        (f"AccountName=acct;AccountKey={KEY};accountname=s3cret", "must not have the same part twice"),
        ("UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://s3cret", "no other part beside"),
        (f"AccountName=[s3cret;AccountKey={KEY}", "letters, digits and hyphens as AccountName"),
        (f"{STRING}/s3cret", "a host name such as core.windows.net as EndpointSuffix"),
        (LOCAL.replace("http://127.0.0.1:10001", "s3cret"), "a URL without query as QueueEndpoint"),
        (LOCAL.replace("127.0.0.1:10002", "s3cret..example"), "a URL without query as TableEndpoint"),
        (f"{STRING};TableEndpoint=https://a.example/?sv=s3cret", "a URL without query as TableEndpoint"),
        (f"{STRING};QueueSecondaryEndpoint=https://s3cret", "QueueEndpoint beside QueueSecondaryEndpoint"),
        (f"QueueEndpoint=https://a;TableEndpoint=https://b;AccountKey={KEY}", "must have AccountName with"),
    ],
)
def test_a_broken_connection_string_is_told_without_its_text(text: str, rule: str) -> None:
    """An invalid connection string is reported by setting and rule, without its text."""
    [problem] = _problems_of({"TaskDeleteStorage": text})
    assert problem.startswith("TaskDeleteStorage must ")
    assert rule in problem


@pytest.mark.parametrize(
    ("env", "names"),
    [
        ({"TaskDeleteStorage__queueServiceUri": IDENTITY["TaskDeleteStorage__queueServiceUri"]}, ["tableServiceUri"]),
        ({"TaskDeleteStorage__clientId": CLIENT}, ["queueServiceUri", "tableServiceUri"]),
        (IDENTITY | {"TaskDeleteStorage__queueServiceUri": "http://s3cret"}, ["queueServiceUri"]),
        (IDENTITY | {"TaskDeleteStorage__queueServiceUri": "https://acct..queue.example"}, ["queueServiceUri"]),
        (IDENTITY | {"TaskDeleteStorage__queueServiceUri": "https://a.example?sig=s3cret"}, ["queueServiceUri"]),
        (IDENTITY | {"TaskDeleteStorage__tableServiceUri": "https://u:s3cret@a.example"}, ["tableServiceUri"]),
        (IDENTITY | {"TaskDeleteStorage__credential": "s3cret", "TaskDeleteStorage__clientId": "x"}, ["credential", "clientId"]),
        ({"TaskDeleteStorage__accountName": "A.b"}, ["accountName"]),
    ],
)  # fmt: skip
def test_each_fault_of_the_identity_form_is_told(env: dict[str, str], names: list[str]) -> None:
    """Each missing or invalid identity setting is reported by its full name."""
    assert [problem.split(" ")[0] for problem in _problems_of(env)] == [f"TaskDeleteStorage__{name}" for name in names]
