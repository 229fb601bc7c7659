"""The app in the genuine Python worker library, on a real storage emulator, identity endpoint and Batch account."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.storage.queue import QueueServiceClient

from devstack.azurite import Azurite
from devstack.batch import BatchSimulator
from shared.ledger.record import Key
from shared.request.model import derived_id
from tests.worker.harness import WorkerHarness
from tests.worker.payloads import Delivery

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def worker(settings: dict[str, str]) -> Iterator[WorkerHarness]:
    """The worker with the app in it."""
    with WorkerHarness(ROOT, env=settings) as opened:
        yield opened


def request(task: str = "t-1", **fields: Any) -> dict[str, Any]:
    """A valid request."""
    return {"clientRequestId": str(uuid.uuid4()), "jobId": "job-1", "taskId": task, **fields}


def results(worker: WorkerHarness, body: object, **delivery: Any) -> list[dict[str, Any]]:
    """The results that one delivery of a message leaves in the output binding."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = worker.invoke_queue("delete_tasks", raw, Delivery(**delivery)).unwrap()
    return [json.loads(base64.b64decode(text)) for text in found.messages("results")]


def test_the_functions_are_those_of_the_contract(worker: WorkerHarness, settings: dict[str, str]) -> None:
    """Queue triggers bind to the configured queues as binary, and all routes but health and page need a key."""
    queues = {
        name: (record.trigger["queueName"], record.trigger["dataType"], record.trigger["connection"])
        for name, record in worker.functions().items()
        if record.trigger_type == "queueTrigger"
    }
    assert queues == {
        "delete_tasks": ("%REQUEST_QUEUE_NAME%", "BINARY", "TaskDeleteStorage"),
        "end_poisoned_requests": ("%REQUEST_QUEUE_NAME%-poison", "BINARY", "TaskDeleteStorage"),
        "clean_up_job": ("%JOB_COMPLETION_QUEUE_NAME%", "BINARY", "TaskDeleteStorage"),
        "end_poisoned_clean_ups": ("%JOB_COMPLETION_QUEUE_NAME%-poison", "BINARY", "TaskDeleteStorage"),
    }
    levels = {r.route: r.auth_level for r in worker.functions().values() if r.trigger_type == "httpTrigger"}
    assert {route for route, level in levels.items() if level == "anonymous"} == {"health", "operations"}
    assert not any(record.is_async for record in worker.functions().values())


def test_a_message_is_carried_out(worker: WorkerHarness, batch_simulator: BatchSimulator) -> None:
    """A request's message leads to one authorised DELETE and one result in the output binding."""
    batch_simulator.seed(id="job-1", state="active", tasks=[{"id": "t-1"}])
    body = request()
    (result,) = results(worker, body)
    assert result["data"]["outcome"] == "deleted"
    (entry,) = batch_simulator.journal.entries("task-delete")
    assert entry.authorized
    assert entry.headers["client-request-id"] == body["clientRequestId"]


def test_a_redelivery_is_told_from_a_duplicate(worker: WorkerHarness, batch_simulator: BatchSimulator) -> None:
    """A redelivery and a duplicate publish the stored result; only the duplicate is marked as replayed."""
    batch_simulator.seed(id="job-1", state="active", tasks=[{"id": "t-1"}])
    body, message_id = request(), str(uuid.uuid4())
    (first,) = results(worker, body, message_id=message_id)
    (again,) = results(worker, body, message_id=message_id, dequeue_count=2)
    (other,) = results(worker, body)
    assert first["id"] == again["id"] == other["id"]
    assert (again["data"]["replayed"], other["data"]["replayed"]) == (False, True)
    assert len(batch_simulator.journal.entries("task-delete")) == 1


