"""Adapts the Functions library to the app: deliveries, HTTP calls and answers. Nothing below knows that library."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, cast

import azure.functions as func

from shared.api.answer import Answer, Call, Subject
from shared.api.edge import answered
from shared.api.health import misconfigured
from shared.api.query import read_query
from shared.deletion.delivery import Delivery
from shared.errors import InvalidConfiguration
from shared.parsing import grammar
from shared.parsing.strict_json import excerpt
from shared.request.model import parse_or_none
from shared.wiring.wiring import WIRING

if TYPE_CHECKING:
    from shared.wiring.services import App

log = logging.getLogger(__name__)

MAX_CALLER = 256
"""Characters kept of a caller's name: as long as a user principal name may be, and more."""


def delivery_of(message: func.QueueMessage, context: func.Context, queue: str) -> Delivery:
    """The delivery behind a queue trigger."""
    # The library's types allow for messages that an app makes itself; those from the host have every field.
    return Delivery(
        queue=queue,
        message_id=message.id or "",
        dequeue_count=message.dequeue_count or 1,
        inserted_at=cast(datetime, message.insertion_time),
        next_visible_at=cast(datetime, message.time_next_visible),
        body=message.get_body(),
        traceparent=_trace(context),
    )


def give(results: func.Out[list[str]], texts: list[str]) -> None:
    """Sets an output binding, which sends each text unchanged; an empty list is not set at all."""
    if texts:
        results.set(texts)


def respond(
    req: func.HttpRequest, context: func.Context, call_of: Callable[[App], Callable[[Call], Answer]]
) -> func.HttpResponse:
    """Answers an HTTP call with one method of the app."""

    def answer_of(call: Call) -> Answer:
        return call_of(WIRING.app())(call)

    return answer_with(answer_of, req, context)


def answer_with(answer_of: Callable[[Call], Answer], req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answers an HTTP call, and logs who asked when it acts."""
    call = _call(req, context)
    answer = answered(answer_of, call)
    if call.method in {"POST", "DELETE"}:
        log.info(
            "call function=%s status=%s request_id=%s asked_by=%s",
            call.function,
            answer.status,
            call.subject.client_request_id,
            call.caller,
        )
    return _response(answer, call)


def respond_with_health(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answers with the app's health, whatever the settings are."""

    def look(call: Call) -> Answer:
        read_query(call)
        try:
            return WIRING.connected().health.get()
        except InvalidConfiguration as fault:
            return misconfigured(fault)

    return answer_with(look, req, context)


def respond_with_summary(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answers with the summary that an operator sees first."""

    def look(call: Call) -> Answer:
        read_query(call)
        return WIRING.connected().summary.get()

    return answer_with(look, req, context)


def respond_with_page(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answers with the operator's page, whatever the settings are."""

    def show(call: Call) -> Answer:
        # Imported here: most instances are never asked for it.
        from shared.api.operations_page import page

        read_query(call)
        text, headers = page()
        return Answer(200, text, headers)

    return answer_with(show, req, context)


def respond_with_description(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answers with the OpenAPI document."""

    def describe(call: Call) -> Answer:
        # Imported here: most instances are never asked for it.
        from shared.api.openapi import document

        read_query(call)
        return Answer(200, document())

    return answer_with(describe, req, context)


def _call(req: func.HttpRequest, context: func.Context) -> Call:
    headers = {name.lower(): text for name, text in req.headers.items()}
    # All that is known before the app exists, which it does not while its settings are wrong.
    named = req.route_params.get("clientRequestId") or headers.get("client-request-id")
    return Call(
        headers=headers,
        query=req.params,
        route=req.route_params,
        body=req.get_body(),
        invocation_id=context.invocation_id,
        # While Application Insights is off, the context is empty (Activity.Current in the host's WorkerFunctionInvoker).
        traceparent=_trace(context) or parse_or_none(headers.get("traceparent"), grammar.traceparent),
        method=req.method.upper(),
        function=context.function_name,
        caller=caller_of(headers, os.environ),
        subject=Subject(parse_or_none(named, grammar.guid)),
    )


def caller_of(headers: Mapping[str, str], environment: Mapping[str, str]) -> str | None:
    """The caller's name from the platform's sign-in; None without sign-in, since callers could then set the header.

    https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities
    """
    if environment.get("WEBSITE_AUTH_ENABLED") != "True":
        return None
    name = headers.get("x-ms-client-principal-name") or headers.get("x-ms-client-principal-id")
    return excerpt(name, MAX_CALLER) if name else None


def _trace(context: func.Context) -> str | None:
    """The invocation's trace, which the worker does not attach to the thread that runs a synchronous function.

    An invalid trace context counts as none: https://www.w3.org/TR/trace-context/#traceparent-header
    """
    return parse_or_none(context.trace_context.trace_parent, grammar.traceparent)


class _Untyped(dict[str, str]):
    """Headers that claim to include a content type, so that the library does not add one."""

    def __contains__(self, key: object) -> bool:
        return key == "content-type" or super().__contains__(key)


class _WithoutContent(func.HttpResponse):
    """A response without a body, and so without a content type."""

    @property
    def headers(self) -> _Untyped:  # type: ignore[override]  # the library only looks names up and reads the pairs
        """The headers as given."""
        return _Untyped(super().headers.items())


def _response(answer: Answer, call: Call) -> func.HttpResponse:
    headers, text = answer.all_headers(call), answer.text()
    if text is None:
        return _WithoutContent(status_code=answer.status, headers=headers)
    return func.HttpResponse(text, status_code=answer.status, headers=headers, mimetype="application/json")
