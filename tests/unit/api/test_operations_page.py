"""The operator's page as served: one document, nothing from elsewhere, and a policy that enforces it."""

from __future__ import annotations

import re

from shared.api.operations_page import FOLDER, SCRIPTS, page


def test_each_answer_has_a_nonce_that_no_other_has() -> None:
    """Each answer has a new nonce, in its content policy and on its one style and one script."""
    nonces = set()
    for _ in range(3):
        text, headers = page()
        found = re.findall(r'nonce="([^"]+)"', text)
        assert len(found) == 2
        assert set(found) == set(re.findall(r"'nonce-([^']+)'", headers["content-security-policy"]))
        nonces.update(found)
    assert len(nonces) == 3
    assert all(len(nonce) >= 22 for nonce in nonces)


def test_the_policy_lets_nothing_in_and_nothing_out() -> None:
    """The headers allow only the page's own style, script and calls, and forbid framing, caching and sniffing."""
    _, headers = page()
    policy = re.sub(r"nonce-[\w-]+", "nonce", headers["content-security-policy"])
    assert policy == (
        "default-src 'none'; script-src 'nonce'; style-src 'nonce'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["content-type"] == "text/html; charset=utf-8"


def test_every_file_of_the_page_is_in_it() -> None:
    """The served page contains every script and style file of its folder."""
    assert {path.name for path in FOLDER.glob("*.js")} == set(SCRIPTS)
    text, _ = page()
    for path in FOLDER.iterdir():
        if path.suffix != ".html":
            assert path.read_text(encoding="utf-8") in text
    assert not re.search(r"\{(nonce|style|script)\}", text)


def test_nothing_comes_from_elsewhere_and_no_handler_stands_in_the_markup() -> None:
    """The markup has no external address, no inline handler and no inline style."""
    text, _ = page()
    markup = re.sub(r"(?s)<(script|style)\b.*?</\1>", "", text)
    assert re.findall(r'\b(?:src|action|style|on\w+)="', markup) == []
    assert [href for href in re.findall(r'href="([^"]*)"', markup) if not href.startswith("#")] == []
    assert set(re.findall(r"https?://[^\s\"'`)]+", text)) <= {"http://www.w3.org/2000/svg"}


def test_data_never_becomes_markup() -> None:
    """The scripts use no API that turns text into elements or code, such as `innerHTML` or `eval`."""
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|\beval\(|new Function"
    assert [name for name in SCRIPTS if re.search(ways, (FOLDER / name).read_text(encoding="utf-8"))] == []


def test_a_script_of_the_page_can_be_read_in_one_sitting() -> None:
    """No script of the page has more than 250 lines."""
    assert max(len((FOLDER / name).read_text(encoding="utf-8").splitlines()) for name in SCRIPTS) <= 250
