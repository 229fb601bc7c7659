"""The app that the host tests run; what it is sent tells its functions what to do.

Its state lies in the directory named by the setting STATE, so that a test can read it and open the gate.
"""

import json
import os
import threading
import time
from pathlib import Path
from typing import List  # noqa: UP035 -- the worker's indexing refuses Out[list[str]]

import azure.functions as func

app = func.FunctionApp()
_state = Path(os.environ["STATE"])
_writing = threading.Lock()


def _record(**seen: object) -> None:
    with _writing, (_state / "attempts.jsonl").open("a") as attempts:
        attempts.write(json.dumps(seen) + "\n")


def _wait_at_the_gate(gate: str = "gate") -> None:
    end = time.monotonic() + 300
    while not (_state / gate).exists() and time.monotonic() < end:
        time.sleep(0.02)


def _answer(req: func.HttpRequest, context: func.Context, **more: object) -> func.HttpResponse:
    seen = {
        "method": req.method,
        "url": req.url,
        "route": dict(req.route_params),
        "query": dict(req.params),
        "header": req.headers.get("x-one"),
        "body": req.get_body().decode(),
        "trace": context.trace_context.trace_parent,
        "state": context.trace_context.trace_state,
    }
    return func.HttpResponse(json.dumps(seen | more), status_code=202, mimetype="application/json")


@app.route("things/{id}", methods=["GET", "POST"], auth_level="anonymous")
def things(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answers with what it received."""
    return _answer(req, context)


@app.route("things/literal", methods=["GET"], auth_level="anonymous")
def literal(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answers that the literal route was chosen."""
    return _answer(req, context, literal=True)


@app.route("locked", methods=["GET"])
def locked(req: func.HttpRequest) -> func.HttpResponse:
    """Needs a function key, if the host asks for keys."""
    return func.HttpResponse("open")


@app.route("disabled", auth_level="anonymous")
def switched_off(req: func.HttpRequest) -> func.HttpResponse:
    """Is switched off by a setting."""
    return func.HttpResponse("on")


@app.route("still-on", auth_level="anonymous")
def still_on(req: func.HttpRequest) -> func.HttpResponse:
    """Stays enabled, because its disabling setting is written in a form that has no effect."""
    return func.HttpResponse("on")


@app.route("failing", auth_level="anonymous")
def failing(req: func.HttpRequest) -> func.HttpResponse:
    """Raises an exception."""
    raise ValueError("asked for")


@app.route("leaving", auth_level="anonymous")
def leaving(req: func.HttpRequest) -> func.HttpResponse:
    """Ends its worker process."""
    os._exit(3)


@app.route("foreign", auth_level="anonymous")
def foreign(req: func.HttpRequest) -> func.HttpResponse:
    """Answers with a header that is not ASCII."""
    return func.HttpResponse("body", headers={"x-name": "hü"})


@app.route("waiting", auth_level="anonymous")
def waiting(req: func.HttpRequest) -> func.HttpResponse:
    """Answers once the gate named by `gate` is open."""
    _record(route="waiting")
    _wait_at_the_gate(req.params.get("gate", "gate"))
    return func.HttpResponse("done")


@app.queue_trigger(arg_name="msg", queue_name="%IN%", connection="Conn", data_type=func.DataType.BINARY)
@app.queue_output(arg_name="out", queue_name="%OUT%", connection="Conn")
def on_message(msg: func.QueueMessage, context: func.Context, out: func.Out[List[str]]) -> None:  # noqa: UP006
    """Sends the body to the output queue; some bodies make it fail, wait or send something else."""
    body = msg.get_body().decode(errors="replace")
    _record(
        id=msg.id,
        count=msg.dequeue_count,
        body=body,
        next_visible=str(msg.time_next_visible),
        trace=context.trace_context.trace_parent,
    )
    out.set(["x" * 70_000] if body == "large" else [] if body == "nothing" else [body, '{"a":1}'])
    if body == "fail":
        raise ValueError("asked for")
    if body.startswith("wait"):
        _wait_at_the_gate()


@app.queue_trigger(arg_name="msg", queue_name="%IN%-poison", connection="Conn", data_type=func.DataType.BINARY)
def on_poison(msg: func.QueueMessage) -> None:
    """Fails if the body says so, which a poison function should never do."""
    body = msg.get_body().decode()
    _record(poison=body, count=msg.dequeue_count)
    if body == "fail":
        raise ValueError("asked for")


@app.queue_trigger(arg_name="msg", queue_name="%IN%-off", connection="Conn", data_type=func.DataType.BINARY)
def on_nothing(msg: func.QueueMessage) -> None:
    """Is switched off by a setting."""
    _record(off=msg.get_body().decode())


@app.timer_trigger(arg_name="tick", schedule="%SCHEDULE%")
def on_tick(tick: func.TimerRequest) -> None:
    """Records its ticks; a file named `hold` makes it wait."""
    _record(late=tick.past_due, status=tick.schedule_status)  # type: ignore[attr-defined]  # the class handed over has it
    if (_state / "hold").exists():
        _wait_at_the_gate("tick")
