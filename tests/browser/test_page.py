"""The operator's page in a browser, against the whole local stack."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.backstage import Backstage
from tests.browser.watched import KEY, Watched

if TYPE_CHECKING:
    from playwright.sync_api import Route

NUMBERS = {"Redrives per second": "1,000", "At most": "1,000,000"}
HOSTILE = "<img src=x onerror=\"document.title='owned'\"></script><script>document.title='owned'</script>"


def test_the_key_is_asked_for_once_a_tab(look: Watched) -> None:
    """The page asks for the function key once per tab, and shows the overview after a reload without asking again."""
    look.page.goto(f"{look.url}/api/operations")
    assert look.calls == [("GET", "/api/operations")]
    look.page.get_by_label("Function key").fill(KEY)
    look.page.get_by_role("button", name="Continue").click()
    look.page.wait_for_selector("#verdict:not([hidden])")
    assert look.page.get_by_role("row", name=re.compile("task-delete-requests-poison")).is_visible()
    look.page.reload()
    look.page.wait_for_selector("#verdict:not([hidden])")
    assert look.page.is_hidden("#key-panel")


def test_a_code_in_the_address_is_used_and_removed(look: Watched) -> None:
    """The page takes `code` from the address as its key and removes it there, keeping the rest of the address."""
    look.open("#dead-letters?reason=ServerBusy")
    assert look.page.url == f"{look.url}/api/operations#dead-letters?reason=ServerBusy"
    assert look.page.get_by_label("Reason").input_value() == "ServerBusy"


def test_title_and_header_name_the_app(look: Watched) -> None:
    """The page's title and heading name the app, so that nobody acts in the wrong one of two tabs."""
    look.open()
    name = look.url.removeprefix("http://")
    assert name in look.page.title()
    assert name in look.page.get_by_role("heading", level=1).inner_text()


def test_without_javascript_the_page_says_so(new_page: Callable[..., Watched]) -> None:
    """Without JavaScript the page says that it needs it, and does not ask for a key that it could not use."""
    look = new_page(java_script_enabled=False)
    look.page.goto(f"{look.url}/api/operations")
    assert "needs JavaScript" in look.page.inner_text("noscript")
    assert look.page.is_hidden("#key-panel")


def test_a_wrong_key_is_refused_and_kept(look: Watched) -> None:
    """A rejected key stays in its field, where it can be corrected."""
    look.page.goto(f"{look.url}/api/operations?code=wrong")
    look.page.wait_for_selector("#key-panel:not([hidden])")
    assert "rejects this key" in look.page.inner_text("#fault")
    assert look.page.get_by_label("Function key").input_value() == "wrong"
    assert look.page.evaluate("sessionStorage.getItem('key')") == "wrong"
    look.provoked("401")


def test_a_request_is_found_by_its_id(look: Watched, backstage: Backstage) -> None:
    """The view of a request shows its outcome and survives a reload."""
    asked = {"clientRequestId": str(uuid.uuid4()), "jobId": backstage.job(1), "taskId": "task-1"}
    backstage.post("task-deletions", asked)
    look.open("#find")
    look.page.locator("#find-id").fill(asked["clientRequestId"].upper())
    look.page.get_by_role("button", name="Find").click()
    look.page.wait_for_selector("text=deleted")
    look.page.reload()
    look.page.wait_for_selector("text=deleted")
    assert asked["jobId"] in look.page.get_by_role("article").inner_text()


def test_an_unknown_id_is_said_to_be_unknown(look: Watched) -> None:
    """The page says so when no request, clean-up or sweep has the id that was searched for."""
    look.open(f"#find?id={uuid.uuid4()}")
    look.page.wait_for_selector("text=was found")
    look.provoked("404")


