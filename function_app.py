"""The functions of the app: each decodes its trigger, calls one service and encodes the answer.

Queue bodies are bound as binary: the host copies top-level JSON properties of text messages over the trigger's
metadata (ApplyBindingData in the host's Utility.cs), so that a body's `id` would become the message's.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import List, cast  # noqa: UP035 -- the worker's indexing refuses Out[list[str]] and takes the whole app down

import azure.functions as func

from shared.delivery import Delivery
from shared.errors import InvalidConfiguration, StorageUnavailable
from shared.health import health, misconfigured
from shared.http_answer import Answer, Call, misconfigured_call, unavailable
from shared.wiring import WIRING, App

CONNECTION = "TaskDeleteStorage"
HOUSEKEEPING_SECONDS = 240
"""Below `functionTimeout`; the next round goes on where this one stopped."""

log = logging.getLogger("shared.functions")
app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.queue_trigger(
    arg_name="message", queue_name="%REQUEST_QUEUE_NAME%", connection=CONNECTION, data_type=func.DataType.BINARY
)
@app.queue_output(arg_name="results", queue_name="%RESULT_QUEUE_NAME%", connection=CONNECTION)
def delete_tasks(message: func.QueueMessage, results: func.Out[List[str]]) -> None:  # noqa: UP006
    """Request messages: deletes, and sends the results once the rows say how it ended."""
    texts = WIRING.app().worker.deliver(_delivery(message, WIRING.app().settings.request_queue))
    if texts:
        results.set(texts)


@app.queue_trigger(
    arg_name="message", queue_name="%REQUEST_QUEUE_NAME%-poison", connection=CONNECTION, data_type=func.DataType.BINARY
)
def end_poisoned_requests(message: func.QueueMessage) -> None:
    """Messages that the host gave up: each gets an outcome, a dead letter and a result."""
    WIRING.app().poison.deliver(_delivery(message, f"{WIRING.app().settings.request_queue}-poison"))


@app.queue_trigger(
    arg_name="message", queue_name="%JOB_COMPLETION_QUEUE_NAME%", connection=CONNECTION, data_type=func.DataType.BINARY
)
@app.queue_output(arg_name="results", queue_name="%RESULT_QUEUE_NAME%", connection=CONNECTION)
def clean_up_job(message: func.QueueMessage, results: func.Out[List[str]]) -> None:  # noqa: UP006
    """Job-completion events: lists the job's completed tasks and asks for their deletion."""
    texts = WIRING.app().fan_out.deliver(_delivery(message, WIRING.app().settings.job_completion_queue))
    if texts:
        results.set(texts)


@app.queue_trigger(
    arg_name="message",
    queue_name="%JOB_COMPLETION_QUEUE_NAME%-poison",
    connection=CONNECTION,
    data_type=func.DataType.BINARY,
)
def end_poisoned_clean_ups(message: func.QueueMessage) -> None:
    """Clean-ups that the host gave up: each gets its end, a dead letter and a closing event."""
    WIRING.app().cleanup_poison.deliver(_delivery(message, f"{WIRING.app().settings.job_completion_queue}-poison"))


@app.route("job-completions", methods=["POST"])
def submit_job_completion(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Accepts a job-completion event."""
    return _answer(req, context, lambda services, call: services.cleanups.submit(call))


@app.route("job-completions/{id}", methods=["GET"])
def get_job_completion(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """How the clean-up of one event goes."""
    return _answer(req, context, lambda services, call: services.cleanups.progress(call))


@app.route("task-deletions", methods=["POST"])
def submit_task_deletion(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Accepts requests for the queue."""
    return _answer(req, context, lambda services, call: services.api.submit(call))


@app.route("task-deletions/{clientRequestId}", methods=["GET"])
def get_task_deletion(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """The status document of one request."""
    return _answer(req, context, lambda services, call: services.api.status(call))


@app.route("task-deletions/{clientRequestId}", methods=["DELETE"])
def cancel_task_deletion(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Takes a request back before it is begun."""
    return _answer(req, context, lambda services, call: services.api.cancel(call))


@app.route("dead-letters", methods=["GET"])
def list_dead_letters(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """What could not be done, newest first."""
    return _answer(req, context, lambda services, call: services.dead_letters.listing(call))


@app.route("dead-letters/{id}", methods=["GET"])
def get_dead_letter(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """One dead letter, with the body as received."""
    return _answer(req, context, lambda services, call: services.dead_letters.one(call))


@app.route("dead-letters/{id}/redrive", methods=["POST"])
def redrive_dead_letter(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Puts one dead letter back."""
    return _answer(req, context, lambda services, call: services.dead_letters.put_back(call))


@app.route("dead-letters/redrive", methods=["POST"])
def redrive_dead_letters(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Puts the dead letters back that a filter takes."""
    return _answer(req, context, lambda services, call: services.dead_letters.put_back_many(call))


@app.timer_trigger(schedule="0 30 3 * * *", arg_name="timer")
def keep_house(timer: func.TimerRequest) -> None:  # noqa: ARG001 -- the host binds by name
    """Forgets what is past retention, puts back what is stuck, sends what is owed."""
    WIRING.app().housekeeping.round(HOUSEKEEPING_SECONDS)


@app.route("jobs/{jobId}/tasks/{taskId}", methods=["DELETE"])
def delete_task(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """The REST operation itself."""
    return _answer(req, context, lambda services, call: services.api.delete_task(call))


@app.route("health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def get_health(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Whether the app could do its work now."""
    call = _call(req, context)
    try:
        answer = health(WIRING.checks())
    except InvalidConfiguration as fault:
        answer = misconfigured(fault)
    return _response(answer, call)


def _answer(req: func.HttpRequest, context: func.Context, respond: Callable[[App, Call], Answer]) -> func.HttpResponse:
    call = _call(req, context)
    try:
        answer = respond(WIRING.app(), call)
    except InvalidConfiguration as fault:
        answer = misconfigured_call(fault)
    except StorageUnavailable as fault:
        log.warning("storage_unavailable function=%s fault=%s", context.function_name, fault)
        answer = unavailable(str(fault))
    return _response(answer, call)


def _call(req: func.HttpRequest, context: func.Context) -> Call:
    headers = {name.lower(): text for name, text in req.headers.items()}
    return Call(headers, req.params, req.route_params, req.get_body(), context.invocation_id)


def _response(answer: Answer, call: Call) -> func.HttpResponse:
    return func.HttpResponse(
        answer.text(), status_code=answer.status, headers=answer.all_headers(call), mimetype="application/json"
    )


def _delivery(message: func.QueueMessage, queue: str) -> Delivery:
    # The library's types allow for messages that an app makes itself; what the host hands over has them all.
    return Delivery(
        queue=queue,
        message_id=message.id or "",
        dequeue_count=message.dequeue_count or 1,
        inserted_at=cast(datetime, message.insertion_time),
        next_visible_at=cast(datetime, message.time_next_visible),
        body=message.get_body(),
    )
