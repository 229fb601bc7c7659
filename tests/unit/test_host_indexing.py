"""Which apps the local host loads and which it refuses."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devstack.host.app_settings import AppSettings
from devstack.host.bindings import HttpTrigger, QueueOutput, QueueTrigger, TimerTrigger
from devstack.host.errors import StartUpFailed
from devstack.host.indexing import LoadedFunction, index_app

SETTINGS = {"QUEUE": "Requests", "Conn": "UseThis=1"}


Load = Callable[[str], tuple[LoadedFunction, ...]]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Indexes an app with this source, after the usual imports."""
    path_before = list(sys.path)
    # Another test of this process may have imported the app itself.
    monkeypatch.delitem(sys.modules, "function_app", raising=False)

    def index(source: str) -> tuple[LoadedFunction, ...]:
        head = "import typing\nimport azure.functions as func\napp = func.FunctionApp()\n"
        (tmp_path / "function_app.py").write_text(head + source)
        return index_app(tmp_path, AppSettings(SETTINGS))

    yield index
    sys.path[:] = path_before
    sys.modules.pop("function_app", None)


def with_queues(parameters: str) -> str:
    """A function with a queue trigger `msg` and a queue output `out`."""
    return (
        "@app.queue_trigger('msg', 'requests', 'Conn', data_type=func.DataType.BINARY)\n"
        "@app.queue_output('out', 'results', 'Conn')\n"
        f"def f({parameters}): ...\n"
    )


def on_queue(arguments: str) -> str:
    """A function with a queue trigger made with these arguments."""
    return f"@app.queue_trigger('m', {arguments})\ndef f(m: func.QueueMessage): ...\n"


def test_triggers_and_outputs_are_read_with_their_settings(load: Load) -> None:
    """Indexing resolves placeholders, lower-cases queue names, and keeps routes, verbs and auth levels."""
    on_queue, on_request, on_tick = load(
        "@app.queue_trigger('msg', '%QUEUE%', 'Conn', data_type=func.DataType.BINARY)\n"
        "@app.queue_output('out', 'Results', 'Conn')\n"
        "def on_queue(msg: func.QueueMessage, out: func.Out[typing.List[str]], context: func.Context) -> None: ...\n"
        "@app.route('things/{id}', methods=['GET', 'DELETE'], auth_level='anonymous')\n"
        "def on_request(req: func.HttpRequest) -> func.HttpResponse: ...\n"
        "@app.timer_trigger('tick', '0 0 3 * * *')\n"
        "def on_tick(tick: func.TimerRequest) -> None: ...\n"
    )
    assert on_queue.indexed.trigger == QueueTrigger("msg", "requests", "UseThis=1")
    assert on_queue.indexed.outputs == (QueueOutput("out", "results", "UseThis=1"),)
    assert on_request.indexed.trigger == HttpTrigger("req", "things/{id}", frozenset({"GET", "DELETE"}), "anonymous")
    assert on_tick.indexed.trigger == TimerTrigger("tick", "0 0 3 * * *")
    assert [function.wants_context for function in (on_queue, on_request, on_tick)] == [True, False, False]


def test_a_route_defaults_to_the_functions_name_any_verb_and_a_key(load: Load) -> None:
    """Without options, a route has the function's name, accepts any verb and needs a key, as in the cloud."""
    (function,) = load("@app.route()\ndef hello(req: func.HttpRequest) -> func.HttpResponse: ...\n")
    assert function.indexed.trigger == HttpTrigger("req", "hello", None, "function")


@pytest.mark.parametrize(
    "parameters",
    [
        "msg: func.QueueMessage, out: func.Out[list[str]]",
        "msg: func.QueueMessage, out: func.Out[str]",
        "msg: func.QueueMessage, out: func.Out",
        "msg: func.QueueMessage, out: str",
        "msg: func.HttpRequest, out: func.Out[typing.List[str]]",
        "msg: bytes, out: func.Out[typing.List[str]]",
        "msg, out",
        "msg: func.QueueMessage, out: func.Out[typing.List[str]], context: str",
        "msg: func.QueueMessage, out: func.Out[typing.List[str]], extra: str",
        "msg: func.QueueMessage",
    ],
)
def test_parameters_that_the_worker_refuses_or_that_are_not_imitated_are_refused(load: Load, parameters: str) -> None:
    """A parameter that the worker would refuse, such as `Out[list[str]]`, stops the app from loading."""
    with pytest.raises(StartUpFailed, match="function f: parameter"):
        load(with_queues(parameters))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("1 / 0\n", "ZeroDivisionError"),
        ("other = func.FunctionApp()\n", "found 2"),
        ("del app\n", "found 0"),
        ("@app.blob_trigger('b', 'path', 'Conn')\ndef f(b): ...\n", "blobTrigger is not imitated"),
        (on_queue("'%NONE%', 'Conn', data_type=func.DataType.BINARY"), "%NONE%"),
        (on_queue("'q', 'Nowhere', data_type=func.DataType.BINARY"), "Nowhere"),
        (on_queue("'q', 'Conn'"), "must ask for bytes"),
        ("@app.route('a')\ndef f(req): ...\n@app.route('b')\ndef f(req): ...\n", "unique function name"),
        ("@app.route('a')\ndef f(req: func.HttpRequest) -> str: ...\n", "return value of type"),
        ("@app.route('a')\nasync def f(req: func.HttpRequest) -> func.HttpResponse: ...\n", "async functions"),
        ("@app.route('a/{id:int}')\ndef f(req: func.HttpRequest) -> func.HttpResponse: ...\n", "not imitated"),
        ("@app.timer_trigger('t', '1', run_on_startup=True)\ndef f(t: func.TimerRequest): ...\n", "run_on_startup"),
        ("@app.retry('fixed_delay', '1', delay_interval='00:00:01')\n" + on_queue("'q', 'Conn'"), "retry policies"),
    ],
)
def test_one_bad_function_keeps_the_whole_app_from_loading(load: Load, source: str, reason: str) -> None:
    """One invalid function stops the whole app from loading, with a reason."""
    with pytest.raises(StartUpFailed, match=reason):
        load(source)


def test_an_app_directory_without_the_entry_file_is_refused(tmp_path: Path) -> None:
    """A directory without function_app.py is refused, naming the file."""
    with pytest.raises(StartUpFailed, match=r"function_app\.py"):
        index_app(tmp_path, AppSettings({}))