def test_a_dead_letter_is_shown_as_text_whatever_its_sender_wrote(look: Watched, backstage: Backstage) -> None:
    """Markup in a dead letter's fields, or in their names, stays text on the page."""
    mark = uuid.uuid4().hex
    names = ("jobId", "taskId", "batchUrl", "ifMatch", HOSTILE)
    backstage.put({"clientRequestId": str(uuid.uuid4()), **dict.fromkeys(names, f"{HOSTILE}\u0007\u202e{mark}")})
    backstage.until(lambda: _ids_with(backstage, mark))
    look.open(f"#dead-letters?id={_ids_with(backstage, mark)[0]}")
    look.page.get_by_label("Body as received").wait_for()
    assert "<img src=x onerror=" in look.page.get_by_label("Body as received").inner_text()
    assert _is_unharmed(look)


def test_a_dead_letter_is_shown_as_text_whatever_is_in_it(look: Watched, backstage: Backstage) -> None:
    """Even if every field of the response were hostile, invisible characters would be shown as codes."""
    job = backstage.job(1)
    backstage.given_up(job, 1)

    def spoil(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json=_spoiled(answer.json()))

    look.page.route("**/api/dead-letters**", spoil)
    look.page.route("**/api/dead-letters/*", spoil)
    look.open(f"#dead-letters?jobId={job}")
    look.page.get_by_role("link", name=re.compile("^Open dead letter")).click()
    body = look.page.get_by_label("Body as received")
    body.wait_for()
    assert f"{HOSTILE}{CODES}" in body.inner_text()
    assert not re.search(f"[{UNSEEN}]", look.page.inner_text("main"))
    assert not re.search(f"[{UNSEEN}]", "".join(look.page.locator("main [aria-label]").evaluate_all(LABELS)))
    look.page.get_by_label(re.compile("^Tick")).check()
    look.page.get_by_role("article").get_by_role("button", name="Settle").click()
    look.page.get_by_role("dialog").wait_for()
    assert not re.search(f"[{UNSEEN}]", look.page.inner_text("dialog"))
    assert _is_unharmed(look)


UNSEEN = "\u0007\u202e\u200b\u2028\u0085"
CODES = "\\u0007\\u202e\\u200b\\u2028\\u0085"
LABELS = "nodes => nodes.map((node) => node.getAttribute('aria-label'))"


def _spoiled(value: Any, name: str = "") -> Any:
    """Every text of an answer with markup and what cannot be seen; ids and times stay what they are."""
    if isinstance(value, dict):
        return {key: _spoiled(one, key) for key, one in value.items()}
    if isinstance(value, list):
        return [_spoiled(one) for one in value]
    is_text = isinstance(value, str) and name not in {"id", "continuation", "bodyEncoding"} and not name.endswith("At")
    return f"{value}{HOSTILE}{UNSEEN}" if is_text else value


def _is_unharmed(look: Watched) -> bool:
    return look.page.locator("main img, main script").count() == 0 and "owned" not in look.page.title()


def _ids_with(backstage: Backstage, mark: str) -> list[str]:
    ids = [letter["id"] for letter in backstage.letters(outcome="rejected")]
    return [one for one in ids if mark in backstage.get(f"dead-letters/{one}")["body"]]


def test_letters_are_redriven_after_a_look_at_how_many(look: Watched, backstage: Backstage) -> None:
    """A redrive asks first, naming number, filter and app, with the focus on *Go back*; two clicks act once."""
    job = backstage.job(3)
    backstage.given_up(job, 3)
    look.open(f"#dead-letters?jobId={job}")
    look.page.get_by_role("button", name="Redrive all that match").click()
    question = look.page.get_by_role("dialog")
    question.wait_for()
    assert question.get_by_role("heading").inner_text() == f"Redrive 3 dead letters (job {job})?"
    assert look.url.removeprefix("http://") in question.inner_text()
    assert look.page.evaluate("document.activeElement.textContent") == "Go back"
    calls = len(look.acts())
    assert question.get_by_role("listitem").count() == 3
    assert backstage.count(jobId=job) == 3
    look.page.evaluate("() => { const act = document.getElementById('question-act'); act.click(); act.click(); }")
    look.page.wait_for_selector("text=Redriven 3 of 3 dead letters.")
    assert look.spoken == "Redriven 3 of 3 dead letters."
    assert look.acts()[calls:] == [("POST", "/api/dead-letters/redrive")]
    backstage.until(lambda: all(letter["redrivenAt"] for letter in backstage.letters(jobId=job)))


