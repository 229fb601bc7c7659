"""`dead-letters`, `redrive` and `settle`: pages, filters, confirmation, and bulk passes."""

from __future__ import annotations

from typing import Any

import pytest

from devstack.http1 import Answer
from tests.contract.cli.command import Command
from tests.contract.cli.played_app import CUT, LOST, Call, PlayedApp, answer, error
from tests.contract.cli.terminal import on_terminal

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
OTHER = "1f8fad5b-d9cb-469f-a165-70867728950e"
BEFORE = "2026-11-29T10:00:00.000Z"


class Letters:
    """Dead letters that can be redriven and settled in bulk, played as the API does it."""

    def __init__(self, app: PlayedApp, number: int) -> None:
        self.open = [f"letter-{n}" for n in range(number)]
        self.taken: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        app.routes["POST /dead-letters/redrive"] = self._take
        app.routes["POST /dead-letters/settle"] = self._take

    def _take(self, call: Call) -> Answer:
        body = call.body
        self.bodies.append(body)
        place = int(body.get("continuation", "0"))
        reached = [letter for letter in self.open if int(letter.partition("-")[2]) >= place]
        matched = reached[: body["most"]]
        more = len(reached) > len(matched)
        place = int(matched[-1].partition("-")[2]) + 1 if matched else place
        counts = {"matched": len(matched), "before": BEFORE, "more": more, "continuation": str(place) if more else None}
        if body.get("dryRun"):
            return answer(200, {"dryRun": True, **counts})
        self.taken += matched
        self.open = [letter for letter in self.open if letter not in matched]
        return answer(
            202, {"dryRun": False, "redriven" if "redrive" in call.path else "settled": len(matched), **counts}
        )

    @property
    def acts(self) -> list[dict[str, Any]]:
        return [body for body in self.bodies if not body.get("dryRun")]


def test_all_pages_are_listed(app: PlayedApp, command: Command) -> None:
    """`dead-letters` lists all pages, also past an empty one, and with `--json` prints one record per line."""
    pages = {"": (["a", "b"], "1"), "1": ([], "2"), "2": (["c"], None)}

    def page(call: Call) -> Answer:
        ids, more = pages[call.query.get("continuation", "")]
        return answer(200, {"value": [{"id": one} for one in ids], "continuation": more})

    app.routes["GET /dead-letters"] = page
    assert [one["id"] for one in command("dead-letters", "--json").documents] == ["a", "b", "c"]
    assert [line.split()[0] for line in command("dead-letters").out.splitlines()] == ["id", "a", "b", "c"]


def test_the_filters_are_those_of_the_api(app: PlayedApp, command: Command) -> None:
    """Each filter option of `dead-letters` is sent as its query parameter."""
    app.routes["GET /dead-letters"] = {"value": [], "continuation": None}
    options = "--outcome failed --reason X --job j --queue q --settled"
    ended = command("dead-letters", *options.split(), "--since", "2026-11-01T00:00:00Z", "--before", BEFORE)
    assert ended.code == 0
    query = {"outcome": "failed", "reason": "X", "jobId": "j", "queue": "q", "settled": "true"}
    assert app.calls[0].query == query | {"since": "2026-11-01T00:00:00Z", "before": BEFORE, "top": "200"}


