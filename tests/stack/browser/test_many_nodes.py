"""The map and the list of a job of 10,000 nodes: what is counted here is what keeps them smooth.

Times depend on the machine; how much is asked, put into the page and drawn anew does not.
"""

from collections.abc import Iterator
from itertools import combinations

import pytest
from playwright.sync_api import Browser, Page, expect

from shared.batch.model import NodeStatus
from tests.stack.browser.browser import grave_violations
from tests.stack.browser.conftest import Visitor, let_pass, open_page
from tests.stack.browser.served_app import serving
from tests.support.deployment import Deployment, a_job, a_node, a_run, deploy

NODES = 10_000
PAGES = 10
MOST_ELEMENTS = 1_500
OUTCOMES = ("failed", "retrying", "running", "unknown", "succeeded", "")


def _nodes(failed: int) -> list[NodeStatus]:
    well = a_run()
    return [
        a_node(f"n{number:05}", preparation=a_run(failed=True) if number < failed else well) for number in range(NODES)
    ]


@pytest.fixture(scope="module")
def big() -> Iterator[tuple[Deployment, str]]:
    """An app that has looked at a job of so many nodes, of which 200 fail, and where it is served."""
    deployment = deploy(STALE_AFTER_SECONDS="86400")
    deployment.batch.add(a_job("big"), *_nodes(200))
    deployment.poll()
    with serving(lambda: deployment.app) as url:
        yield deployment, url


@pytest.fixture(scope="module")
def loaded(browser: Browser, big: tuple[Deployment, str]) -> Iterator[Page]:
    """The page of that job, once all its nodes have come; it counts how often the map is drawn."""
    deployment, url = big
    page = open_page(browser, url, deployment, "?job=big")
    page.wait_for_function(f"() => prepwatch.chosen.nodes.length === {NODES} && !prepwatch.chosen.loading")
    expect(page.get_by_role("heading", name="10,000 nodes")).to_be_visible()
    page.evaluate(
        """() => {
          const draw = prepwatch.NodeMap.prototype.draw;
          prepwatch.NodeMap.prototype.draw = function () { window.drawn += 1; return draw.call(this); };
        }"""
    )
    yield page
    page.context.close()


@pytest.fixture
def page(loaded: Page) -> Page:
    """That page with nothing open in it and nothing counted yet; loading it takes seconds, so tests share it."""
    loaded.keyboard.press("Escape")
    loaded.get_by_label("Which nodes").select_option("")
    loaded.evaluate("() => { window.drawn = 0; document.querySelector('.map').scrollTop = 0; }")
    return loaded


def test_it_asks_for_each_node_once(visit: Visitor, big: tuple[Deployment, str]) -> None:
    """The nodes come in ten requests; while nothing changes, later rounds ask for none of them."""
    deployment, url = big
    page = visit(url, deployment)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("link", name="big", exact=True).first.click()
    page.wait_for_function(f"() => prepwatch.chosen.nodes.length === {NODES} && !prepwatch.chosen.loading")
    with page.expect_response(lambda one: "/api/summary" in one.url):
        let_pass(page, deployment, seconds=6)
    assert sum("/nodes?" in url for url in asked) == PAGES


def test_the_page_stays_small(page: Page) -> None:
    """However many nodes there are, few become elements: the map is one drawing, the table begins with fifty."""
    assert page.locator("#job tbody tr").count() == 50
    assert page.evaluate("document.querySelectorAll('*').length") < MOST_ELEMENTS
    page.get_by_label("Which nodes").select_option("failed")
    page.get_by_role("button", name="Show more of 200").click()
    expect(page.locator("#job tbody tr")).to_have_count(200)
    expect(page.get_by_role("button", name="Show more of 200")).to_have_count(0)


def test_pointing_at_nodes_draws_nothing_anew(page: Page) -> None:
    """The pointer and the keys move a frame and a line of words over the drawing, whatever the number of nodes."""
    box = page.get_by_role("application").bounding_box()
    assert box is not None
    for step in range(20):
        page.mouse.move(box["x"] + 3 + 30 * step, box["y"] + 5 + 10 * step)
    page.get_by_role("application").focus()
    page.keyboard.press("End")
    expect(page.locator("#under")).to_contain_text("n09999")
    frame, map_ = (page.locator(name).bounding_box() for name in (".map .cursor", ".map"))
    assert frame is not None
    assert map_ is not None
    assert map_["y"] <= frame["y"] < frame["y"] + frame["height"] <= map_["y"] + map_["height"]
    assert page.evaluate("drawn") == 0


def test_the_frame_is_where_the_pointer_is(page: Page) -> None:
    """What is framed is the node under the pointer, and a click opens it."""
    box = page.get_by_role("application").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    frame = page.locator(".map .cursor").bounding_box()
    assert frame is not None
    assert frame["x"] <= box["x"] + 200 <= frame["x"] + frame["width"]
    assert frame["y"] <= box["y"] + 100 <= frame["y"] + frame["height"]
    named = page.locator("#under").inner_text().partition(":")[0]
    page.mouse.click(box["x"] + 200, box["y"] + 100)
    expect(page.get_by_role("dialog").get_by_role("heading", name=named)).to_be_visible()


def test_rounds_without_news_draw_nothing_anew(page: Page, big: tuple[Deployment, str]) -> None:
    """Every few seconds the page asks; when the answer is the same, it neither draws nor builds anything."""
    page.evaluate("document.querySelector('#job tbody tr').dataset.same = 'yes'")
    for _ in range(3):
        with page.expect_response(lambda one: "/api/summary" in one.url):
            let_pass(page, big[0], seconds=6)
    assert page.evaluate("drawn") == 0
    expect(page.locator("#job tbody tr").first).to_have_attribute("data-same", "yes")


def test_news_leaves_the_reader_in_place(page: Page, big: tuple[Deployment, str]) -> None:
    """A change draws the map anew, and whoever had scrolled in it goes on from there."""
    deployment = big[0]
    page.locator(".map").evaluate("(map) => { map.scrollTop = 300; }")
    deployment.batch.add(a_job("big"), *_nodes(201))
    deployment.poll()
    let_pass(page, deployment, seconds=6)
    expect(page.locator("#job .cause")).to_contain_text("201 nodes")
    page.wait_for_function("() => drawn > 0 && !prepwatch.chosen.loading")
    assert page.locator(".map").evaluate("(map) => map.scrollTop") == 300


def test_the_map_is_accessible(page: Page) -> None:
    """By axe there is no serious or critical violation with 10,000 nodes either."""
    assert grave_violations(page) == []


def test_marks_differ_by_more_than_colour(page: Page) -> None:
    """In one ink the marks of any two outcomes differ, at every size that the map uses."""
    shapes = page.evaluate(
        """(outcomes) => [5, 7, 10, 14, 20].map((size) => outcomes.map((outcome) => {
          const canvas = document.createElement("canvas");
          canvas.width = canvas.height = size;
          const pen = canvas.getContext("2d");
          pen.fillStyle = "#fff";
          pen.fillRect(0, 0, size, size);
          const ink = Object.fromEntries([...outcomes, "none"].map((name) => [name, "#000"]));
          prepwatch.drawMark(pen, outcome, 0, 0, size, { ...ink, paper: "#fff" });
          return [...pen.getImageData(0, 0, size, size).data].filter((_, index) => index % 4 === 0);
        }))""",
        list(OUTCOMES),
    )
    for marks in shapes:
        for one, other in combinations(marks, 2):
            differing = sum(abs(a - b) > 100 for a, b in zip(one, other, strict=True))
            assert differing >= max(3, len(one) // 25)