@pytest.mark.parametrize(
    ("label", "wrong", "limit"),
    [(name, wrong, limit) for name, limit in NUMBERS.items() for wrong in ("0", "-3", "1.5", "9999999", "many")],
)
def test_a_number_that_cannot_be_meant_is_refused_before_anything_is_counted(
    look: Watched, label: str, wrong: str, limit: str
) -> None:
    """An invalid limit or rate is refused before any call is made, and its field is named and gets the focus."""
    look.open("#dead-letters")
    look.page.get_by_label(label).fill(wrong)
    look.page.get_by_role("button", name="Redrive all that match").click()
    look.page.wait_for_selector(f"text={label}: must be a whole number from 1 to {limit}")
    assert look.page.evaluate("document.activeElement.labels[0].textContent").startswith(label)
    assert look.acts() == []
    assert look.page.is_hidden("dialog")


def test_a_filter_has_to_be_shown_before_it_is_acted_on(look: Watched, backstage: Backstage) -> None:
    """*All that match* is disabled while the form holds another filter than the list shows."""
    job = backstage.job(2)
    backstage.given_up(job, 2)
    look.open()
    look.go("#dead-letters")
    buttons = [look.page.get_by_role("button", name=f"{act} all that match") for act in ("Redrive", "Settle")]
    look.page.get_by_label("Job", exact=True).fill(job)
    assert all(button.is_disabled() for button in buttons)
    assert look.page.get_by_text("The filter has changed: show it first.").is_visible()
    look.page.get_by_label("Job", exact=True).fill(" ")
    assert all(button.is_enabled() for button in buttons)
    look.page.get_by_label("Outcome").select_option("exhausted")
    assert all(button.is_disabled() for button in buttons)
    look.page.get_by_label("Job", exact=True).fill(job)
    look.page.get_by_role("button", name="Show").click()
    look.until("document.querySelectorAll('tbody input').length === 2")
    look.page.get_by_role("button", name="Redrive all that match").click()
    heading = look.page.get_by_role("dialog").get_by_role("heading")
    assert heading.inner_text() == f"Redrive 2 dead letters (outcome exhausted, job {job})?"


def test_a_no_does_nothing(look: Watched, backstage: Backstage) -> None:
    """Nothing changes when a confirmation is dismissed, by its *Go back* button or by Escape."""
    job = backstage.job(1)
    backstage.given_up(job, 1)
    look.open(f"#dead-letters?jobId={job}")
    for key in ("Enter", "Escape"):
        # The focus is on *Go back*.
        calls = len(look.acts())
        look.page.get_by_role("button", name="Settle all that match").click()
        look.page.get_by_role("dialog").wait_for()
        look.page.keyboard.press(key)
        look.page.wait_for_selector("dialog", state="hidden")
        assert look.acts()[calls:] == [("POST", "/api/dead-letters/settle")]
    assert backstage.count(jobId=job) == 1


def test_ticked_letters_are_settled(look: Watched, backstage: Backstage) -> None:
    """Only ticked dead letters are settled, and they stay visible, struck out."""
    job = backstage.job(3)
    backstage.given_up(job, 3)
    look.open(f"#dead-letters?jobId={job}")
    for task in ("task-1", "task-3"):
        look.page.get_by_label(f"Tick dead letter task {task}").check()
    look.page.get_by_role("button", name="Settle 2 ticked").click()
    look.page.get_by_role("dialog").get_by_role("button", name="Settle 2").click()
    look.page.wait_for_selector("text=Settled 2 of 2 dead letters.")
    look.until("document.querySelectorAll('tr.gone').length === 2")
    assert [letter["taskId"] for letter in backstage.letters(jobId=job)] == ["task-2"]


