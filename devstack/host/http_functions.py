"""From a request to the function that answers it: route, key, disabled functions, invocation, in the host's order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from devstack.host.app_settings import AppSettings
from devstack.host.bindings import HttpTrigger, IndexedFunction
from devstack.host.errors import StartUpFailed
from devstack.host.exchange import HttpInput, Invocation, Reply
from devstack.host.invoker import Invoker
from devstack.host.keys import AccessKeys
from devstack.host.routes import RouteTemplate, decoded_path, encoded_path
from devstack.host.tracing import Tracing
from devstack.http1 import Answer, Incoming

_HOME = b"<!DOCTYPE html><title>Functions</title>The Functions host is up."
_OWN_HEADERS = {"content-length", "transfer-encoding", "connection", "date", "server"}


class HttpFunctions:
    """The routes of an app. Raises StartUpFailed for a template that cannot be served."""

    def __init__(
        self,
        functions: Iterable[IndexedFunction],
        prefix: str,
        keys: AccessKeys,
        invoker: Invoker,
        settings: AppSettings,
    ) -> None:
        self._keys = keys
        self._invoker = invoker
        self._settings = settings
        self._tracing = Tracing(settings)
        routes: list[tuple[RouteTemplate, HttpTrigger, IndexedFunction]] = []
        for function in functions:
            if isinstance(function.trigger, HttpTrigger):
                try:
                    routes.append((RouteTemplate(function.trigger.route, prefix), function.trigger, function))
                except ValueError as error:
                    raise StartUpFailed([f"function {function.name}: {error}"]) from error
        self._routes = sorted(routes, key=lambda route: route[0].rank)

    def respond(self, request: Incoming) -> Answer:
        """404 if no route matches path and verb, 401 without the key, 404 for a disabled function.

        If a function does not answer, the answer is 500 with an empty body.
        """
        try:
            path = decoded_path(request.target.partition("?")[0])
        except ValueError:
            return Answer(400)
        if path == "/" and request.method == "GET":
            return Answer(200, {"Content-Type": "text/html"}, _HOME)
        found = self._find(path, request.method.upper())
        if found is None:
            return Answer(404)
        function, level, route_parameters = found
        if refusal := self._keys.refusal(level, request):
            return Answer(refusal)
        if is_disabled(function.name, self._settings):
            return Answer(404)
        invocation = Invocation(
            function, http_input(request, path, route_parameters), self._tracing.of_call(request.headers)
        )
        attempt = self._invoker.run(invocation)
        return _answer(attempt.reply) if attempt.reply else Answer(500)

    def _find(self, path: str, method: str) -> tuple[IndexedFunction, str, dict[str, str]] | None:
        """The first of the best matches; a route without the verb is no match, hence 404 and not 405."""
        for template, trigger, function in self._routes:
            if trigger.methods is None or method in trigger.methods:
                route_parameters = template.match(path)
                if route_parameters is not None:
                    return function, trigger.auth_level, route_parameters
        return None


def is_disabled(function: str, settings: AppSettings) -> bool:
    """Whether `AzureWebJobs.<function>.Disabled` says so; the form with `__` has no effect, as seen on Linux."""
    return (settings.get(f"AzureWebJobs.{function}.Disabled") or "").lower() in ("true", "1")


def http_input(request: Incoming, path: str, route_parameters: Mapping[str, str]) -> HttpInput:
    """The request as the worker gets it."""
    raw_query = request.target.partition("?")[2]
    host = request.headers.get("Host") or "127.0.0.1"
    return HttpInput(
        method=request.method,
        url=f"http://{host}{encoded_path(path)}" + (f"?{raw_query}" if raw_query else ""),
        headers=request.headers.folded(),
        query=folded_query(raw_query),
        route_parameters=route_parameters,
        body=request.body,
    )


def folded_query(raw: str) -> dict[str, str]:
    """Query values: empty ones are dropped, those whose names differ in case alone are joined by a comma."""
    spelling: dict[str, str] = {}
    values: dict[str, str] = {}
    for name, value in parse_qsl(raw):
        first = spelling.setdefault(name.lower(), name)
        values[first] = f"{values[first]},{value}" if first in values else value
    return values


def _answer(reply: Reply) -> Answer:
    """The answer as sent: without headers that the server sets itself, and in chunks, whatever its length."""
    headers = {name: value for name, value in reply.headers.items() if name.lower() not in _OWN_HEADERS}
    return Answer(reply.status, headers, reply.body, chunked=True)