def test_one_letter_is_shown_whole(app: PlayedApp, command: Command) -> None:
    """`dead-letters ID` shows the dead letter with its body, whose control characters are escaped."""
    app.routes[f"GET /dead-letters/{ID}"] = {"id": ID, "body": '{"jobId": "\x1b[31m"}', "bodyEncoding": "utf-8"}
    ended = command("dead-letters", ID)
    assert ended.code == 0
    assert "\\x1b[31m" in ended.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["dead-letters", ID, "--reason", "X"],
        ["dead-letters", "--reason", ""],
        ["dead-letters", "--since", "yesterday"],
        ["dead-letters", "--since", "2026-11-29T10:00:00"],
        ["redrive"],
        ["settle"],
        ["redrive", "--yes"],
        ["redrive", "--most", "5", "--yes"],
        ["redrive", ID, "--all"],
        ["redrive", ID, "--most", "1"],
        ["redrive", "--all", "--per-second", "0", "--yes"],
        ["redrive", "--all", "--most", "0", "--yes"],
        ["redrive", "--all", "--reason", " ", "--yes"],
        ["settle", "--all", "--per-second", "5", "--yes"],
    ],
)
def test_what_cannot_be_meant_is_2(app: PlayedApp, command: Command, arguments: list[str]) -> None:
    """Empty or invalid filters, or none without `--all`, end the command with code 2 before any call."""
    assert command(*arguments).code == 2
    assert app.calls == []


@pytest.mark.parametrize("name", ["redrive", "settle"])
def test_without_a_terminal_nothing_is_done_without_yes(app: PlayedApp, command: Command, name: str) -> None:
    """Without a terminal, bulk `redrive` and `settle` need `--yes`; without it they end with code 2 and do nothing."""
    letters = Letters(app, 3)
    ended = command(name, "--all", stdin=b"y\n")
    assert ended.code == 2
    assert "--yes" in ended.err
    assert letters.bodies == []


def test_one_pass_goes_to_its_end(app: PlayedApp, command: Command) -> None:
    """A bulk redrive makes as many calls as it needs, all with one instant, rate and filter, and tells the total."""
    letters = Letters(app, 1234)
    ended = command("redrive", "--reason", "X", "--per-second", "50", "--yes")
    assert ended.code == 0
    assert len(letters.taken) == len(set(letters.taken)) == 1234
    assert {(body["before"], body["perSecond"], body["reason"]) for body in letters.acts} == {(BEFORE, 50, "X")}
    assert "continuation" not in letters.acts[0]
    assert all(body["continuation"] for body in letters.acts[1:])
    assert "redriven: 1,234 of 1,234 dead letters" in ended.out


def test_settle_is_a_pass_too(app: PlayedApp, command: Command) -> None:
    """A bulk settle makes as many calls as it needs, and sends no rate."""
    letters = Letters(app, 300)
    assert command("settle", "--all", "--yes").code == 0
    assert len(letters.taken) == 300
    assert all("perSecond" not in body and body["all"] is True for body in letters.bodies)


def test_most_holds_for_the_whole_pass(app: PlayedApp, command: Command) -> None:
    """`--most` limits a whole bulk redrive, not each of its calls."""
    letters = Letters(app, 2000)
    assert command("redrive", "--all", "--most", "450", "--yes").code == 0
    assert len(letters.taken) == 450


@pytest.mark.parametrize("fault", [LOST, CUT, error(503, "StorageUnavailable")])
def test_most_holds_when_an_answer_is_lost(app: PlayedApp, command: Command, fault: object) -> None:
    """`--most` holds even when an answer is lost: letters that the lost call redrove are counted."""
    letters = Letters(app, 900)
    app.faults = [None, fault]
    ended = command("redrive", "--all", "--most", "250", "--yes")
    assert ended.code == 0
    assert len(letters.taken) == 250
    assert "redriven: 250 of 250" in ended.out


def test_a_lost_answer_is_asked_for_again(app: PlayedApp, command: Command) -> None:
    """After a lost answer, a bulk redrive goes on and redrives each letter exactly once."""
    letters = Letters(app, 500)
    app.faults = [None, LOST]
    assert command("redrive", "--all", "--yes").code == 0
    assert len(letters.taken) == len(set(letters.taken)) == 500


@pytest.mark.parametrize("name", ["redrive", "settle"])
def test_a_dry_run_counts_and_does_nothing(app: PlayedApp, command: Command, name: str) -> None:
    """`--dry-run` counts the matching letters and changes nothing, without confirmation or terminal."""
    letters = Letters(app, 2500)
    ended = command(name, "--all", "--dry-run")
    assert ended.code == 0
    assert "2,500 dead letters would be" in ended.out
    assert letters.acts == []


