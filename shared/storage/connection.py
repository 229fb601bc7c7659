"""The connection to queues and tables, read exactly as the Functions host reads a binding's connection.

The host looks for `AzureWebJobs<name>` before `<name>`, prefers a plain value to the identity
form, and prefers `__accountName` to the service URIs (StorageClientProvider and
WebJobsConfigurationExtensions in the host's storage extensions). Any other reading could put
triggers and clients on different accounts.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.parsing import grammar

NAME = "TaskDeleteStorage"

_PREFIX = "AzureWebJobs"
_ACCOUNT_NAME = re.compile(r"[a-z0-9]{3,24}")
_HOST = r"(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}"
_PORT_AND_PATH = r"(?::[0-9]{1,5})?(?:/[A-Za-z0-9_-]{0,64}){0,2}"
# Bearer tokens are sent there, so https without exception, as in the SDK's own policy.
_SERVICE_URI = re.compile(rf"https://{_HOST}{_PORT_AND_PATH}")
_ENDPOINT = re.compile(rf"https?://(?:{_HOST}|\[[0-9A-Fa-f:.]+\]){_PORT_AND_PATH}")
_EMULATOR = "UseDevelopmentStorage=true"
_PART = re.compile(r"[A-Za-z][A-Za-z0-9]*=[!-~]+")
_FORMS = {
    "AccountName": (re.compile(r"[A-Za-z0-9-]{1,63}"), "letters, digits and hyphens"),
    "EndpointSuffix": (re.compile(rf"{_HOST}(?::[0-9]{{1,5}})?"), "a host name such as core.windows.net"),
    "QueueEndpoint": (_ENDPOINT, "a URL without query"),
    "TableEndpoint": (_ENDPOINT, "a URL without query"),
}
"""Parts of a connection string from which the clients build URLs."""


@dataclass(frozen=True)
class StorageConnection:
    """Either a connection string, or the endpoints to use with an identity."""

    connection_string: str | None = field(default=None, repr=False)
    queue_url: str = ""
    table_url: str = ""
    client_id: str | None = None
    """Client id of the user-assigned identity; None for the system-assigned one."""


def read_connection(env: Mapping[str, str], problems: list[str]) -> StorageConnection:
    """The connection in the settings. Problems are added to `problems`, never with a setting's value."""
    name = _section(env)
    if name is None:
        problems.append(f"{NAME} is required: a connection string, or {NAME}__queueServiceUri and __tableServiceUri")
        return StorageConnection()
    text = env.get(name, "")
    if not text:
        return _identity(env, name, problems)
    pieces = [piece for piece in text.split(";") if piece]
    fault = _string_fault(pieces)
    if fault:
        problems.append(f"{name} {fault}")
    return StorageConnection(_in_one_spelling(pieces))


def _section(env: Mapping[str, str]) -> str | None:
    for name in (_PREFIX + NAME, NAME):
        if any(value and (key == name or key.startswith(f"{name}__")) for key, value in env.items()):
            return name
    return None


def _identity(env: Mapping[str, str], name: str, problems: list[str]) -> StorageConnection:
    if (env.get(f"{name}__credential") or "managedidentity").lower() != "managedidentity":
        problems.append(f"{name}__credential must be managedidentity")
    client_id = env.get(f"{name}__clientId") or None
    if client_id and not grammar.parse_guid(client_id):
        problems.append(f"{name}__clientId must be a GUID")
    account = env.get(f"{name}__accountName")
    if account:
        if not _ACCOUNT_NAME.fullmatch(account):
            problems.append(f"{name}__accountName must be 3 to 24 lower-case letters and digits")
        queue, table = (f"https://{account}.{service}.core.windows.net" for service in ("queue", "table"))
    else:
        queue, table = (_service_uri(env, name, service, problems) for service in ("queue", "table"))
    return StorageConnection(queue_url=queue, table_url=table, client_id=client_id)


def _service_uri(env: Mapping[str, str], section: str, service: str, problems: list[str]) -> str:
    name = f"{section}__{service}ServiceUri"
    text = env.get(name, "")
    if not text:
        problems.append(f"{name} is required, unless __accountName is set")
    elif not _SERVICE_URI.fullmatch(text):
        problems.append(f"{name} must be an https URL without query, such as 'https://name.{service}.core.windows.net'")
    return text.rstrip("/")


def _string_fault(pieces: Sequence[str]) -> str | None:
    """What would make the storage clients fail later, with a message that shows the value; None when nothing would."""
    if not all(_PART.fullmatch(piece) for piece in pieces):
        return "must be a connection string: parts 'Name=value', separated by semicolons"
    parts = {key.lower(): value for key, value in (piece.split("=", 1) for piece in pieces)}
    if len(parts) < len(pieces):
        return "must not have the same part twice"
    if parts.get("usedevelopmentstorage", "").lower() == "true":
        # The host sends to a DevelopmentStorageProxyUri, the clients to the usual ports of this machine.
        return None if len(parts) == 1 else "must have no other part beside UseDevelopmentStorage"
    return _account_fault(parts) or _form_fault(parts)


def _account_fault(parts: Mapping[str, str]) -> str | None:
    """What is missing, by the names of the parts in lower case."""
    if "accountname" not in parts and not {"queueendpoint", "tableendpoint"} <= parts.keys():
        return "must have AccountName, or QueueEndpoint and TableEndpoint"
    for service in ("Queue", "Table"):
        if f"{service}SecondaryEndpoint".lower() in parts and f"{service}Endpoint".lower() not in parts:
            return f"must have {service}Endpoint beside {service}SecondaryEndpoint"
    if "sharedaccesssignature" not in parts and not ("accountname" in parts and _is_base64(parts.get("accountkey"))):
        return "must have AccountName with a base64 AccountKey, or SharedAccessSignature"
    return None


def _form_fault(parts: Mapping[str, str]) -> str | None:
    for name, (form, rule) in _FORMS.items():
        if name.lower() in parts and not form.fullmatch(parts[name.lower()]):
            return f"must have {rule} as {name}"
    return None


def _in_one_spelling(pieces: Sequence[str]) -> str:
    """The string as both storage clients take it: empty parts, which the host skips, are an error to one of them."""
    # The host ignores the case of `True`, too; the queue client does not.
    is_emulator = [piece.lower() for piece in pieces] == [_EMULATOR.lower()]
    return _EMULATOR if is_emulator else ";".join(pieces)


def _is_base64(key: str | None) -> bool:
    try:
        return bool(key) and bool(base64.b64decode(key or "", validate=True))
    except ValueError:
        return False
