"""The app that the tests of the local host run: what its functions do is asked for by what they are sent.

Its state lies in the directory that the setting STATE names, so that a test can look on and open the gate.
"""

import json
import os
import threading
import time
from pathlib import Path

import azure.functions as func

app = func.FunctionApp()
_state = Path(os.environ["STATE"])
_writing = threading.Lock()


def _record(**seen: object) -> None:
    with _writing, (_state / "attempts.jsonl").open("a") as attempts:
        attempts.write(json.dumps(seen) + "\n")


def _wait_at_the_gate() -> None:
    end = time.monotonic() + 30
    while not (_state / "gate").exists() and time.monotonic() < end:
        time.sleep(0.02)


@app.route("things/{id:int?}", methods=["GET", "POST"], auth_level="anonymous")
def things(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answers with what it saw."""
    seen = {
        "id": req.route_params.get("id"),
        "query": dict(req.params),
        "header": req.headers.get("x-one"),
        "body": req.get_body().decode(),
        "trace": context.trace_context.trace_parent,
    }
    return func.HttpResponse(json.dumps(seen), status_code=202, mimetype="application/json")


@app.route("locked", methods=["GET"])
def locked(req: func.HttpRequest) -> func.HttpResponse:
    """Asks for a key, where keys are asked for."""
    return func.HttpResponse("open")


@app.route("failing", auth_level="anonymous")
async def failing(req: func.HttpRequest) -> func.HttpResponse:
    """Raises."""
    raise ValueError("asked for")


@app.route("leaving", auth_level="anonymous")
async def leaving(req: func.HttpRequest) -> func.HttpResponse:
    """Asks its process to end."""
    raise SystemExit(3)


@app.route("waiting", auth_level="anonymous")
def waiting(req: func.HttpRequest) -> func.HttpResponse:
    """Answers when the gate is open."""
    _record(route="waiting")
    _wait_at_the_gate()
    return func.HttpResponse("done")


@app.queue_trigger(arg_name="msg", queue_name="%IN%", connection="Conn")
@app.queue_output(arg_name="out", queue_name="%OUT%", connection="Conn")
def on_text(msg: func.QueueMessage, out: func.Out[str]) -> None:
    """Sends the body on; a body can ask for trouble."""
    body = msg.get_body().decode()
    _record(id=msg.id, count=msg.dequeue_count, body=body, next_visible=str(msg.time_next_visible))
    out.set("{oops}" if body == "bad output" else body)
    if body == "fail":
        raise ValueError("asked for")
    if body == "wait":
        _wait_at_the_gate()


@app.queue_trigger(arg_name="msg", queue_name="%IN%-binary", connection="Conn", data_type=func.DataType.BINARY)
@app.queue_output(arg_name="$return", queue_name="%OUT%", connection="Conn")
async def on_bytes(msg: func.QueueMessage) -> bytes:
    """Sends the bytes back."""
    return bytes(msg.get_body())


@app.timer_trigger(arg_name="tick", schedule="0 0 3 1 1 *", run_on_startup=True)
def on_tick(tick: func.TimerRequest) -> None:
    """Runs at the start, and else hardly ever."""
    _record(tick=tick.past_due)
