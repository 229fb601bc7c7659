"""What all calls have in common: checks of query and headers, and the headers of every answer."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import parse_qsl

from devstack.batch.conditions import Conditions, read_date
from devstack.batch.errors import ServiceError, error_body
from devstack.batch.routes import Route
from devstack.http1 import Answer, Headers

_GUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_BOOLEAN = re.compile("true|false", re.IGNORECASE)
_MOST_INT32 = 2**31 - 1
_JSON = "application/json;odata=minimalmetadata"


@dataclass(frozen=True)
class Call:
    """One call of an operation, read and checked."""

    route: Route
    path: str
    query: dict[str, str]
    conditions: Conditions
    body: bytes
    base_url: str
    next_link: str | None = None
    """The link that a fault rule sends in place of the real link to the next page."""


def read_query(raw: str) -> dict[str, str]:
    """The query's parameters; the names `timeout` and `api-version` may be in any letter case.

    The service's description says `timeout`, the official clients send `timeOut`.
    """
    pairs = parse_qsl(raw, keep_blank_values=True)
    return {name.lower() if name.lower() in ("timeout", "api-version") else name: value for name, value in pairs}


def check_query(query: dict[str, str], api_versions: Collection[str]) -> None:
    """Raises for a missing or unknown api-version, and for a timeout that is not a positive int32."""
    version = query.get("api-version")
    if version is None:
        raise ServiceError("MissingRequiredQueryParameter", [("QueryParameterName", "api-version")])
    if version not in api_versions:
        raise ServiceError("UnsupportedRequestVersion", [("QueryParameterValue", version)])
    timeout = query.get("timeout")
    if timeout is None:
        return
    values = [("QueryParameterName", "timeout"), ("QueryParameterValue", timeout)]
    if not re.fullmatch(r"-?[0-9]{1,19}", timeout):
        raise ServiceError("InvalidQueryParameterValue", values)
    if not 1 <= int(timeout) <= _MOST_INT32:
        limits = [("MinimumAllowed", "1"), ("MaximumAllowed", str(_MOST_INT32))]
        raise ServiceError("OutOfRangeQueryParameterValue", values + limits)


def check_headers(headers: Headers) -> None:
    """Raises InvalidHeaderValue for a client-request-id that is not a plain GUID, an invalid boolean or ocp-date."""
    read_date(headers, "ocp-date")
    for name, form in (("client-request-id", _GUID), ("return-client-request-id", _BOOLEAN)):
        value = headers.get(name)
        if value is not None and not form.fullmatch(value):
            raise ServiceError("InvalidHeaderValue", [("HeaderName", name), ("HeaderValue", value)])


def answer_headers(headers: Headers, request_id: str) -> dict[str, str]:
    """The headers of every answer; the client's id is echoed when it asks for that."""
    common = {"request-id": request_id, "DataServiceVersion": "3.0"}
    client_request_id = headers.get("client-request-id")
    if client_request_id and (headers.get("return-client-request-id") or "").lower() == "true":
        common["client-request-id"] = client_request_id
    return common


def resource_headers(etag: str, last_modified: datetime, url: str | None = None) -> dict[str, str]:
    """ETag, Last-Modified and, for one resource, its DataServiceId."""
    headers = {"ETag": f'"{etag}"', "Last-Modified": format_datetime(last_modified, usegmt=True)}
    return headers | {"DataServiceId": url} if url else headers


def json_answer(status: int, body: bytes, headers: dict[str, str] | None = None) -> Answer:
    """An answer with a JSON document."""
    return Answer(status, {"Content-Type": _JSON, **(headers or {})}, body)


def error_answer(error: ServiceError, base_url: str, request_id: str, now: datetime) -> Answer:
    """The answer for a refusal; a 401 names the authentication scheme."""
    challenge = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
    if error.status == 304:
        return Answer(304)
    return json_answer(error.status, error_body(error, base_url, request_id, now), challenge)
