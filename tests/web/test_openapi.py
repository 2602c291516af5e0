"""openapi.json says what is served."""

import json
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.web.http import Answer, Request
from shared.web.openapi import document
from shared.web.operation import Route
from shared.web.operation_table import ROUTES
from tests.support.deployment import Deployment, deploy

ROOT = Path(__file__).resolve().parents[2]
BY_NAME = {route.function: route for route in ROUTES}


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    """An app that knows nothing yet."""
    return deploy()


def test_every_function_is_described() -> None:
    """The document has exactly the routes that the host is told of, with their methods."""
    served = {}
    # A copy of its own: an app tells its functions only once.
    for function in runpy.run_path(str(ROOT / "function_app.py"))["app"].get_functions():
        trigger = function.get_trigger()
        assert trigger is not None
        said = trigger.get_dict_repr()
        if said["type"] == "httpTrigger":
            methods = {method.name for method in said["methods"]}
            served[function.get_function_name()] = (methods, said["route"], said["authLevel"].name)
    described = {
        route.function: (
            {route.method, *(["HEAD"] if route.head else [])},
            route.template,
            "ANONYMOUS" if route.anonymous else "FUNCTION",
        )
        for route in ROUTES
    }
    assert described == served


def test_what_answers_head_says_so() -> None:
    """Health and page can be asked with HEAD, as many monitors do; the document has the same statuses, no bodies."""
    paths = json.loads(document())["paths"]
    assert [path for path, methods in paths.items() if "head" in methods] == ["/health", "/dashboard"]
    for methods in (paths["/health"], paths["/dashboard"]):
        assert methods["head"]["responses"].keys() == methods["get"]["responses"].keys()
        assert not any("content" in said for said in methods["head"]["responses"].values())


def _handlers(deployment: Deployment) -> dict[str, Callable[[Request], Answer]]:
    routes = deployment.app.routes
    return {
        name: getattr(owner, name)
        for owner in (routes, routes.events, routes.pools, routes.webhooks, routes.mutes, routes.system)
        for name in BY_NAME
        if hasattr(type(owner), name)
    }


@pytest.mark.parametrize("route", [route for route in ROUTES if not route.anonymous], ids=lambda route: route.function)
def test_every_parameter_is_described(deployment: Deployment, route: Route) -> None:
    """A parameter that is not known is refused, and what is said to be known is what the document says."""
    handler = _handlers(deployment)[route.function]
    parts: dict[str, Any] = dict.fromkeys(re.findall(r"{(\w+)}", route.template), "x")
    told = deployment.ask(lambda _routes, asked: handler(asked), {"nope": "1"}, **parts)
    assert (told.status, told.body["error"]["target"]) == (400, "nope")
    known = told.body["error"]["message"].partition("known are: ")[2].removesuffix(".")
    described = {parameter.name for parameter in route.parameters if not parameter.in_path}
    assert frozenset(known.split(", ")) - {"none"} == described


def test_it_is_served() -> None:
    """The route answers the document, and a client that is generated from a copy of it knows where the app is."""
    answer = deploy(PUBLIC_URL="https://prepwatch.example").app.routes.system.openapi(Request())
    assert answer.body == document("https://prepwatch.example")
    assert json.loads(answer.body)["servers"] == [{"url": "https://prepwatch.example/api"}]
    assert json.loads(document())["servers"] == [{"url": "/api"}]


def test_every_reference_leads_somewhere() -> None:
    """No shape is named that the document does not hold, and none is held that nothing names."""
    text = document().decode()
    named = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert named == set(json.loads(text)["components"]["schemas"])