def test_why_ticked_letters_were_refused_stands_beside_the_number(look: Watched, backstage: Backstage) -> None:
    """If some ticked letters cannot be redriven, the page shows how many were, and why the others were not."""
    job = backstage.job(3)
    backstage.given_up(job, 3)
    look.open(f"#dead-letters?jobId={job}")
    for task in ("task-1", "task-2", "task-3"):
        look.page.get_by_label(f"Tick dead letter task {task} ").check()
    for letter in backstage.letters(jobId=job):
        if letter["taskId"] != "task-3":
            backstage.act(f"dead-letters/{letter['id']}/redrive")
    look.page.get_by_role("button", name="Redrive 3 ticked").click()
    look.page.get_by_role("dialog").get_by_role("button", name="Redrive 3").click()
    words = "Redriven 1 of 3 dead letters. 2 refused: 409 AlreadyRedriven: This dead letter has already been redriven."
    look.page.wait_for_selector(f".fault >> text={words}")
    assert look.spoken == words
    look.provoked("409")


def test_a_key_that_only_reads_is_kept_when_an_act_is_refused(look: Watched, backstage: Backstage) -> None:
    """A 401 for an act is explained, and the page keeps the key because it works for reading."""
    job = backstage.job(1)
    backstage.given_up(job, 1)

    def refuse(route: Route) -> None:
        if route.request.method == "GET":
            route.continue_()
        else:
            route.fulfill(status=401)

    look.page.route("**/api/dead-letters**", refuse)
    look.open(f"#dead-letters?jobId={job}")
    look.page.get_by_label(re.compile("^Tick")).check()
    look.page.get_by_role("button", name="Settle 1 ticked").click()
    look.page.get_by_role("dialog").get_by_role("button", name="Settle 1").click()
    look.page.wait_for_selector("text=this key is read-only")
    assert look.page.evaluate("sessionStorage.getItem('key')") == KEY
    assert look.page.is_hidden("#key-panel")
    look.provoked("401")


def test_an_error_is_shown_as_the_api_words_it(look: Watched) -> None:
    """An API error is shown with its code, its message, and a line for each field at fault."""
    look.open("#ask")
    look.page.get_by_label("Job").fill("no such/job")
    look.page.get_by_label("Task", exact=True).fill("task-1")
    look.page.get_by_role("button", name="Dry run").click()
    look.page.wait_for_selector("text=InvalidRequest")
    assert "/jobId" in look.page.inner_text(".fault")
    look.provoked("400")


def test_a_clean_up_is_followed_to_its_end(look: Watched, backstage: Backstage) -> None:
    """The view of a clean-up counts up to its last task, and the list links to it."""
    event, job = str(uuid.uuid4()), backstage.job(300)
    backstage.post("job-completions", {"clientRequestId": event, "jobId": job})
    look.open(f"#find?kind=clean-up&id={event}")
    bar = look.page.get_by_role("progressbar")
    bar.wait_for()
    look.until("document.querySelector('progress').value === 300")
    look.page.wait_for_selector("text=300 of 300")
    assert "deleted 300" in look.page.get_by_role("article").inner_text()
    look.go("#clean-ups")
    look.page.get_by_role("link", name=job).wait_for()


def test_a_waiting_request_is_cancelled(look: Watched, backstage: Backstage) -> None:
    """A scheduled request can be cancelled from its view, after a question."""
    asked = {"clientRequestId": str(uuid.uuid4()), "jobId": backstage.job(1), "taskId": "task-1", "deleteAfter": "P1D"}
    backstage.post("task-deletions", asked)
    look.open(f"#find?id={asked['clientRequestId']}")
    look.page.wait_for_selector("article >> text=scheduled")
    look.page.get_by_role("button", name="Cancel the request").click()
    question = look.page.get_by_role("dialog")
    assert question.get_by_role("heading").inner_text() == f"Cancel 1 request: task task-1 of job {asked['jobId']}?"
    question.get_by_role("button", name="Cancel the request").click()
    look.page.wait_for_selector("article >> text=cancelled")


