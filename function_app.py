"""The functions of the app: each decodes its trigger, calls one service and encodes the result.

Queue bodies are bound as binary. For text, the host overwrites the trigger's metadata with the top-level properties of
a JSON body (ApplyBindingData in the host's Utility.cs), so a body's `id` would replace the message's id.
"""

from typing import List  # noqa: UP035 -- the worker's indexing refuses Out[list[str]] and takes the whole app down

import azure.functions as func

from shared.api import webhook
from shared.settings import POISON_SUFFIX
from shared.triggers import (
    answer_with,
    delivery_of,
    give,
    respond,
    respond_with_description,
    respond_with_health,
    respond_with_page,
    respond_with_summary,
)
from shared.wiring.wiring import WIRING

CONNECTION = "TaskDeleteStorage"
LETTER_SECONDS = 20
HOUSEKEEPING_SECONDS = 180
"""The sum of this, LETTER_SECONDS, a scan that is still running (54 s at most) and the slowest possible row is below
`functionTimeout`.
"""

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.queue_trigger(
    arg_name="message", queue_name="%REQUEST_QUEUE_NAME%", connection=CONNECTION, data_type=func.DataType.BINARY
)
@app.queue_output(arg_name="results", queue_name="%RESULT_QUEUE_NAME%", connection=CONNECTION)
def delete_tasks(message: func.QueueMessage, context: func.Context, results: func.Out[List[str]]) -> None:  # noqa: UP006
    """Handles request messages: deletes the tasks, and publishes the results once the outcomes are recorded."""
    services = WIRING.app()
    give(results, services.worker.deliver(delivery_of(message, context, services.settings.request_queue)))


@app.queue_trigger(
    arg_name="message", queue_name="%REQUEST_QUEUE_NAME%-poison", connection=CONNECTION, data_type=func.DataType.BINARY
)
def end_poisoned_requests(message: func.QueueMessage, context: func.Context) -> None:
    """Handles request messages that the host gave up on: each request gets an outcome, a dead letter and a result."""
    services = WIRING.app()
    services.poison.deliver(delivery_of(message, context, services.settings.request_queue + POISON_SUFFIX))


@app.queue_trigger(
    arg_name="message", queue_name="%JOB_COMPLETION_QUEUE_NAME%", connection=CONNECTION, data_type=func.DataType.BINARY
)
@app.queue_output(arg_name="results", queue_name="%RESULT_QUEUE_NAME%", connection=CONNECTION)
def clean_up_job(message: func.QueueMessage, context: func.Context, results: func.Out[List[str]]) -> None:  # noqa: UP006
    """Handles job-completion events and steps of sweeps: lists completed tasks and requests their deletion."""
    services = WIRING.app()
    give(results, services.job_messages.deliver(delivery_of(message, context, services.settings.job_completion_queue)))


@app.queue_trigger(
    arg_name="message",
    queue_name="%JOB_COMPLETION_QUEUE_NAME%-poison",
    connection=CONNECTION,
    data_type=func.DataType.BINARY,
)
def end_poisoned_clean_ups(message: func.QueueMessage, context: func.Context) -> None:
    """Handles messages of clean-ups and sweeps that the host gave up on: ends each with a closing event."""
    services = WIRING.app()
    services.job_messages.deliver_poisoned(
        delivery_of(message, context, services.settings.job_completion_queue + POISON_SUFFIX)
    )


