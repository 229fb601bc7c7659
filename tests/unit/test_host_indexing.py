"""Which apps the local host loads and which it refuses, as the real worker does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devstack.host.app_settings import AppSettings
from devstack.host.bindings import HttpTrigger, IndexedFunction, QueueOutput, QueueTrigger, TimerTrigger
from devstack.host.errors import StartUpFailed
from devstack.host.indexing import index_app

SETTINGS = {"QUEUE": "Requests", "Conn": "UseThis=1"}


Load = Callable[[str], tuple[IndexedFunction, ...]]


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Indexes an app with this source, below the usual imports."""
    path_before = list(sys.path)
    module = f"app_{tmp_path.name}"

    def index(source: str) -> tuple[IndexedFunction, ...]:
        head = "import typing\nimport azure.functions as func\napp = func.FunctionApp()\n"
        (tmp_path / f"{module}.py").write_text(head + source)
        return index_app(tmp_path, AppSettings({**SETTINGS, "PYTHON_SCRIPT_FILE_NAME": f"{module}.py"}))

    yield index
    sys.path[:] = path_before
    sys.modules.pop(module, None)


def with_queues(parameters: str) -> str:
    """A function with a queue trigger `msg` and a queue output `out`."""
    return (
        "@app.queue_trigger('msg', 'requests', 'Conn')\n"
        "@app.queue_output('out', 'results', 'Conn')\n"
        f"def f({parameters}): ...\n"
    )


@pytest.mark.parametrize(
    "parameters",
    [
        "msg: func.QueueMessage, out: func.Out[str]",
        "msg: bytes, out: func.Out[bytes]",
        "msg: str, out: func.Out[typing.List[str]]",
        "msg, out: func.Out[func.QueueMessage]",
        "msg, out",
    ],
)
def test_the_annotations_that_the_worker_takes_are_taken(load: Load, parameters: str) -> None:
    """Each parameter gets a converter."""
    (function,) = load(with_queues(parameters))
    assert set(function.converters) == {"msg", "out"}


def test_context_is_asked_for_by_its_name_alone(load: Load) -> None:
    """An annotation is welcome, but not needed."""
    (function,) = load(with_queues("msg, out, context"))
    assert function.wants_context
    assert set(function.converters) == {"msg", "out"}


@pytest.mark.parametrize(
    "parameters",
    [
        "msg: func.QueueMessage, out: func.Out[list[str]]",
        "msg: func.QueueMessage, out: func.Out[str | None]",
        "msg: func.QueueMessage, out: func.Out",
        "msg: func.QueueMessage, out: func.Out[dict]",
        "msg: func.QueueMessage, out: func.Out[typing.List[func.QueueMessage]]",
        "msg: func.QueueMessage, out: str",
        "msg: func.HttpRequest, out: func.Out[str]",
        "msg: func.Out[str], out: func.Out[str]",
        "msg: func.QueueMessage, out: func.Out[str], context: str",
        "msg: func.QueueMessage, out: func.Out[str], extra: str",
        "msg: func.QueueMessage",
    ],
)
def test_the_annotations_that_the_worker_refuses_are_refused(load: Load, parameters: str) -> None:
    """`Out[list[str]]` among them: in the cloud it keeps every function of the app from loading."""
    with pytest.raises(StartUpFailed, match="function f"):
        load(with_queues(parameters))


def test_triggers_and_outputs_are_read_with_their_settings(load: Load) -> None:
    """Placeholders are resolved, queue names lower-cased, verbs and levels taken over."""
    on_queue, on_request, on_tick = load(
        "@app.queue_trigger('msg', '%QUEUE%', 'Conn', data_type=func.DataType.BINARY)\n"
        "@app.queue_output('$return', 'Results', 'Conn')\n"
        "def on_queue(msg: func.QueueMessage) -> bytes: ...\n"
        "@app.route('things/{id}', methods=['GET', 'DELETE'], auth_level='anonymous')\n"
        "async def on_request(req: func.HttpRequest) -> func.HttpResponse: ...\n"
        "@app.timer_trigger('tick', '0 0 3 * * *', run_on_startup=True)\n"
        "def on_tick(tick: func.TimerRequest) -> None: ...\n"
    )
    assert on_queue.trigger == QueueTrigger("msg", "requests", "UseThis=1", binary=True)
    assert on_queue.outputs == (QueueOutput("$return", "results", "UseThis=1"),)
    assert on_request.trigger == HttpTrigger("req", "things/{id}", frozenset({"GET", "DELETE"}), "anonymous")
    assert on_tick.trigger == TimerTrigger("tick", "0 0 3 * * *", run_on_startup=True)
    assert [function.is_async for function in (on_queue, on_request, on_tick)] == [False, True, False]


def test_a_route_defaults_to_the_functions_name_any_verb_and_a_key(
    load: Load,
) -> None:
    """As in the cloud."""
    (function,) = load("@app.route()\ndef hello(req: func.HttpRequest) -> str: ...\n")
    assert function.trigger == HttpTrigger("req", "hello", None, "function")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("1 / 0\n", "ZeroDivisionError"),
        ("other = func.FunctionApp()\n", "found 2"),
        ("del app\n", "found 0"),
        ("@app.blob_trigger('b', 'path', 'Conn')\ndef f(b): ...\n", "blobTrigger"),
        ("@app.queue_trigger('m', '%NONE%', 'Conn')\ndef f(m): ...\n", "%NONE%"),
        ("@app.queue_trigger('m', 'q', 'Nowhere')\ndef f(m): ...\n", "Nowhere"),
        ("@app.route('a')\ndef f(req): ...\n@app.route('b')\ndef f(req): ...\n", "unique function name"),
        ("@app.route('a')\ndef f(req: func.QueueMessage) -> str: ...\n", "does not fit"),
    ],
)
def test_one_bad_function_keeps_the_whole_app_from_loading(load: Load, source: str, reason: str) -> None:
    """The reason says what to look for."""
    with pytest.raises(StartUpFailed, match=reason):
        load(source)


def test_an_app_directory_without_the_entry_file_is_refused(tmp_path: Path) -> None:
    """The file's name is in the reason."""
    with pytest.raises(StartUpFailed, match=r"function_app\.py"):
        index_app(tmp_path, AppSettings({}))
