"""The HTTP client: calls with retries, key and faults. The only module that speaks HTTP."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies

from batch_task_deletion import __version__
from batch_task_deletion.clock import Clock, SystemClock
from batch_task_deletion.faults import AnswerLost, OutOfReach, TimeUp
from batch_task_deletion.retry import RetryWindow, asked_pause, is_temporary, was_never_made
from batch_task_deletion.target import Target
from batch_task_deletion.text import error_text, escaped, is_error

SIDE_BY_SIDE = 8
"""Concurrent calls, when there are many to make."""

_CONNECT_SECONDS = 10.0
_READ_SECONDS = {"GET": 30.0, "DELETE": 60.0, "POST": 120.0}  # a call with thousands of ids takes tens of seconds


@dataclass(frozen=True)
class Answer:
    """The app's response. `repeated` means that an earlier try of the same call may have been carried out."""

    status: int
    document: Any
    repeated: bool = False
    location: str = ""


@dataclass(frozen=True)
class _Try:
    """One try: a response, or a description of what went wrong."""

    answer: Answer | None
    trouble: str
    pause: float = 0.0


class Client:
    """Calls the app. A call may raise OutOfReach, and TimeUp if it has a `deadline` (a time of the clock)."""

    def __init__(self, target: Target, clock: Clock | None = None) -> None:
        self.target = target
        self.clock = clock or SystemClock()
        self._session = _session(target)
        # Only https goes through a proxy: over plain http the proxy could read the key.
        self._proxies = dict(get_environ_proxies(target.url)) if target.url.startswith("https:") else {}
        self._verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True

    def get(self, path: str, query: Mapping[str, str] | None = None, *, deadline: float | None = None) -> Answer:
        return self.call("GET", path, query=query, deadline=deadline)

    def post(self, path: str, body: object, *, once: bool = False) -> Answer:
        """With `once`, a call whose response is lost is not retried; AnswerLost is raised."""
        return self.call("POST", path, body=body, once=once)

    def delete(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        return self.call("DELETE", path, query=query)

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        deadline: float | None = None,
        once: bool = False,
    ) -> Answer:
        """The app's response, unless it is a 401 or 5xx. A refusal is returned too."""
        retries, tries = RetryWindow(), 0
        while True:
            tried = self._try(method, path, query or {}, body, deadline)
            tries += 1
            if tried.answer is not None and not is_temporary(tried.answer.status, tried.answer.document):
                answer = replace(tried.answer, repeated=tries > 1)
                _check(answer)
                return answer
            pause = None if once else retries.pause(self.clock.now(), tried.pause)
            if pause is None:
                document = tried.answer.document if tried.answer else None
                raise AnswerLost(_no_answer(tried, document, tries), document if is_error(document) else None)
            if deadline is not None and self.clock.now() + pause >= deadline:
                self.clock.sleep(max(0.0, deadline - self.clock.now()))
                raise TimeUp
            self.clock.sleep(pause)

    def _try(self, method: str, path: str, query: Mapping[str, str], body: object, deadline: float | None) -> _Try:
        seconds = _READ_SECONDS[method]
        if deadline is not None:
            seconds = min(seconds, deadline - self.clock.now())
            if seconds <= 0:
                raise TimeUp
        try:
            response = self._session.request(
                method,
                self.target.url + path,
                params=dict(query),
                data=None if body is None else json.dumps(body).encode(),
                headers={} if body is None else {"Content-Type": "application/json"},
                timeout=(min(_CONNECT_SECONDS, seconds), seconds),
                allow_redirects=False,
                proxies=self._proxies,
                verify=self._verify,
            )
        except requests.RequestException as fault:
            if was_never_made(fault) or isinstance(fault, ValueError):
                raise OutOfReach(f"{self.target.url} cannot be reached: {_reason(fault)}") from None
            return _Try(None, "the connection broke before a response arrived")
        _check_redirect(response)
        return _Try(
            Answer(response.status_code, _document(response), location=response.headers.get("Location", "")),
            f"the app answered {response.status_code}",
            asked_pause(response.headers, datetime.now(UTC)),
        )


class _Session(requests.Session):
    """A session that never parses redirects: requests fails on a `Location` header that is not UTF-8."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


def _session(target: Target) -> requests.Session:
    session = _Session()
    # No .netrc, whose password would be sent too. Client reads the permitted environment variables itself.
    session.trust_env = False
    adapter = HTTPAdapter(pool_maxsize=SIDE_BY_SIDE)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.headers.update({"Accept": "application/json", "User-Agent": f"batch-task-deletion/{__version__}"})
    if target.key is not None:
        session.headers["x-functions-key"] = target.key
    return session


def _document(response: requests.Response) -> Any:
    try:
        return json.loads(response.content)
    except ValueError:
        return None


def _check_redirect(response: requests.Response) -> None:
    if 300 <= response.status_code < 400:
        to = escaped(response.headers.get("Location", "nowhere"))[:200]
        raise OutOfReach(f"the address redirects ({response.status_code}) to {to}; use that address if it is the app's")


def _check(answer: Answer) -> None:
    """Raises OutOfReach if the response shows a bad key, a failing app or another service."""
    status, document = answer.status, answer.document
    if isinstance(document, dict) and "checks" in document:
        return  # a response of `health`, whatever its status
    if status == 401:
        raise OutOfReach("the app rejects the key, or needs one (401)", document if is_error(document) else None)
    if is_error(document):
        if status >= 500:
            raise OutOfReach(f"the app is failing: {error_text(document)}", document)
        return
    if status in {204, 404} or (status < 300 and document is not None):
        return
    if status == 202 and answer.location:
        return  # accepted, with nothing but the location
    if status == 400 and isinstance(document, dict) and "items" in document:
        return  # a bulk call in which every item was refused
    raise OutOfReach(f"the service at this address is not the app, or the app is failing ({status})")


def _no_answer(tried: _Try, document: Any, tries: int) -> str:
    said = f": {error_text(document)}" if is_error(document) else ""
    return f"{tried.trouble}{said}; tried {'once' if tries == 1 else f'{tries} times'}"


def _reason(fault: requests.RequestException) -> str:
    """The cause, from the end of the exception's text; the beginning only names objects of the libraries."""
    text = str(getattr(fault.args[0], "reason", fault) if fault.args else fault)
    return escaped(text.rpartition("object at 0x")[2].partition(">: ")[2] or text)[:300]
