"""Routes as ASP.NET Core matches them for the host."""

import pytest

from local.functions_host.routing import BadPathError, Route, RouteError, decode_path, encode_path, find_route


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
        pytest.param("jobs/{jobId}", "/api/jobs/%0A", {"jobId": "\n"}, id="a-line-break"),
        pytest.param("jobs/{jobId}/nodes", "/api/jobs/../nodes", None, id="two-dots-are-no-id"),
        pytest.param("summary", "/api/x/%2E%2E/./summary", {}, id="dots-are-followed"),
        pytest.param("summary", "//api/summary", None, id="two-slashes-at-the-beginning"),
        pytest.param("summary", "/api//summary", None, id="two-slashes-within"),
        pytest.param("summary", "/api/summary//", None, id="two-slashes-at-the-end"),
        pytest.param("files/{*rest}", "/api/files/a%0Ab", {"rest": "a\nb"}, id="a-line-break-in-the-rest"),
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
    found = find_route(_routes(template), "GET", decode_path(path))
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


@pytest.mark.parametrize(
    ("path", "decoded", "told"),
    [
        pytest.param("/a%3Ab", "/a:b", "/a:b", id="needlessly-encoded"),
        pytest.param("/a%20b%C3%A4", "/a b\u00e4", "/a%20b%C3%A4", id="rightly-encoded"),
        pytest.param("/a%2fb%2Fc", "/a%2fb%2Fc", "/a%2fb%2Fc", id="slashes-stay-as-they-are-spelled"),
        pytest.param("/a%252Fb", "/a%2Fb", "/a%2Fb", id="decoded-once"),
        pytest.param("/%FF%ff%41", "/%FF%ffA", "/%FF%ffA", id="no-utf-8-stays"),
        pytest.param("/%E4%B8", "/%E4%B8", "/%E4%B8", id="half-a-letter-stays"),
        pytest.param("/%ED%A0%80", "/%ED%A0%80", "/%ED%A0%80", id="a-surrogate-stays"),
        pytest.param("/%zz%", "/%zz%", "/%25zz%25", id="no-hexadecimal-stays"),
        pytest.param("/a+b%2Bc", "/a+b+c", "/a+b+c", id="a-plus-is-a-plus"),
        pytest.param("/a%5Cb%3F%23", "/a\\b?#", "/a%5Cb%3F%23", id="backslash-and-marks"),
        pytest.param("/a/./b", "/a/b", "/a/b", id="one-dot"),
        pytest.param("/a/%2e%2E/b", "/b", "/b", id="two-dots-encoded"),
        pytest.param("/a/b/..", "/a/", "/a/", id="dots-at-the-end"),
        pytest.param("/../../a", "/a", "/a", id="no-way-above-the-root"),
        pytest.param("/a/.../.b", "/a/.../.b", "/a/.../.b", id="other-dots"),
        pytest.param("/", "/", "/", id="root"),
    ],
)
def test_a_path_is_decoded_once(path: str, decoded: str, told: str) -> None:
    """The server decodes a path once, keeps %2F and what is no UTF-8, follows dots; the worker is told it encoded."""
    assert (decode_path(path), encode_path(decode_path(path))) == (decoded, told)


@pytest.mark.parametrize("path", ["/a%00b", "/%41%00", "/a\0b", "/\u00e4"])
def test_a_path_that_no_server_takes(path: str) -> None:
    """A null character, encoded or not, and a letter beyond ASCII make a bad request."""
    with pytest.raises(BadPathError):
        decode_path(path)


def test_the_first_route_wins() -> None:
    """Overlapping templates are tried in their order."""
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
