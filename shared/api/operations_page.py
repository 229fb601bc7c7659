"""`GET /api/operations`: the operator's page, one document that contains no data and loads nothing from elsewhere.

It is assembled once from the files of `page/`. Only the nonce differs between responses: it allows the page's style and
script and blocks any other: https://www.w3.org/TR/CSP3/#security-nonces
"""

from __future__ import annotations

import secrets
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "page"
SCRIPTS = (
    "text.js",
    "verdict.js",
    "request.js",
    "dom.js",
    "cells.js",
    "api.js",
    "acts.js",
    "first_look.js",
    "paged_list.js",
    "find.js",
    "views.js",
    "clean_ups.js",
    "letter.js",
    "letter_acts.js",
    "dead_letters.js",
    "policies.js",
    "sweep.js",
    "ask_form.js",
    "main.js",
)
"""In order: the top level of a script uses those before it."""

MEDIA_TYPE = "text/html; charset=utf-8"


def page() -> tuple[str, dict[str, str]]:
    """The document and its headers, with a new nonce."""
    nonce = secrets.token_urlsafe(18)
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "content-type": MEDIA_TYPE,
        "content-security-policy": policy,
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cache-control": "no-store",
    }
    return template().replace("{nonce}", nonce), headers


@cache
def template() -> str:
    """The document, with `{nonce}` as a placeholder."""
    scripts = "\n".join(_text(name) for name in SCRIPTS)
    return (
        _text("page.html")
        .replace("{style}", _text("page.css"))
        .replace("{script}", f'(() => {{\n"use strict";\n{scripts}}})();')
    )


def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