def test_the_form_tries_and_then_asks(look: Watched, backstage: Backstage) -> None:
    """In the form, a dry run starts at once, and a deletion only after a confirmation that names the task."""
    job = backstage.job(1)
    look.open("#ask")
    look.page.get_by_label("Job").fill(job)
    look.page.get_by_label("Task", exact=True).fill("task-1")
    look.page.get_by_role("button", name="Dry run").click()
    look.page.wait_for_selector("text=wouldDelete")
    look.page.get_by_role("button", name="Delete the task").click()
    question = look.page.get_by_role("dialog")
    assert question.get_by_role("heading").inner_text() == f"Delete 1 task: task-1 of job {job}?"
    question.get_by_role("button", name="Delete 1 task").dblclick()
    look.page.wait_for_selector("article >> text=deleted")
    assert look.acts() == [("POST", "/api/task-deletions")] * 2


def test_asking_again_for_what_is_not_done_asks_for_nothing_new(look: Watched, backstage: Backstage) -> None:
    """Submitting an open request again keeps its id and says it is a repeat; after it is done, a new id is used."""
    job = backstage.job(2)
    look.open("#ask")
    look.page.get_by_label("Job").fill(job)
    look.page.get_by_label("Task", exact=True).fill("task-1")
    look.page.get_by_label("Delete after").fill("P1D")
    first = look.page.inner_text("form .hint >> nth=-1")
    for words in (
        "The request was accepted.",
        "This was asked for before, with the same id: nothing new was asked for.",
    ):
        look.page.get_by_role("button", name="Delete the task").click()
        look.page.get_by_role("dialog").get_by_role("button", name="Delete 1 task").click()
        look.page.wait_for_selector(f"text={words}")
        assert look.spoken == words
    assert look.page.inner_text("form .hint >> nth=-1") == first
    look.page.get_by_role("button", name="Cancel the request").click()
    look.page.get_by_role("dialog").get_by_role("button", name="Cancel the request").click()
    look.page.wait_for_selector("article >> text=cancelled")
    look.until(f"document.querySelector('form p.hint').textContent !== {first!r}")
    look.page.get_by_role("button", name="Delete the task").click()
    look.page.get_by_role("dialog").get_by_role("button", name="Delete 1 task").click()
    look.page.wait_for_selector("text=The request was accepted.")
    look.page.wait_for_selector("article >> text=scheduled")


def test_a_letter_opens_in_the_form_and_is_settled_from_there(look: Watched, backstage: Backstage) -> None:
    """A dead letter opened in the form fills in its valid fields, but not its id."""
    job, old = backstage.job(1), str(uuid.uuid4())
    condition = {"ifUnmodifiedSince": "Fri, 27 Nov 2099 08:00:00 GMT"}
    backstage.put({"clientRequestId": old, "jobId": job, "taskId": "task-1", "ifmatch": "x", **condition})
    backstage.until(lambda: backstage.count(jobId=job))
    look.open(f"#dead-letters?jobId={job}")
    look.page.get_by_role("link", name=re.compile("^Open dead letter")).click()
    look.page.get_by_role("link", name="Open in the form").click()
    look.page.wait_for_selector("text=Not copied: ifmatch.")
    assert look.page.get_by_label("If-Unmodified-Since").input_value() == condition["ifUnmodifiedSince"]
    assert old not in look.page.inner_text("form .hint >> nth=-1")
    look.page.get_by_role("button", name="Delete the task").click()
    look.page.get_by_role("dialog").get_by_role("button", name="Delete 1 task").click()
    look.page.get_by_role("button", name="Settle the dead letter").click()
    look.page.get_by_role("dialog").get_by_role("button", name="Settle").click()
    look.page.wait_for_selector("text=The dead letter is settled.")
    assert backstage.count(jobId=job) == 0


