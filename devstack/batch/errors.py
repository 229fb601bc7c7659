"""The errors of the Batch service: status, code, and the body in which they travel.

The body's shape was taken from public reports of real answers; the codes are those of "Batch Status and Error Codes":
https://learn.microsoft.com/rest/api/batchservice/batch-status-and-error-codes
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

_TEXTS = {
    "AuthenticationFailed": "Server failed to authenticate the request. Make sure the value of Authorization header is "
    "formed correctly including the signature.",
    "ConditionNotMet": "The condition specified in the conditional header(s) was not met for a write operation.",
    "InternalError": "Server encountered an internal error. Please try again after some time.",
    "InvalidHeaderValue": "The value for one of the HTTP headers is not in the correct format.",
    "InvalidPropertyValue": "The value provided for one of the properties in the request body is invalid.",
    "InvalidQueryParameterValue": "Value for one of the query parameters specified in the request URI is invalid.",
    "InvalidRequestBody": "The specified Request Body is not syntactically valid.",
    "JobBeingDeleted": "The specified job is being deleted.",
    "JobBeingTerminated": "The specified job is being terminated.",
    "JobCompleted": "The specified job is in a completed state.",
    "JobExists": "The specified job already exists.",
    "JobNotFound": "The specified job does not exist.",
    "MissingRequiredQueryParameter": "A query parameter that's mandatory for this request is not specified.",
    "NodeNotReady": "The node is not ready.",
    "OperationNotSimulated": "The Batch service has this operation; this simulator of it does not carry it out.",
    "OperationTimedOut": "The operation could not be completed within the permitted time.",
    "OutOfRangeQueryParameterValue": "A query parameter specified in the request URI is outside the permissible range.",
    "ResourceNotFound": "The specified resource does not exist.",
    "ServerBusy": "Server is currently unable to process the request.",
    "TaskExists": "The specified task already exists.",
    "TaskNotFound": "The specified task does not exist.",
    "TooManyRequests": "Too many requests were sent in a given amount of time.",
    "UnsupportedHttpVerb": "The resource doesn't support the specified HTTP Verb.",
    "UnsupportedRequestVersion": "The API version specified in the request is not supported.",
}
_STATUSES = {
    401: ("AuthenticationFailed",),
    404: ("JobNotFound", "TaskNotFound", "ResourceNotFound"),
    405: ("UnsupportedHttpVerb",),
    408: ("OperationTimedOut",),
    409: (
        *("NodeNotReady", "JobBeingDeleted", "JobBeingTerminated"),
        *("JobCompleted", "JobExists", "TaskExists"),
    ),
    412: ("ConditionNotMet",),
    429: ("TooManyRequests",),
    500: ("InternalError",),
    501: ("OperationNotSimulated",),
    503: ("ServerBusy",),
}
_STATUS_OF = {code: status for status, codes in _STATUSES.items() for code in codes}
_FIRST_CODE_OF = {status: codes[0] for status, codes in _STATUSES.items()} | {404: "TaskNotFound"}


class ServiceError(Exception):
    """Raised when the service refuses a call; `values` are the key and value pairs of the error's details."""

    def __init__(
        self, code: str, values: Sequence[tuple[str, str]] = (), *, status: int | None = None, text: str | None = None
    ) -> None:
        self.code = code
        self.status = status or _STATUS_OF.get(code, 400)
        self.text = text or _TEXTS.get(code, "The request could not be carried out.")
        self.values = tuple(values)
        super().__init__(f"{self.status} {code}")


def usual_code(status: int) -> str | None:
    """The code that a status usually has; None for a status that a gateway would send."""
    return _FIRST_CODE_OF.get(status)


def error_body(error: ServiceError, base_url: str, request_id: str, now: datetime) -> bytes:
    """The BatchError document, whose message ends with two extra lines as in real answers."""
    value = f"{error.text}\nRequestId:{request_id}\nTime:{instant(now)}"
    document: dict[str, object] = {
        "odata.metadata": f"{base_url}/$metadata#Microsoft.Azure.Batch.Protocol.Entities.Container.errors/@Element",
        "code": error.code,
        "message": {"lang": "en-US", "value": value},
    }
    if error.values:
        document["values"] = [{"key": key, "value": text} for key, text in error.values]
    return json.dumps(document).encode()


def instant(moment: datetime) -> str:
    """ISO 8601 with the seven decimals of the real service."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
