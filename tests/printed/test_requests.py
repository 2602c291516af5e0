"""Every request and every line of Python that a document prints is tried."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from shared.messages.signing import decode_secret
from shared.web.operation import Route
from shared.web.operation_table import ROUTE

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
NAMED = re.compile(r"\b(GET|HEAD|PUT|POST|DELETE) (/api/[^\s`\"'),;]+)")
CURL = re.compile(r"\bcurl (?:[^`\n]*?-X ([A-Z]+) )?[^`\n]*?((?:https?://)?[\w.:-]+/api/[^\s`\"']+)")
ADDRESS = re.compile(r"(?:`|localhost:\d+)/api/([^\s`>\"')]+)")
"""An address without a method, which people open."""
SENT = re.compile(r"\bcurl -X ([A-Z]+) [^`\n]*?/api/([^\s`\"']+)[^`\n]*? --data '([^'\n]+)'")
PYTHON = re.compile(r"python3 -c (?:'([^'\n]+)'|\"([^\"\n]+)\")")
PLATFORM = {"code", "clientId"}
"""What the platform takes of every query."""


def _printed() -> Iterator[object]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        curls = (
            (method or "GET", f"/{url.partition('://')[2] or url}".partition("/api/")[2])
            for method, url in CURL.findall(text)
        )
        named = ((method, path.removeprefix("/api/")) for method, path in NAMED.findall(text))
        opened = (("GET", path) for path in ADDRESS.findall(text))
        for method, path in sorted({*curls, *named, *opened}):
            yield pytest.param(method, path.rstrip("."), id=f"{page.stem}: {method} {path}")


@pytest.mark.parametrize(("method", "path"), list(_printed()))
def test_a_printed_request_is_one_that_the_app_takes(method: str, path: str) -> None:
    """Its method and path are those of a route, and its query has parameters of that route."""
    asked = urlsplit(path)
    routes = [route for route in ROUTE.values() if _fits(route.template, asked.path) and method in _methods(route)]
    assert routes
    known = {parameter.name for route in routes for parameter in route.parameters} | PLATFORM
    assert {name for name, _ in parse_qsl(asked.query, keep_blank_values=True)} <= known


def _methods(route: Route) -> set[str]:
    return {route.method.upper(), *(["HEAD"] if route.head else [])}


def _fits(template: str, path: str) -> bool:
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template.removeprefix("/api/").strip("/")))
    return re.fullmatch(pattern, path) is not None


@pytest.mark.parametrize(
    ("method", "path", "body"), [found for page in PAGES for found in SENT.findall(page.read_text(encoding="utf-8"))]
)
def test_a_printed_body_is_one_that_its_route_takes(method: str, path: str, body: str) -> None:
    """What a curl line sends is read as the route reads it."""
    (route,) = [route for route in ROUTE.values() if _fits(route.template, path) and route.method == method]
    assert route.body is not None
    assert isinstance(msgspec.json.decode(body, type=route.body), route.body)


def test_requests_are_found() -> None:
    """What is printed as a curl line, and what is named in a sentence."""
    assert len(list(_printed())) > 20


@pytest.mark.parametrize(
    "line", sorted({one or other for page in PAGES for one, other in PYTHON.findall(page.read_text(encoding="utf-8"))})
)
def test_a_printed_line_of_python_makes_a_secret_that_is_taken(line: str) -> None:
    """What it prints is a signing secret, as it stands."""
    made = subprocess.run([sys.executable, "-c", line], capture_output=True, check=True, text=True).stdout.strip()
    assert made.startswith("whsec_")
    assert len(decode_secret(made)) >= 24