@app.route("job-completions", methods=["POST", "OPTIONS"])
def submit_job_completion(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Accepts job-completion events, and answers the webhook handshake of CloudEvents."""
    if req.method == "OPTIONS":
        return answer_with(webhook.allow, req, context)
    return respond(req, context, lambda services: services.cleanups.submit)


@app.route("job-completions/{id}", methods=["GET"])
def get_job_completion(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Returns the progress of one clean-up."""
    return respond(req, context, lambda services: services.cleanups.progress)


@app.route("job-completions/{id}", methods=["DELETE"])
def cancel_job_completion(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Cancels one clean-up."""
    return respond(req, context, lambda services: services.cleanups.cancel)


@app.route("job-completions", methods=["GET"])
def list_job_completions(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Lists the clean-ups, newest first."""
    return respond(req, context, lambda services: services.cleanups.listing)


@app.route("task-deletions", methods=["POST"])
def submit_task_deletion(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Accepts requests for the queue."""
    return respond(req, context, lambda services: services.api.submit)


@app.route("task-deletions/{clientRequestId}", methods=["GET"])
def get_task_deletion(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Returns the status document of one request."""
    return respond(req, context, lambda services: services.api.status)


@app.route("task-deletions/{clientRequestId}", methods=["DELETE"])
def cancel_task_deletion(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Cancels a request whose work has not begun."""
    return respond(req, context, lambda services: services.api.cancel)


@app.route("dead-letters", methods=["GET"])
def list_dead_letters(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Lists the dead letters, newest first."""
    return respond(req, context, lambda services: services.dead_letters.listing)


@app.route("dead-letters/{id}", methods=["GET"])
def get_dead_letter(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Returns one dead letter, with the body as received."""
    return respond(req, context, lambda services: services.dead_letters.one)


@app.route("dead-letters/{id}/redrive", methods=["POST"])
def redrive_dead_letter(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Redrives one dead letter."""
    return respond(req, context, lambda services: services.dead_letters.redrive)


@app.route("dead-letters/redrive", methods=["POST"])
def redrive_dead_letters(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Redrives the dead letters that match a filter."""
    return respond(req, context, lambda services: services.dead_letters.redrive_many)


@app.route("dead-letters/{id}", methods=["DELETE"])
def settle_dead_letter(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Settles one dead letter."""
    return respond(req, context, lambda services: services.dead_letters.settle)


@app.route("dead-letters/settle", methods=["POST"])
def settle_dead_letters(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Settles the dead letters that match a filter."""
    return respond(req, context, lambda services: services.dead_letters.settle_many)


@app.timer_trigger(schedule="0 30 3 * * *", arg_name="timer")
def keep_house(timer: func.TimerRequest) -> None:  # noqa: ARG001 -- the host binds by name
    """Purges rows past their retention, requeues stuck requests, and sends unsent results."""
    services = WIRING.app()
    try:
        services.letter_retention.forget(LETTER_SECONDS)
    finally:
        services.housekeeping.round(HOUSEKEEPING_SECONDS)


@app.timer_trigger(schedule="0 */5 * * * *", arg_name="timer")
def report_queue_depths(timer: func.TimerRequest) -> None:  # noqa: ARG001 -- the host binds by name
    """Logs the depth and age of the input queues and their poison queues, for the alerts."""
    connected = WIRING.connected()
    connected.report_depths()
    connected.timers.ran("report_queue_depths")


@app.timer_trigger(schedule="30 */5 * * * *", arg_name="timer")
def sweep_accounts(timer: func.TimerRequest) -> None:  # noqa: ARG001 -- the host binds by name
    """Starts a sweep of each account that is due, and requeues sweeps whose message was lost."""
    connected = WIRING.connected()
    connected.app.sweeps.tick()
    connected.timers.ran("sweep_accounts")


@app.route("retention-policies", methods=["GET"])
def get_retention_policies(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Returns the policies as the app interprets them, and each account's last and next sweep."""
    return respond(req, context, lambda services: services.retention.policies)


@app.route("retention-sweeps", methods=["POST"])
def begin_retention_sweep(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Starts a sweep now."""
    return respond(req, context, lambda services: services.retention.begin)


@app.route("retention-sweeps/{id}", methods=["GET"])
def get_retention_sweep(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Returns the progress of a sweep."""
    return respond(req, context, lambda services: services.retention.status)


@app.route("retention-sweeps/{id}", methods=["DELETE"])
def stop_retention_sweep(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Cancels a sweep."""
    return respond(req, context, lambda services: services.retention.stop)


@app.route("jobs/{jobId}/tasks/{taskId}", methods=["DELETE"])
def delete_task(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """The REST operation *Task - Delete* itself."""
    return respond(req, context, lambda services: services.api.delete_task)


@app.route("operations/summary", methods=["GET"])
def get_summary(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Returns the numbers an operator looks at first: queues, dead letters, clean-ups and sweeps."""
    return respond_with_summary(req, context)


@app.route("operations", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def get_operations_page(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Returns the operator's page. It contains no data; it gets all data from the other calls, with the operator's key."""
    return respond_with_page(req, context)


@app.route("openapi.json", methods=["GET"])
def get_openapi(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Returns the OpenAPI 3.1 description of these calls."""
    return respond_with_description(req, context)


@app.route("health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def get_health(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Returns whether the app is able to work now."""
    return respond_with_health(req, context)