def test_refused_access_is_told_in_the_log_of_its_invocation(
    worker: WorkerHarness, settings: dict[str, str], azurite: Azurite, batch_simulator: BatchSimulator
) -> None:
    """Refused access is logged within its invocation, even by parallel DELETEs, so the host keeps the lines."""
    batch_simulator.seed(id="job-1", state="active", tasks={"count": 400, "prefix": "t-"})
    batch_simulator.fault(operation="task-delete", status=403)
    parent = str(uuid.uuid4())
    names = [f"t-{n}" for n in range(1, 400)]
    pair = [name for name in names if Key(derived_id(parent, "job-1", name)).bucket == "a"][:2]
    body = {"clientRequestId": parent, "jobId": "job-1", "taskIds": pair}
    worker.invoke_http("submit_task_deletion", "POST", body=json.dumps(body).encode())
    service = QueueServiceClient.from_connection_string(azurite.connection_string)
    (message,) = service.get_queue_client(settings["REQUEST_QUEUE_NAME"]).receive_messages()
    done = worker.invoke_queue("delete_tasks", message.content.encode()).unwrap()
    lines = [record.getMessage() for record in done.logs if "batch_access_refused" in record.getMessage()]
    assert len(lines) == 2
    assert all(f"status=403 account={batch_simulator.url} " in line for line in lines)


def test_names_in_the_body_do_not_reach_the_metadata(worker: WorkerHarness) -> None:
    """Properties of a JSON body, such as `id`, do not replace the trigger's metadata."""
    body = request() | {"id": "x", "dequeueCount": 99, "insertionTime": "nonsense"}
    (result,) = results(worker, body)
    assert result["data"]["outcome"] == "rejected"
    assert {value["key"] for value in result["data"]["error"]["values"]} == {"/id", "/dequeueCount", "/insertionTime"}


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"nonsense", b"[" * 5_000, b"\x00", "{}".encode("utf-16")])
def test_hostile_bytes_end_as_rejected(worker: WorkerHarness, raw: bytes) -> None:
    """Any bytes on the request queue end as a rejected result."""
    (result,) = results(worker, raw)
    assert result["data"]["outcome"] == "rejected"


def test_a_stale_delivery_fails_its_invocation(worker: WorkerHarness, batch_simulator: BatchSimulator) -> None:
    """A delivery that the host may soon repeat fails its invocation and sends no DELETE."""
    soon = datetime.now(UTC) + timedelta(seconds=5)
    failed = worker.invoke_queue("delete_tasks", json.dumps(request()).encode(), Delivery(next_visible=soon))
    assert not failed.succeeded
    assert "StaleDelivery" in (failed.stack_trace or "")
    assert batch_simulator.journal.entries("task-delete") == []


def test_http_accepts_and_tells_the_status(worker: WorkerHarness, settings: dict[str, str], azurite: Azurite) -> None:
    """A request over HTTP is answered with 202, queued, carried out, and its status can be read."""
    body = request()
    answer = worker.invoke_http("submit_task_deletion", "POST", body=json.dumps(body).encode()).unwrap().answer()
    assert answer.status == 202
    assert answer.headers["location"] == f"/api/task-deletions/{body['clientRequestId']}"
    assert answer.headers["client-request-id"] == body["clientRequestId"]
    queue = QueueServiceClient.from_connection_string(azurite.connection_string).get_queue_client(
        settings["REQUEST_QUEUE_NAME"]
    )
    (message,) = queue.receive_messages()
    (result,) = results(worker, message.content.encode())
    assert result["data"]["origin"] == "http"
    status = worker.invoke_http(
        "get_task_deletion", "GET", route_params={"clientRequestId": body["clientRequestId"]}
    ).answer()
    assert status.json()["result"] == result


def test_the_rest_operation_answers_as_batch_does(worker: WorkerHarness, batch_simulator: BatchSimulator) -> None:
    """The REST operation answers with Batch's status, error body and ids."""
    batch_simulator.seed(id="job-1", state="active", tasks=[{"id": "t-1"}])
    route = {"jobId": "job-1", "taskId": "t-1"}
    first, second = (worker.invoke_http("delete_task", "DELETE", route_params=route).answer() for _ in range(2))
    assert (first.status, first.body) == (200, b"")
    assert "content-type" not in first.headers
    assert (second.status, second.json()["code"]) == (404, "TaskNotFound")
    entries = batch_simulator.journal.entries("task-delete")
    assert len(entries) == 2
    assert first.headers["client-request-id"] == entries[0].headers["client-request-id"]


def test_health_looks_at_the_real_things(worker: WorkerHarness) -> None:
    """Health answers 200 when storage, identity and settings are in order."""
    answer = worker.invoke_http("get_health").answer()
    assert (answer.status, answer.json()["status"]) == (200, "ok")


