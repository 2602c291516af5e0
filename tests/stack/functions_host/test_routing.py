"""Routes as ASP.NET Core matches them for the host."""

import pytest

from local.functions_host.routing import Route, RouteError, find_route


def _routes(*templates: str, prefix: str = "api", methods: list[str] | None = None) -> list[Route]:
    return [
        Route.parse(function=template or "root", template=template, prefix=prefix, methods=methods)
        for template in templates
    ]


@pytest.mark.parametrize(
    ("template", "path", "parameters"),
    [
        pytest.param("summary", "/api/summary", {}, id="literal"),
        pytest.param("summary", "/API/Summary/", {}, id="case-and-slash-at-the-end-do-not-count"),
        pytest.param("summary", "/summary", None, id="the-prefix-counts"),
        pytest.param("summary", "/api/summary/x", None, id="more-segments"),
        pytest.param("jobs/{jobId}", "/api/jobs/a%20b%3Ac", {"jobId": "a b:c"}, id="decoded"),
        pytest.param("jobs/{jobId}", "/api/jobs/a%2Fb", {"jobId": "a%2Fb"}, id="an-encoded-slash-stays"),
        pytest.param("jobs/{jobId}", "/api/jobs/", None, id="required"),
        pytest.param("jobs/{jobId?}", "/api/jobs", {}, id="optional-left-out"),
        pytest.param("jobs/{jobId?}", "/api/jobs/x", {"jobId": "x"}, id="optional"),
        pytest.param("files/{*rest}", "/api/files/a/b", {"rest": "a/b"}, id="rest"),
        pytest.param("files/{*rest}", "/api/files", {}, id="empty-rest"),
        pytest.param("jobs/{n:int}", "/api/jobs/7", {"n": "7"}, id="int"),
        pytest.param("jobs/{n:int}", "/api/jobs/x", None, id="no-int"),
        pytest.param("a.b/{x}/c", "/api/aXb/1/c", None, id="literals-are-no-patterns"),
    ],
)
def test_a_template_matches(template: str, path: str, parameters: dict[str, str] | None) -> None:
    """Templates take literals, {name}, {name?}, {name:constraint} and {*rest} below the prefix."""
    found = find_route(_routes(template), "GET", path)
    assert (None if found is None else found[1]) == parameters


@pytest.mark.parametrize(
    ("methods", "method", "answers"),
    [
        pytest.param(["GET"], "GET", True, id="right"),
        pytest.param(["GET"], "POST", False, id="wrong-method-is-not-found"),
        pytest.param(["GET"], "HEAD", False, id="get-implies-no-head"),
        pytest.param(["GET"], "OPTIONS", False, id="get-implies-no-options"),
        pytest.param(None, "DELETE", True, id="no-methods-are-all-methods"),
    ],
)
def test_a_route_answers_its_methods_only(methods: list[str] | None, method: str, answers: bool) -> None:  # noqa: FBT001 - a column
    """A request with another method finds nothing, which is 404 and not 405."""
    assert (find_route(_routes("summary", methods=methods), method, "/api/summary") is not None) is answers


def test_the_first_registered_route_wins() -> None:
    """Overlapping templates are tried in the order of registration."""
    found = find_route(_routes("jobs/{id}", "jobs/all"), "GET", "/api/jobs/all")
    assert found is not None
    assert found[0].function == "jobs/{id}"


def test_the_prefix_may_be_empty() -> None:
    """An empty routePrefix puts routes at the root."""
    assert find_route(_routes("summary", prefix=""), "GET", "/summary") is not None


@pytest.mark.parametrize("template", ["a-{b}", "{a:regex}", "{a=1}", "{a"])
def test_an_unknown_template_is_refused(template: str) -> None:
    """What this host can't match is refused at the start, not silently never matched."""
    with pytest.raises(RouteError):
        _routes(template)
