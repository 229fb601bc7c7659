"""Route templates of the local host, and paths as its router sees them."""

from __future__ import annotations

import pytest

from devstack.host.routes import RouteTemplate, decoded_path, encoded_path


@pytest.mark.parametrize(
    ("template", "path", "parameters"),
    [
        ("things", "/api/things", {}),
        ("things", "/API/Things/", {}),
        ("/things/{id}", "/api/things/Seven", {"id": "Seven"}),
        ("things/{id}", "/api/things", None),
        ("things/{id}", "/api/things/7/more", None),
        ("things", "/api/thing", None),
        ("open.json", "/api/openXjson", None),
        ("jobs/{job}/tasks/{task}", "/api/jobs/a/tasks/b:job-1", {"job": "a", "task": "b:job-1"}),
    ],
)
def test_a_path_that_fits_gives_its_parameters(template: str, path: str, parameters: dict[str, str] | None) -> None:
    """A path matches a route whatever the case of its literals, and parameters keep their case."""
    assert RouteTemplate(template, "api").match(path) == parameters


@pytest.mark.parametrize(
    "template", ["x/{id:int}", "x/{id?}", "x/{*rest}", "x/{name}.{kind}", "x/{id=5}", "x/{}", "admin/x", "Runtime"]
)
def test_what_is_not_imitated_is_refused(template: str) -> None:
    """A route template with constraints, optional parameters or defaults is refused at start-up."""
    with pytest.raises(ValueError, match="route"):
        RouteTemplate(template)


def test_a_literal_ranks_before_a_parameter() -> None:
    """Routes are ranked segment by segment from the left, literals before parameters."""
    templates = ["a/{x}/{y}", "a/{x}/c", "a/b/{y}", "a/b/c"]
    assert sorted(templates, key=lambda template: RouteTemplate(template).rank) == templates[::-1]


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("/api/a%3Ajob-1", "/api/a:job-1"),
        ("/api/a%2fb%2F", "/api/a%2fb%2F"),
        ("/api/%C3%A4", "/api/ä"),
        ("/a%20b%FF", "/a b%FF"),
        ("/api/./x", "/api/x"),
        ("/api/y/%2e%2E/x", "/api/x"),
        ("/../../x", "/x"),
        ("/api/..a", "/api/..a"),
    ],
)
def test_a_path_is_decoded_before_routing_and_its_dots_are_folded(raw: str, path: str) -> None:
    """A path is decoded and its dot segments folded before routing; encoded slashes and invalid UTF-8 stay."""
    assert decoded_path(raw) == path


def test_an_encoded_nul_is_refused() -> None:
    """A path with an encoded NUL is refused."""
    with pytest.raises(ValueError, match="NUL"):
        decoded_path("/api/a%00")


def test_a_url_is_made_of_the_decoded_path() -> None:
    """A decoded path is encoded again for the URL, without encoding anything twice."""
    assert encoded_path("/api/ä b:c%2F") == "/api/%C3%A4%20b:c%2F"
