"""The dashboard as people use it.

`PREPWATCH_PICTURES=1 pytest tests/stack/browser -k kept_out` writes the pictures of docs/images.
"""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.stack.browser.browser import grave_violations
from tests.stack.browser.conftest import HOSTILE, JOB, POOL, STDERR, TOLD_WITH_STDERR, Opener, Scene

WINDOWS: dict[str, dict[str, object]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True},
}
VIEWS = {"dashboard": "", "job": f"?job={JOB}", "node": f"?job={JOB}&pool=pool-cpu&node={TOLD_WITH_STDERR}"}


def _job(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()


def test_it_says_first_what_is_wrong(show: Opener) -> None:
    """The headline and the reasons come before anything else, and the worst job first of all jobs."""
    page = show()
    expect(page.get_by_role("heading", level=1)).to_have_text("Jobs are failing")
    expect(page.locator("#status")).to_contain_text("Preparation failed on")
    expect(page.locator(".job").first).to_contain_text(JOB)
    expect(page.locator(".job").first).to_contain_text("BlobNotFound")


def test_a_failure_shows_up_by_itself(show: Opener, scene: Scene) -> None:
    """Nobody has to reload the page to see a node fail."""
    page = show("?job=encode-video-3")
    expect(page.locator("#job")).to_contain_text("12 nodes")
    scene.fail("tvmps_05_d", "encode-video-3")
    expect(page.locator("#job tbody tr").first).to_contain_text("tvmps_05_d")
    expect(page.locator("#job tbody tr").first).to_contain_text("failed")


def test_a_filter_is_in_the_address(show: Opener) -> None:
    """What is typed narrows the list, keeps the focus, and is there for whoever gets the link."""
    page = show()
    box = page.get_by_role("searchbox")
    box.press_sequentially("encode")
    expect(page.locator(".job")).to_have_count(1)
    expect(box).to_be_focused()
    expect(page).to_have_url(re.compile(r"\?q=encode$"))
    expect(show("?q=nothing+of+the+kind").locator("#jobs")).to_contain_text("No job matches.")


def test_three_clicks_lead_from_the_first_glance_to_the_delivery_that_told_a_failure(
    show: Opener, scene: Scene
) -> None:
    """The job and why; its node with what the task wrote last; and the event that a receiver got, with its attempt."""
    page = show()
    page.evaluate("addEventListener('click', (event) => { if (event.isTrusted) clicks += 1; }, true); var clicks = 0")
    expect(page.locator(".job").first).to_contain_text("FailureExitCode")
    expect(page.locator(".job .since").first).to_have_text(re.compile("^failing for "))

    _job(page, JOB)
    expect(page.locator("#job")).to_contain_text("Check the resource file's URL")
    expect(page.locator("#job")).to_contain_text("It has been failing for ")

    page.get_by_role("button", name=TOLD_WITH_STDERR, exact=True).click()
    dialog = page.get_by_role("dialog")
    attempt = dialog.locator(".deliveries li li", has_text="accepted with status 204")
    expect(dialog.locator(".stderr pre")).to_have_text(STDERR)
    expect(dialog.locator(".stderr pre")).to_be_visible()
    expect(dialog).to_contain_text("This run failed and was not recorded as failed before, so it was announced.")
    expect(attempt).to_be_visible()

    dialog.get_by_role("link", name="Preparation failed").click()
    expect(dialog.get_by_role("heading", level=2)).to_have_text("Preparation failed")
    expect(attempt).to_be_visible()
    sent = json.loads(dialog.locator("details pre").text_content() or "")
    told = [(node["nodeId"], node["stderrTail"]) for node in sent["data"]["nodes"] if "stderrTail" in node]
    assert (TOLD_WITH_STDERR, STDERR) in told
    assert sent["id"] in [identity for identity, _ in scene.receiver.bodies]
    assert page.evaluate("clicks") <= 3
    expect(page).not_to_have_url(re.compile("node="))

    page.go_back()
    expect(dialog).to_contain_text("so it was announced")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page).not_to_have_url(re.compile("node="))


def test_an_event_is_sent_again(show: Opener, scene: Scene) -> None:
    """Send again brings the same event to the receiver once more."""
    page = show()
    page.locator("#timeline a").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".deliveries")).to_contain_text("delivered")
    event = dialog.locator("dd code").inner_text()
    before = [identity for identity, _ in scene.receiver.bodies].count(event)
    dialog.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("status")).to_contain_text("on its way to default again")
    for _ in range(100):
        if [identity for identity, _ in scene.receiver.bodies].count(event) > before:
            break
        page.wait_for_timeout(200)
    assert [identity for identity, _ in scene.receiver.bodies].count(event) == before + 1
    assert len({body for identity, body in scene.receiver.bodies if identity == event}) == 1


