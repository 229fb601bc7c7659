"""Between the Functions library and the app: deliveries, HTTP calls and answers. Nothing below knows that library."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import cast

import azure.functions as func

from shared.api.answer import Answer, Call, Known, misconfigured_call, unavailable
from shared.api.health import health, misconfigured
from shared.deletion.delivery import Delivery
from shared.errors import InvalidConfiguration, StorageUnavailable
from shared.parsing import grammar
from shared.request.model import readable
from shared.wiring.connect import WIRING
from shared.wiring.services import App

log = logging.getLogger(__name__)


def delivery_of(message: func.QueueMessage, context: func.Context, queue: str) -> Delivery:
    """The delivery behind a queue trigger."""
    # The library's types allow for messages that an app makes itself; what the host hands over has them all.
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
    """Hands texts to an output binding, which sends each as it is; an empty list is not set at all."""
    if texts:
        results.set(texts)


def respond(
    req: func.HttpRequest, context: func.Context, call_of: Callable[[App], Callable[[Call], Answer]]
) -> func.HttpResponse:
    """Answers an HTTP call with one method of the app; 503 while settings are wrong or storage is down."""
    call = _call(req, context)
    try:
        answer = call_of(WIRING.app())(call)
    except InvalidConfiguration as fault:
        answer = misconfigured_call(fault)
    except StorageUnavailable as fault:
        log.warning("storage_unavailable function=%s fault=%s", context.function_name, fault)
        answer = unavailable(str(fault))
    return _response(answer, call)


def answer_with(answer_of: Callable[[Call], Answer], req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answers an HTTP call that neither settings nor storage have a part in."""
    call = _call(req, context)
    return _response(answer_of(call), call)


def respond_with_health(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answers with the app's health, whatever the settings are."""
    try:
        answer = health(WIRING.connected().checks)
    except InvalidConfiguration as fault:
        answer = misconfigured(fault)
    return _response(answer, _call(req, context))


def respond_with_description(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answers with the OpenAPI document."""
    # Imported here: most instances are never asked for it.
    from shared.api.openapi import document

    return _response(Answer(200, document()), _call(req, context))


def _call(req: func.HttpRequest, context: func.Context) -> Call:
    headers = {name.lower(): text for name, text in req.headers.items()}
    # What can be known before the app is there, which it is not while its settings are wrong.
    named = req.route_params.get("clientRequestId") or headers.get("client-request-id")
    known = Known(readable(named, grammar.guid))
    # While Application Insights is off, the context is empty (Activity.Current in the host's WorkerFunctionInvoker).
    trace = _trace(context) or readable(headers.get("traceparent"), grammar.traceparent)
    return Call(headers, req.params, req.route_params, req.get_body(), context.invocation_id, trace, known)


def _trace(context: func.Context) -> str | None:
    """The trace of the invocation; the worker attaches it to no thread that runs a synchronous function.

    What is no valid trace context counts as none: https://www.w3.org/TR/trace-context/#traceparent-header
    """
    return readable(context.trace_context.trace_parent, grammar.traceparent)


def _response(answer: Answer, call: Call) -> func.HttpResponse:
    return func.HttpResponse(
        answer.text(), status_code=answer.status, headers=answer.all_headers(call), mimetype="application/json"
    )