def test_wrong_settings_leave_the_functions_loaded(settings: dict[str, str]) -> None:
    """With invalid settings, health names them, other calls answer 503, and queue functions fail."""
    wrong = settings | {"BATCH_ACCOUNT_URLS": "http://example.org", "BATCH_MAX_ATTEMPTS": "0"}
    with WorkerHarness(ROOT, env=wrong) as worker:
        health = worker.invoke_http("get_health").answer()
        assert health.status == 503
        assert "BATCH_ACCOUNT_URLS" in health.json()["checks"]["settings"]
        assert "BATCH_MAX_ATTEMPTS" in health.json()["checks"]["settings"]
        call = worker.invoke_http("submit_task_deletion", "POST", body=b"{}").answer()
        assert (call.status, call.json()["code"]) == (503, "InvalidConfiguration")
        assert {value["key"] for value in call.json()["values"]} == {"BATCH_ACCOUNT_URLS", "BATCH_MAX_ATTEMPTS"}
        failed = worker.invoke_queue("delete_tasks", json.dumps(request()).encode())
        assert "InvalidConfiguration" in (failed.error or "")


def test_storage_that_is_down_promises_nothing(settings: dict[str, str]) -> None:
    """If storage cannot be reached, a call answers 503 with `Retry-After` and the request's id."""
    down = "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=a2V5;"
    down += "QueueEndpoint=http://127.0.0.1:9/a;TableEndpoint=http://127.0.0.1:9/a;"
    with WorkerHarness(ROOT, env=settings | {"TaskDeleteStorage": down}) as worker:
        body = request()
        answer = worker.invoke_http("submit_task_deletion", "POST", body=json.dumps(body).encode()).answer()
        assert (answer.status, answer.json()["code"]) == (503, "StorageUnavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["client-request-id"] == body["clientRequestId"]


def test_wrong_settings_are_told_with_the_id_of_the_call(settings: dict[str, str]) -> None:
    """The 503 for invalid settings has the call's id, as far as it can be read without the app."""
    known = str(uuid.uuid4())
    with WorkerHarness(ROOT, env=settings | {"BATCH_MAX_ATTEMPTS": "0"}) as worker:
        route = {"jobId": "job-1", "taskId": "t-1"}
        by_header = worker.invoke_http(
            "delete_task", "DELETE", route_params=route, headers={"client-request-id": known}
        )
        by_route = worker.invoke_http("get_task_deletion", route_params={"clientRequestId": known})
        for answer in (by_header.answer(), by_route.answer()):
            assert (answer.status, answer.json()["values"][0]["key"]) == (503, "BATCH_MAX_ATTEMPTS")
            assert answer.headers["client-request-id"] == known


def test_what_the_host_gave_up_ends_and_can_be_redriven(
    worker: WorkerHarness, settings: dict[str, str], azurite: Azurite, batch_simulator: BatchSimulator
) -> None:
    """The poison function publishes a result and keeps a dead letter, whose redrive queues the request."""
    batch_simulator.seed(id="job-1", state="active", tasks=[{"id": "t-1"}])
    body = request()
    worker.invoke_queue("end_poisoned_requests", json.dumps(body).encode()).unwrap()
    service = QueueServiceClient.from_connection_string(azurite.connection_string)
    (sent,) = service.get_queue_client(settings["RESULT_QUEUE_NAME"]).receive_messages()
    assert json.loads(base64.b64decode(sent.content))["data"]["outcome"] == "exhausted"
    (letter,) = worker.invoke_http("list_dead_letters").answer().json()["value"]
    assert letter["reason"] == "DeliveriesExhausted"
    route = {"id": letter["id"]}
    assert json.loads(worker.invoke_http("get_dead_letter", route_params=route).answer().json()["body"]) == body
    many = json.dumps({"dryRun": True, "all": True}).encode()
    assert worker.invoke_http("redrive_dead_letters", "POST", body=many).answer().json()["ids"] == [letter["id"]]
    assert worker.invoke_http("redrive_dead_letter", "POST", route_params=route).answer().status == 202
    (message,) = service.get_queue_client(settings["REQUEST_QUEUE_NAME"]).receive_messages()
    (result,) = results(worker, message.content.encode())
    assert (result["data"]["outcome"], result["data"]["origin"]) == ("deleted", "redrive")


def test_a_job_is_cleaned_up(
    worker: WorkerHarness, settings: dict[str, str], azurite: Azurite, batch_simulator: BatchSimulator
) -> None:
    """An event over HTTP cleans up its job through real messages, and its progress shows the counts."""
    batch_simulator.seed(id="job-1", state="completed", tasks={"count": 3})
    body = {"clientRequestId": str(uuid.uuid4()), "jobId": "job-1"}
    accepted = worker.invoke_http("submit_job_completion", "POST", body=json.dumps(body).encode()).answer()
    assert accepted.status == 202
    service = QueueServiceClient.from_connection_string(azurite.connection_string)
    (event,) = service.get_queue_client(settings["JOB_COMPLETION_QUEUE_NAME"]).receive_messages()
    listed = worker.invoke_queue("clean_up_job", event.content.encode(), Delivery(message_id=event.id)).unwrap()
    (closing,) = (json.loads(base64.b64decode(text)) for text in listed.messages("results"))
    assert (closing["type"], closing["data"]["listed"]) == ("batch.job-cleanup.listed", 3)
    for message in service.get_queue_client(settings["REQUEST_QUEUE_NAME"]).receive_messages():
        results(worker, message.content.encode())
    progress = worker.invoke_http("get_job_completion", route_params={"id": body["clientRequestId"]}).answer().json()
    assert (progress["state"], progress["done"]) == ("listed", {"deleted": 3})
    # A late poison copy of a clean-up that has ended only says so once more, under the same id.
    worker.invoke_queue("end_poisoned_clean_ups", event.content.encode()).unwrap()
    (again,) = service.get_queue_client(settings["RESULT_QUEUE_NAME"]).receive_messages()
    assert json.loads(base64.b64decode(again.content))["id"] == closing["id"]


def test_a_sender_of_cloud_events_is_let_in(worker: WorkerHarness) -> None:
    """The CloudEvents webhook handshake is answered with the sender's origin."""
    headers = {"WebHook-Request-Origin": "eventgrid.azure.net", "WebHook-Request-Rate": "120"}
    answer = worker.invoke_http("submit_job_completion", "OPTIONS", headers=headers).answer()
    assert (answer.status, answer.headers["webhook-allowed-origin"]) == (200, "eventgrid.azure.net")
    assert answer.headers["webhook-allowed-rate"] == "*"


def test_the_timers_look_after_the_tables_and_tell_of_the_queues(worker: WorkerHarness) -> None:
    """The timers log the depths of the four input queues and run the daily round."""
    depths = worker.invoke_timer("report_queue_depths").unwrap()
    lines = [record.getMessage() for record in depths.logs if record.getMessage().startswith("queue_depth ")]
    assert len(lines) == 4
    assert all("depth=0 oldest_age_seconds=0" in line for line in lines)
    assert worker.invoke_timer("keep_house").succeeded


def test_a_request_is_taken_back_before_it_is_begun(worker: WorkerHarness) -> None:
    """A scheduled request can be cancelled: 200 with the outcome `cancelled`."""
    body = request(deleteAfter="P1D")
    worker.invoke_http("submit_task_deletion", "POST", body=json.dumps(body).encode())
    route = {"clientRequestId": body["clientRequestId"]}
    answer = worker.invoke_http("cancel_task_deletion", "DELETE", route_params=route).answer()
    assert (answer.status, answer.json()["result"]["data"]["outcome"]) == (200, "cancelled")


def test_the_description_is_served(worker: WorkerHarness) -> None:
    """The OpenAPI 3.1 description is served."""
    assert worker.invoke_http("get_openapi").answer().json()["openapi"].startswith("3.1")


def test_many_at_once_have_one_effect(worker: WorkerHarness, batch_simulator: BatchSimulator) -> None:
    """Twenty simultaneous copies of one request, from queue and HTTP, lead to one DELETE and one result id."""
    batch_simulator.seed(id="job-1", state="active", tasks=[{"id": "t-1"}])
    body = request()
    raw = json.dumps(body).encode()
    pending = [worker.submit_queue("delete_tasks", raw) for _ in range(10)]
    pending += [worker.submit_http("submit_task_deletion", "POST", body=raw) for _ in range(10)]
    found = worker.wait(pending)
    ids = {
        json.loads(base64.b64decode(text))["id"] for one in found if one.succeeded for text in one.messages("results")
    }
    assert len(ids) == 1
    assert len(batch_simulator.journal.entries("task-delete")) == 1
    assert all(one.answer().status in {200, 202} for one in found[10:])


def test_what_operators_do_is_logged_with_who_asked(
    worker: WorkerHarness, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log names the signed-in user, and never a name that a caller could have forged."""
    worker.invoke_queue("end_poisoned_requests", json.dumps(request()).encode()).unwrap()
    (letter,) = worker.invoke_http("list_dead_letters").answer().json()["value"]
    route, headers = {"id": letter["id"]}, {"X-MS-CLIENT-PRINCIPAL-NAME": "ann@example.org"}

    def lines(name: str, method: str) -> list[str]:
        done = worker.invoke_http(name, method, route_params=route, headers=headers)
        assert done.answer().status in {202, 204}
        return [r.getMessage() for r in done.logs if r.getMessage().startswith("call ")]

    assert lines("redrive_dead_letter", "POST")[0].endswith("asked_by=None")
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "True")
    assert lines("settle_dead_letter", "DELETE")[0].endswith("asked_by=ann@example.org")
    found = worker.invoke_http("get_dead_letter", route_params=route).answer().json()
    assert (found["redrivenBy"], found["settledBy"]) == (None, "ann@example.org")


def test_settling_has_no_content(worker: WorkerHarness) -> None:
    """Settling a dead letter answers 204, without body or content type."""
    worker.invoke_queue("end_poisoned_requests", json.dumps(request()).encode()).unwrap()
    (letter,) = worker.invoke_http("list_dead_letters").answer().json()["value"]
    answer = worker.invoke_http("settle_dead_letter", "DELETE", route_params={"id": letter["id"]}).answer()
    assert (answer.status, answer.body) == (204, b"")
    assert "content-type" not in answer.headers


def test_the_summary_counts_what_is_there(worker: WorkerHarness, settings: dict[str, str]) -> None:
    """The summary shows the depths of all queues and counts dead letters by reason."""
    worker.invoke_queue("end_poisoned_requests", json.dumps(request()).encode()).unwrap()
    found = worker.invoke_http("get_summary").answer().json()
    inputs = [settings["REQUEST_QUEUE_NAME"], settings["JOB_COMPLETION_QUEUE_NAME"]]
    names = [*inputs, *(f"{name}-poison" for name in inputs), settings["RESULT_QUEUE_NAME"]]
    assert [queue["name"] for queue in found["queues"]] == names
    assert [queue["depth"] for queue in found["queues"]] == [0, 0, 0, 0, 1]
    assert found["deadLetters"]["byReason"] == [{"reason": "DeliveriesExhausted", "count": 1}]


def test_a_timer_that_ran_is_remembered(worker: WorkerHarness) -> None:
    """A timer's run is recorded, so `health` can tell when the timer stops."""
    worker.invoke_timer("report_queue_depths").unwrap()
    assert worker.invoke_http("get_health").answer().json()["checks"]["timers"] == "ok"


def test_the_page_is_a_document_with_its_policy(worker: WorkerHarness) -> None:
    """The operator's page is HTML with a content policy that has a new nonce each time."""
    first, second = (worker.invoke_http("get_operations_page", query={"code": "key"}).answer() for _ in range(2))
    assert first.status == 200
    assert first.headers["content-type"] == "text/html; charset=utf-8"
    assert "frame-ancestors 'none'" in first.headers["content-security-policy"]
    assert first.headers["content-security-policy"] != second.headers["content-security-policy"]
    assert first.body.startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize(
    "name",
    ["get_health", "get_openapi", "get_operations_page", "get_summary", "list_dead_letters", "get_task_deletion"],
)
def test_no_call_takes_a_parameter_that_it_does_not_know(worker: WorkerHarness, name: str) -> None:
    """A call with an unknown query parameter is refused with 400, pointing at it."""
    answer = worker.invoke_http(name, query={"whatever": "1"}, route_params={"clientRequestId": str(uuid.uuid4())})
    assert (answer.answer().status, answer.answer().json()["values"][0]["key"]) == (400, "query:whatever")
