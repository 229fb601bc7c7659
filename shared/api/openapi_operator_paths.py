"""The calls of operators, for the published description: dead letters, and the app itself."""

from __future__ import annotations

from shared.api import openapi_examples as examples
from shared.api.openapi_dialect import ref
from shared.api.openapi_operations import JSON, Document, body_of, operation

LETTERS = "Dead letters"
APP = "The app"
_PAGE_HEADERS = {
    "content-security-policy": "What the page may load and run; its nonce is new each time.",
    "x-content-type-options": "`nosniff`.",
    "x-frame-options": "`DENY`.",
    "cross-origin-opener-policy": "`same-origin`.",
    "referrer-policy": "How much of the page's address other sites get.",
    "cache-control": "How long the page may be cached.",
}
_FILTERS = "outcome reason jobIdFilter queue since before settled top continuation"


def letter_paths() -> Document:
    """The calls about dead letters."""
    return {
        "/dead-letters": {
            "get": operation(
                "listDeadLetters",
                LETTERS,
                ("List dead letters", "Requests and events that failed, newest first, without settled ones."),
                {200: "DeadLetterPage"},
                parameters=_FILTERS,
            ),
        },
        **_one(),
        **_many(),
    }


def _one() -> Document:
    return {
        "/dead-letters/{id}": {
            "get": operation(
                "getDeadLetter",
                LETTERS,
                ("Get a dead letter", "One dead letter, with the message as received."),
                {200: "DeadLetter"},
                "400 404",
                parameters="id",
            ),
            "delete": operation(
                "settleDeadLetter",
                LETTERS,
                ("Settle a dead letter", "Marks it as dealt with, so that it is no longer listed. May be repeated."),
                {204: None},
                "400 404",
                parameters="id",
            ),
        },
        "/dead-letters/{id}/redrive": {
            "post": operation(
                "redriveDeadLetter",
                LETTERS,
                ("Redrive a dead letter", "Sends its request or event to the queue again, with new attempts."),
                {202: "Redriven"},
                "400 404 409 422",
                parameters="id",
            ),
        },
    }


def _many() -> Document:
    return {
        "/dead-letters/redrive": {
            "post": operation(
                "redriveDeadLetters",
                LETTERS,
                (
                    "Redrive many dead letters",
                    (
                        "Redrives the dead letters that match a filter, newest first, at a given rate. Pass `continuation` in "
                        "the next call to continue. A dry run counts them and returns 200."
                    ),
                ),
                {200: "RedrivenMany", 202: "RedrivenMany"},
                "400 413",
                body=body_of({JSON: ref("BulkRedrive")}, examples.BULK_REDRIVES),
            ),
        },
        "/dead-letters/settle": {
            "post": operation(
                "settleDeadLetters",
                LETTERS,
                (
                    "Settle many dead letters",
                    (
                        "Settles the dead letters that match a filter. Pass `continuation` in the next call to continue. A dry "
                        "run counts them and returns 200."
                    ),
                ),
                {200: "SettledMany", 202: "SettledMany"},
                "400 413",
                body=body_of({JSON: ref("BulkSettle")}, examples.BULK_SETTLEMENTS),
            ),
        },
    }


def service_paths() -> Document:
    """The calls about the app itself."""
    health = operation(
        "getHealth",
        APP,
        ("Get the app's health", "Whether the app is able to work now; needs no key."),
        {200: "Health", 503: "Health"},
    )
    del health["responses"]["503"]["headers"]["retry-after"]
    health["responses"]["503"]["description"] = "The app is not able to work now; `checks` says why."
    description = operation(
        "getOpenapi",
        APP,
        ("Get this description", "This document."),
        {200: "Description"},
    )
    page = operation(
        "getOperationsPage",
        APP,
        ("Get the operator's page", "One HTML document without data; it asks for a key, and calls the API with it."),
        {200: "Description"},
    )
    page["responses"]["200"]["description"] = "The page."
    page["responses"]["200"]["headers"] |= {
        name: {"description": text, "schema": {"type": "string"}} for name, text in _PAGE_HEADERS.items()
    }
    page["responses"]["200"]["content"] = {"text/html": {"schema": {"type": "string"}}}
    return {
        "/health": {"get": health | {"security": []}},
        "/operations": {"get": page | {"security": []}},
        "/operations/summary": {
            "get": operation(
                "getSummary",
                APP,
                ("Get the app in numbers", "Queues, dead letters by reason and clean-ups, at most a few seconds old."),
                {200: "Summary"},
            )
        },
        "/openapi.json": {"get": description},
    }