def test_a_letter_is_copied_for_a_ticket(new_page: Callable[..., Watched], backstage: Backstage) -> None:
    """The ticket text of a dead letter has app, version, time, ids, reason and link, and neither body nor key."""
    job = backstage.job(1)
    backstage.given_up(job, 1)
    letter = backstage.letters(jobId=job)[0]
    look = new_page(permissions=["clipboard-read", "clipboard-write"])
    look.open(f"#dead-letters?id={letter['id']}")
    look.page.get_by_role("article").get_by_role("button", name="Copy for a ticket").click()
    look.until("document.getElementById('spoken').textContent.includes('Copied')")
    text = look.page.evaluate("navigator.clipboard.readText()")
    link = f"link: {look.url}/api/operations#dead-letters?id={letter['id']}"
    for line in (
        f"app: {look.url.removeprefix('http://')}",
        f"dead letter: {letter['id']}",
        f"reason: {letter['reason']}",
        link,
    ):
        assert line in text.splitlines()
    assert re.search(r"(?m)^version: .+\ntime: .+Z$", text)
    assert KEY not in text
    assert '{"clientRequestId"' not in text


def test_every_view_is_copied_for_a_ticket(new_page: Callable[..., Watched], backstage: Backstage) -> None:
    """The ticket text of any view names what it is about, its state, and a link that leads back to the view."""
    event, job, asked = str(uuid.uuid4()), backstage.job(2), str(uuid.uuid4())
    backstage.post("job-completions", {"clientRequestId": event, "jobId": job})
    backstage.post("task-deletions", {"clientRequestId": asked, "jobId": job, "taskId": "task-1", "dryRun": True})
    sweep = backstage.post("retention-sweeps", {"dryRun": True})["sweepId"]
    look = new_page(permissions=["clipboard-read", "clipboard-write"])
    look.open()
    views = {
        "#first-look": "verdict: ",
        f"#find?id={event}&kind=clean-up": f"clean-up: {event}",
        f"#find?id={sweep}&kind=sweep": f"sweep: {sweep}",
        f"#find?id={asked}&dryRun=true": f"request: {asked}",
    }
    for fragment, line in views.items():
        look.go(fragment)
        copy = look.page.get_by_role("button", name="Copy for a ticket")
        copy.wait_for()
        look.page.wait_for_load_state("networkidle")
        look.page.evaluate("navigator.clipboard.writeText('')")
        copy.click()
        look.until("navigator.clipboard.readText().then((text) => text !== '')")
        text = look.page.evaluate("navigator.clipboard.readText()")
        assert any(one.startswith(line) for one in text.splitlines()), text
        link = next(one.removeprefix("link: ") for one in text.splitlines() if one.startswith("link: "))
        look.page.goto(link)
        look.page.reload()
        look.page.get_by_role("button", name="Copy for a ticket").wait_for()
        assert KEY not in text


def test_without_a_clipboard_the_text_for_a_ticket_is_shown(look: Watched, backstage: Backstage) -> None:
    """Where the browser has no clipboard, the ticket text is shown and selected, to be copied by hand."""
    job = backstage.job(1)
    backstage.given_up(job, 1)
    letter = backstage.letters(jobId=job)[0]["id"]
    look.page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined });")
    look.open(f"#dead-letters?id={letter}")
    look.page.get_by_role("article").get_by_role("button", name="Copy for a ticket").click()
    box = look.page.get_by_role("dialog").get_by_label("Text to copy")
    box.wait_for()
    assert f"dead letter: {letter}" in box.input_value()
    assert box.evaluate("box => box.value.slice(box.selectionStart, box.selectionEnd) === box.value")
    look.page.get_by_role("dialog").get_by_role("button", name="Done").click()
    look.page.wait_for_selector("dialog", state="hidden")
