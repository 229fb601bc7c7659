"""Invalid items of a message: each is reported, and kept once as it was sent."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

import pytest

from tests.fakes.app import ACCOUNT, World
from tests.fakes.calls import ask, call

OTHER = "https://other.region.batch.azure.com"


def letters(world: World) -> list[dict[str, Any]]:
    """The dead letters in full, in the order of the results."""
    routes = [{"id": result["id"]} for result in world.results()]
    return [ask(world.app.dead_letters.one, call(route=route)).content for route in routes]


@pytest.mark.parametrize("form", [{"taskId": "t", "ifmatch": "x"}, {"taskIds": ["t/x"]}])
def test_what_is_rejected_of_a_dry_run_says_so(world: World, form: dict[str, Any]) -> None:
    """A rejected dry run is marked, so that consumers who ignore dry runs do not mistake it for a real request."""
    world.put({"clientRequestId": str(uuid.uuid4()), "jobId": "job-1", "dryRun": True} | form)
    world.settle()
    assert [(r["data"]["outcome"], r["data"]["dryRun"]) for r in world.results()] == [("rejected", True)]


def test_a_rejected_result_names_its_message(world: World) -> None:
    """A rejected result carries the message's id, which may be all that its sender knows."""
    world.put("nonsense")
    (message,) = world.messages()
    world.settle()
    (result,) = world.results()
    assert result["data"]["messageId"] == message.id


def test_no_other_result_has_the_id_of_a_message(world: World) -> None:
    """The result of a valid request carries no message id."""
    world.put_request()
    world.settle()
    assert "messageId" not in world.results()[0]["data"]


@pytest.mark.parametrize("encode", [str, lambda text: base64.b64encode(text.encode()).decode()], ids=["json", "base64"])
def test_each_dead_letter_holds_its_item_alone(world: World, encode: Any) -> None:
    """The dead letter of an invalid item holds exactly that item's text as it was sent."""
    items = ['{"jobId": "!"}', '{"jobId" : "a", "jobId":"b"}', "5", "NaN"]
    world.put(encode('{"requests": [' + ", ".join(items) + "]}"))
    world.settle()
    assert [letter["body"] for letter in letters(world)] == items


def test_an_item_of_task_ids_is_its_id(world: World) -> None:
    """The dead letter of an invalid task id holds that id, and its result the fields of the envelope."""
    parent = str(uuid.uuid4())
    body = {"clientRequestId": parent, "jobId": "job-1", "taskIds": ["../x", "ok"], "metadata": {"k": "v"}}
    world.put(body)
    world.settle()
    rejected = next(r["data"] for r in world.results() if r["data"]["outcome"] == "rejected")
    assert (rejected["jobId"], rejected["parentId"], rejected["metadata"]) == ("job-1", parent, {"k": "v"})
    (body_kept,) = [letter["body"] for letter in letters(world) if letter.get("outcome") == "rejected"]
    assert body_kept == '"../x"'


@pytest.mark.parametrize("form", ["requests", "taskIds"])
def test_invalid_items_beyond_the_hundredth_come_together(world: World, form: str) -> None:
    """Invalid items beyond the hundredth share one result and one dead letter that states their number."""
    if form == "requests":
        world.put({"requests": [{"jobId": f"!{n}"} for n in range(1_000)]})
    else:
        ids = {"clientRequestId": str(uuid.uuid4()), "jobId": "job-1", "taskIds": [f"!{n}" for n in range(3_000)]}
        world.put(ids)
    size = len(world.messages()[0].text)
    world.settle()

    assert (len(world.results()), len(letters(world))) == (101, 101)
    together = world.results()[-1]["data"]["error"]
    count = 900 if form == "requests" else 2_900
    assert together["message"]["value"] == f"{count} more items of the message are not valid."
    assert len(together["values"]) == 100
    assert together["values"][0]["key"].startswith(f"/{form}/100")
    assert letters(world)[-1]["error"] == together
    assert len(json.loads(letters(world)[-1]["body"])[form]) == count
    assert sum(len(letter["body"]) for letter in letters(world)) <= size


def test_a_refusal_names_an_account_of_the_list_alone(world: World) -> None:
    """A rejected result has an account from the allow list as its source, never the text in the message."""
    world.put({"batchUrl": OTHER})
    world.settle()
    assert world.results()[0]["source"] == ACCOUNT
