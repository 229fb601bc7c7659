"""A tiny app with which the harness is tested; the test copies it as function_app.py."""

import json
import logging
import sys
import threading
import typing

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
four = threading.Barrier(4)


@app.route(route="jobs/{job_id}/tasks/{task_id}", methods=["DELETE", "POST"])
def submit(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answers with what it received."""
    seen = {
        "task": req.route_params["task_id"],
        "verb": req.method,
        "header": req.headers.get("X-Test"),
        "query": dict(req.params),
        "body": req.get_body().decode(),
        "invocation": context.invocation_id,
    }
    return func.HttpResponse(json.dumps(seen), status_code=202, mimetype="application/json", headers={"x-one": "1"})


@app.queue_trigger(arg_name="msg", queue_name="requests", connection="Conn", data_type=func.DataType.BINARY)
@app.queue_output(arg_name="results", queue_name="results", connection="Conn")
def worker(msg: func.QueueMessage, results: func.Out[typing.List[str]]) -> None:  # noqa: UP006
    """Sends its message on; some bodies make it fail."""
    text = msg.get_body().decode()
    logging.getLogger("sample").info("got %s", text)
    results.set([json.dumps({"id": msg.id, "count": msg.dequeue_count, "body": text})])
    if text == "raise":
        raise ValueError("cannot process")
    if text == "exit":
        sys.exit(3)
    if text == "meet":
        four.wait(timeout=180)


@app.queue_trigger(arg_name="msg", queue_name="texts", connection="Conn")
async def worker_of_texts(msg: func.QueueMessage) -> None:
    """Is async and has a text trigger, neither of which the product uses."""


@app.timer_trigger(arg_name="tick", schedule="0 0 3 * * *")
def nightly(tick: func.TimerRequest) -> None:
    """Logs whether its tick is late."""
    logging.getLogger("sample").info("past due %s", tick.past_due)
