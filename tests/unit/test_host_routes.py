"""Route templates of the local host, as ASP.NET Core reads them."""

from __future__ import annotations

import pytest

from devstack.host.routes import RouteTemplate, decoded_path


@pytest.mark.parametrize(
    ("template", "path", "parameters"),
    [
        ("api/things", "/api/things", {}),
        ("api/things", "/API/Things/", {}),
        ("api/things/{id}", "/api/things/Seven", {"id": "Seven"}),
        ("api/things/{id?}", "/api/things", {}),
        ("api/things/{id?}", "/api/things/7", {"id": "7"}),
        ("api/things/{id:int?}", "/api/things/7", {"id": "7"}),
        ("api/things/{id=5}", "/api/things", {"id": "5"}),
        ("api/jobs/{job}/tasks/{task}", "/api/jobs/a/tasks/b:job-1", {"job": "a", "task": "b:job-1"}),
        ("api/{*rest}", "/api/a/b", {"rest": "a/b"}),
        ("api/{*rest}", "/api", {}),
        ("api/{name}.{kind}", "/api/report.json", {"name": "report", "kind": "json"}),
        ("", "/", {}),
    ],
)
def test_a_path_that_fits_gives_its_parameters(template: str, path: str, parameters: dict[str, str]) -> None:
    """Literals ignore case and a slash at the end; parameters keep their case, absent optional ones are left out."""
    assert RouteTemplate(template).match(path) == parameters


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("api/things", "/api/thing"),
        ("api/things/{id}", "/api/things"),
        ("api/things/{id}", "/api/things/7/more"),
        ("api/things/{id:int}", "/api/things/seven"),
        ("api/things/{id:int}", "/api/things/2147483648"),
        ("api/things/{id:guid}", "/api/things/7"),
        ("api/things/{id:int:min(5)}", "/api/things/4"),
        ("api/things/{id:length(2,3)}", "/api/things/4"),
        ("api/things/{id:alpha}", "/api/things/a1"),
        ("api/things/{id:regex(^a[bc]$)}", "/api/things/ad"),
        ("api/things/{on:bool}", "/api/things/yes"),
    ],
)
def test_a_path_that_does_not_fit_is_no_match(template: str, path: str) -> None:
    """A value that breaks a constraint makes the route not match; it is no error."""
    assert RouteTemplate(template).match(path) is None


@pytest.mark.parametrize(
    ("constraint", "value"),
    [
        ("int", "-7"),
        ("long", "2147483648"),
        ("guid", "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
        ("bool", "TRUE"),
        ("datetime", "2026-11-24"),
        ("decimal", "1.5"),
        ("minlength(2)", "ab"),
        ("maxlength(2)", "ab"),
        ("length(2)", "ab"),
        ("range(1,9)", "9"),
        ("max(9)", "9"),
        ("regex(^a[bc]{{1,2}}$)", "abc"),
    ],
)
def test_a_value_that_keeps_its_constraint_matches(constraint: str, value: str) -> None:
    """Each constraint of the framework lets its own kind of value through."""
    assert RouteTemplate(f"x/{{v:{constraint}}}").match(f"/x/{value}") == {"v": value}


@pytest.mark.parametrize("template", ["x/{id:unheard}", "x/{id:length}", "x/{:int}"])
def test_a_template_that_the_framework_refuses_is_refused(template: str) -> None:
    """A mistyped constraint is found at start-up, not by a request that never matches."""
    with pytest.raises(ValueError, match="route"):
        RouteTemplate(template)


@pytest.mark.parametrize(
    ("raw", "path"),
    [("/api/a%3Ajob-1", "/api/a:job-1"), ("/api/a%2fb", "/api/a%2Fb"), ("/api/%C3%A4", "/api/ä"), ("/a%20b", "/a b")],
)
def test_a_path_is_decoded_before_routing_but_for_an_encoded_slash(raw: str, path: str) -> None:
    """An encoded slash stays encoded, so that it cannot cut a segment in two."""
    assert decoded_path(raw) == path
