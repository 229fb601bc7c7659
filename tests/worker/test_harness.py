"""The harness itself, tested with a tiny app inside the genuine worker library."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker.harness import WorkerHarness
from tests.worker.payloads import Delivery
from tests.worker.results import HarnessError, IndexingFailed

SAMPLE = Path(__file__).with_name("sample_app.py")


@pytest.fixture
def app_dir(tmp_path: Path) -> Path:
    """A directory with the sample app."""
    shutil.copy(SAMPLE, tmp_path / "function_app.py")
    return tmp_path


@pytest.fixture
def worker(app_dir: Path) -> Iterator[WorkerHarness]:
    """The worker with the sample app, on four threads."""
    with WorkerHarness(app_dir, env={"PYTHON_THREADPOOL_THREAD_COUNT": "4"}) as opened:
        yield opened


def test_functions_are_announced_with_their_bindings(worker: WorkerHarness) -> None:
    """The worker announces each function with the route, verbs, level and queues of its decorators."""
    assert set(worker.functions()) == {"submit", "worker", "worker_of_texts", "nightly"}
    submit = worker.function("submit")
    assert (submit.route, submit.auth_level) == ("jobs/{job_id}/tasks/{task_id}", "function")
    assert submit.methods == {"DELETE", "POST"}
    assert worker.function("worker").outputs["results"]["queueName"] == "results"
    assert worker.function("worker_of_texts").is_async


def test_an_http_function_answers(worker: WorkerHarness) -> None:
    """An HTTP function gets its headers in any case and no empty query values, and its answer is returned."""
    result = worker.invoke_http(
        "submit",
        "DELETE",
        headers={"X-Test": "yes"},
        query={"timeout": "3", "empty": ""},
        route_params={"job_id": "j", "task_id": "t"},
        body=b"why",
    ).unwrap()
    assert result.answer().status == 202
    assert result.answer().headers == {"x-one": "1", "content-type": "application/json"}
    assert result.answer().json() == {
        "task": "t",
        "verb": "DELETE",
        "header": "yes",
        "query": {"timeout": "3"},
        "body": "why",
        "invocation": result.invocation_id,
    }


def test_a_queue_function_gets_its_delivery_and_its_output_is_kept(worker: WorkerHarness) -> None:
    """A binary queue trigger gets the service's message id even if the body has an `id`; its output is kept."""
    result = worker.invoke_queue("worker", b'{"id": "spoofed"}', Delivery(message_id="m-1", dequeue_count=3))
    (message,) = result.unwrap().messages("results")
    assert json.loads(message) == {"id": "m-1", "count": 3, "body": '{"id": "spoofed"}'}


def test_a_text_trigger_is_not_served(worker: WorkerHarness) -> None:
    """The harness refuses a text trigger, whose metadata the real host overwrites from JSON bodies."""
    with pytest.raises(HarnessError, match="does not ask for bytes"):
        worker.invoke_queue("worker_of_texts", b'{"id": "spoofed"}', Delivery(message_id="m-1"))


@pytest.mark.parametrize(("body", "error", "crashed"), [(b"raise", "cannot process", False), (b"exit", "3", True)])
def test_a_failed_invocation_sends_nothing(worker: WorkerHarness, body: bytes, error: str, crashed: bool) -> None:
    """A failed invocation keeps none of its outputs, and the harness goes on even if the process would end."""
    result = worker.invoke_queue("worker", body)
    assert not result.succeeded
    assert error in str(result.error)
    assert result.crashed is crashed
    assert result.messages("results") == []
    assert worker.invoke_queue("worker", b"next").succeeded


def test_logs_are_kept_apart_by_invocation(worker: WorkerHarness) -> None:
    """Concurrent invocations do not mix their logs."""
    results = worker.wait([worker.submit_queue("worker", b"n%d" % number) for number in range(20)])
    texts = [[r.getMessage() for r in result.logs if r.name == "sample"] for result in results]
    assert texts == [[f"got n{number}"] for number in range(20)]


def test_synchronous_functions_run_side_by_side_on_the_threads_given(worker: WorkerHarness) -> None:
    """Synchronous functions run in parallel on as many threads as the harness was given."""
    results = worker.wait([worker.submit_queue("worker", b"meet") for _ in range(8)])
    assert all(result.succeeded for result in results)


def test_a_timer_function_gets_its_tick(worker: WorkerHarness) -> None:
    """A timer function is told whether its tick is late."""
    (record,) = [r for r in worker.invoke_timer("nightly", past_due=True).unwrap().logs if r.name == "sample"]
    assert record.getMessage() == "past due True"


def test_closing_puts_the_process_back_as_it_was(app_dir: Path) -> None:
    """Closing the harness restores environment, import path and modules, so that a second app can be loaded."""
    before = (dict(os.environ), list(sys.path), "function_app" in sys.modules)
    with WorkerHarness(app_dir, env={"SOME_SETTING": "1"}):
        assert os.environ["SOME_SETTING"] == "1"
    assert (dict(os.environ), list(sys.path), "function_app" in sys.modules) == before
    (app_dir / "function_app.py").write_text("import azure.functions as func\napp = func.FunctionApp()\n")
    with WorkerHarness(app_dir) as second:
        assert second.functions() == {}


def test_only_one_harness_is_open_at_a_time(worker: WorkerHarness, app_dir: Path) -> None:
    """Opening a second harness raises HarnessError, because the library's state is global."""
    with pytest.raises(HarnessError, match="still open"):
        WorkerHarness(app_dir)


def test_an_app_that_the_worker_refuses_is_reported(app_dir: Path) -> None:
    """An app that cannot be loaded raises IndexingFailed with the worker's own message."""
    (app_dir / "function_app.py").write_text("raise RuntimeError('no such setting')\n")
    with pytest.raises(IndexingFailed, match="no such setting"):
        WorkerHarness(app_dir)
