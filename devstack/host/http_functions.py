"""From a request to the function that answers it: route, then key, then invocation, in the host's order."""

from __future__ import annotations

from collections.abc import Iterable

from devstack.host.bindings import HttpTrigger, IndexedFunction
from devstack.host.context import TraceContext, new_trace_parent
from devstack.host.errors import StartUpFailed
from devstack.host.http_messages import HttpReply, HttpRequest, reply_of, request_datum
from devstack.host.invoker import Invoker
from devstack.host.keys import AccessKeys
from devstack.host.routes import RouteTemplate, decoded_path
from devstack.host.worker import Invocation

_RESERVED = ("admin", "runtime")


class HttpFunctions:
    """The routes of an app. Raises StartUpFailed for a template that cannot be served."""

    def __init__(self, functions: Iterable[IndexedFunction], prefix: str, keys: AccessKeys, invoker: Invoker) -> None:
        self._keys = keys
        self._invoker = invoker
        self._routes: list[tuple[RouteTemplate, HttpTrigger, IndexedFunction]] = []
        reasons = []
        for function in functions:
            if isinstance(function.trigger, HttpTrigger):
                try:
                    template = _template(function.trigger.route, prefix)
                    self._routes.append((template, function.trigger, function))
                except ValueError as error:
                    reasons.append(f"function {function.name}: {error}")
        if reasons:
            raise StartUpFailed(reasons)

    def respond(self, request: HttpRequest) -> HttpReply:
        """404 when no route takes the path and the verb, 401 without the key, 500 with an empty body on failure."""
        found = self._find(request)
        if found is None:
            return HttpReply(404)
        function, level, route_parameters = found
        if not self._keys.admit(level, request):
            return HttpReply(401)
        trace = TraceContext(request.header("traceparent") or new_trace_parent(), request.header("tracestate") or "")
        attempt = self._invoker.run(Invocation(function, request_datum(request, route_parameters), {}, trace))
        return reply_of(attempt.reply) if attempt.succeeded else HttpReply(500)

    def _find(self, request: HttpRequest) -> tuple[IndexedFunction, str, dict[str, str]] | None:
        """The first registered match; a verb that a route does not list is no match, hence 404 and not 405."""
        path = decoded_path(request.path)
        for template, trigger, function in self._routes:
            if trigger.methods is None or request.method in trigger.methods:
                route_parameters = template.match(path)
                if route_parameters is not None:
                    return function, trigger.auth_level, route_parameters
        return None


def _template(route: str, prefix: str) -> RouteTemplate:
    if route.strip("/").split("/")[0].lower() in _RESERVED:
        raise ValueError(f"route {route} is reserved by the host")
    return RouteTemplate(f"{prefix}/{route.strip('/')}" if prefix else route)