def test_a_webhook_is_tried(show: Opener) -> None:
    """Ping says in words what the receiver answered."""
    page = show()
    page.locator("#told summary").click()
    page.get_by_role("button", name="Test default").click()
    expect(page.get_by_role("status")).to_contain_text("default took the test message")


def test_what_batch_says_is_only_ever_text(show: Opener, scene: Scene) -> None:
    """Markup and scripts in a failure's code and message are shown letter by letter."""
    scene.world.add_job("hostile-1", creation_time=datetime.now(UTC), pool=POOL)
    scene.fail("tvmps_00_d", "hostile-1", HOSTILE)
    page = show("?job=hostile-1")
    expect(page.locator(".cause").first).to_contain_text("<img src=x onerror=alert(1)>")
    expect(page.locator(".cause").first).to_contain_text("<b>bold</b>")
    assert page.locator("#job img, #job script, #job b b").count() == 0
    assert "taken" not in page.title()


def test_nothing_but_this_app_is_asked(show: Opener) -> None:
    """Every request of the page goes to the app itself, and none carries the key in its address."""
    page = show()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    expect(page.locator(".job").first).to_be_visible()
    origin = page.url.split("/api/")[0]
    assert [url for url in asked if not url.startswith((origin, "data:"))] == []
    assert [url for url in asked if "code=" in url] == []


def test_unchanged_answers_are_not_sent_again(show: Opener) -> None:
    """The page asks with the ETag it knows, and takes 304 for an answer."""
    page = show("?job=nobody")
    with page.expect_request(lambda one: "/api/summary" in one.url and "if-none-match" in one.headers, timeout=20_000):
        pass


def test_without_a_key_it_asks_for_one(show: Opener, scene: Scene) -> None:
    """The key is asked for, a wrong one is refused in words, and the right one stays in this tab's session."""
    page = show(key=False)
    box = page.get_by_label("Key", exact=True)
    box.fill("wrong")
    box.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("does not open this app")
    box.fill(scene.host.key)
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".job").first).to_be_visible()
    assert page.evaluate("localStorage.length") == 0
    page.get_by_role("button", name="Forget key").click()
    expect(box).to_be_visible()


def test_the_map_is_walked_by_keyboard(show: Opener) -> None:
    """Arrow keys go from node to node, say which it is, and Enter opens it."""
    page = show(f"?job={JOB}")
    page.get_by_role("application").focus()
    page.keyboard.press("End")
    expect(page.locator("#under")).to_contain_text("tvmps_95_d: preparation succeeded")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#under")).to_contain_text("tvmps_94_d")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("tvmps_94_d")


@pytest.mark.parametrize("window", list(WINDOWS))
@pytest.mark.parametrize("view", list(VIEWS))
def test_nobody_is_kept_out(show: Opener, view: str, window: str, pictures: Path | None) -> None:
    """By axe there is no serious or critical violation, in any window and with the dialog open."""
    page = show(VIEWS[view], **WINDOWS[window])
    expect(page.locator(".deliveries" if view == "node" else "#timeline .event").first).to_be_visible()
    assert grave_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    if pictures is not None:
        page.screenshot(path=pictures / f"{view}-{window}.png")


def test_the_page_has_one_name_in_the_global_scope(show: Opener) -> None:
    """What its scripts declare is theirs; only `prepwatch` can be reached from outside of them."""
    page = show()
    expect(page.get_by_role("heading", level=1)).to_have_text("Jobs are failing")
    own = set(page.evaluate("Object.getOwnPropertyNames(window)"))
    without = page.context.new_page()
    without.route("**/empty", lambda route: route.fulfill(body="", content_type="text/html"))
    without.goto(page.url.replace("/dashboard", "/empty"))  # names depend on the origin too
    assert own - set(without.evaluate("Object.getOwnPropertyNames(window)")) == {"prepwatch"}
    # The browser itself gives every element with an id a name there.
    reached = ", ".join(f"typeof {name} === 'undefined' || {name} instanceof Element" for name in _declared())
    assert all(page.evaluate(f"[{reached}]"))


def _declared() -> list[str]:
    folder = Path(__file__).resolve().parents[3] / "shared/web/dashboard"
    sources = [file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.js"))]
    return re.findall(r"(?m)^(?:export )?(?:async )?(?:class|const|function|let) (\w+)", "\n".join(sources))