def test_nothing_that_fits_is_no_fault(app: PlayedApp, command: Command) -> None:
    """If no letter can be redriven, a bulk redrive says so, asks and does nothing, and ends with code 0."""
    letters = Letters(app, 0)
    ended = command("redrive", "--all", "--yes")
    assert ended.code == 0
    assert "no dead letters that can be redriven" in ended.out
    assert letters.acts == []


def test_a_letter_that_is_refused_keeps_no_other(app: PlayedApp, command: Command) -> None:
    """If one of several ids is refused, the others are redriven all the same and the code is 1."""
    app.routes[f"POST /dead-letters/{ID}/redrive"] = error(422, "NotRedrivable", "Another try cannot succeed.")
    app.routes[f"POST /dead-letters/{OTHER}/redrive"] = answer(202, {"id": OTHER, "redriven": True})
    ended = command("redrive", ID, OTHER)
    assert ended.code == 1
    assert "NotRedrivable: Another try cannot succeed." in ended.err
    assert "redriven: 1 of 2 dead letters" in ended.out


def test_settled_letters_are_named_by_id_too(app: PlayedApp, command: Command) -> None:
    """`settle ID --json` prints no document, because the API answers 204."""
    app.routes[f"DELETE /dead-letters/{ID}"] = Answer(204)
    ended = command("settle", ID, "--json")
    assert (ended.code, ended.out) == (0, "")


@pytest.mark.parametrize(("typed", "code"), [("y", 0), ("yes", 0), ("", 1), ("n", 1), ("maybe", 1)])
def test_the_question_names_address_filter_and_number(app: PlayedApp, typed: str, code: int) -> None:
    """The confirmation names app, filter and number, is asked once, and only `y` or `yes` starts the redrive."""
    letters = Letters(app, 12)
    code_was, shown = on_terminal(["redrive", "--reason", "Gone\x1b", "--most", "10"], app.url, typed + "\n")
    assert code_was == code
    assert shown.count("[y/N]") == 1
    assert f"10 dead letters at {app.url}/api" in shown
    assert "reason Gone\\x1b" in shown
    assert len(letters.taken) == (10 if code == 0 else 0)


def test_yes_asks_nothing_on_a_terminal_either(app: PlayedApp) -> None:
    """With `--yes`, no confirmation is asked for, not even on a terminal."""
    Letters(app, 3)
    code, shown = on_terminal(["settle", "--all", "--yes"], app.url)
    assert code == 0
    assert "[y/N]" not in shown


def test_trouble_among_ids_names_those_that_are_left(app: PlayedApp, command: Command) -> None:
    """If the key is rejected after some ids, the code is 3 and a command for the remaining ids is printed."""
    app.routes[f"POST /dead-letters/{ID}/redrive"] = answer(202, {"id": ID})
    app.routes[f"POST /dead-letters/{OTHER}/redrive"] = answer(401)
    ended = command("redrive", ID, OTHER)
    assert ended.code == 3
    assert "redriven: 1 of 2 letters" in ended.err
    assert f"batch-task-deletion redrive {OTHER}" in ended.err


@pytest.mark.parametrize("bounded", [[], ["--most", "450"]])
def test_trouble_in_a_pass_names_the_command_that_goes_on(app: PlayedApp, command: Command, bounded: list[str]) -> None:
    """An interrupted pass prints the command to continue, with the same `--before`, so newer letters stay out."""
    Letters(app, 500)
    app.faults = [None, None, answer(401)]
    ended = command("redrive", "--all", "--yes", *bounded)
    assert ended.code == 3
    assert f"redriven: 200 of {450 if bounded else 500} letters" in ended.err
    assert f"batch-task-deletion --before {BEFORE} redrive --all --yes" in ended.err
