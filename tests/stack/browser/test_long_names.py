"""The dashboard with the longest names that Batch and the settings allow, in narrow windows and in wide ones.

What is measured is where each text lies: a name that runs out of its box is cut off, or covers what stands beside it.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import chain

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, Page, expect

from shared.api.mutes import Mutes
from shared.batch.model import BatchJob, ExecutionInfo, FailureInfo, JobExecutionInfo, NameValuePair, TaskCounts
from shared.batch.pool_model import ComputeNode, NodeError
from shared.digests.mutes import Mute
from shared.errors import HostileAnswerError
from tests.stack.browser.conftest import Visitor, open_page
from tests.stack.browser.served_app import serving
from tests.support.deployment import NOW, Deployment, a_job, a_node, a_run, deploy
from tests.support.fake_batch import FakeBatch
from tests.support.fakes import refusal
from tests.support.webhook_settings import GRID, PAGER, SECRET

HOST = "contosorenderproduction1.germanywestcentral.batch.azure.com"
OTHER = "contosorenderproduction2.germanywestcentral.batch.azure.com"
JOB, STUCK, POOL, NODE = "J" * 64, "S" * 64, "p" * 64, f"tvmps_{'a' * 64}_d"
CODE, MESSAGE, PERSON = "ContainerInvalidImage" * 5, "x" * 900, "someone@" + "c" * 88 + ".com"
WEBHOOKS: list[dict[str, object]] = [
    {"name": "n" * 40, "format": "slack", "url": "https://hooks.slack.com/services/T/B/x"},
    {"name": "c" * 40, "format": "cloudevents", "url": f"https://{'h' * 63}.{'o' * 63}.example/x", "secrets": [SECRET]},
    {**PAGER, "name": "p" * 40},
    {**GRID, "name": "g" * 40},
]
HEBREW = "\u05e9\u05d2\u05d9\u05d0\u05d4"
WIDTHS = [320, 390, 768, 1280]
# Of each text: whether it leaves a box that holds it, lies upon another, or has a short word in two lines.
MISPLACED = """() => {
  const texts = [];
  const found = new Set();
  const seen = document.querySelector("dialog[open]") ?? document.body;
  const walker = document.createTreeWalker(seen, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { data, parentElement: holder } = walker.currentNode;
    if (!data.trim() || !holder.checkVisibility() || holder.closest("script, style, option, .skip, .sr")) continue;
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    const lines = [...range.getClientRects()].filter((one) => one.width && one.height && one.right > 0);
    for (const word of data.matchAll(/(?<!\\S)([^\\s-]{2,12}|--[\\w-]+|\\d+-\\d+-\\d+)(?!\\S)/g)) {
      range.setStart(walker.currentNode, word.index);
      range.setEnd(walker.currentNode, word.index + word[0].length);
      const parts = [...range.getClientRects()];
      if (parts.length && parts.at(-1).top > parts[0].bottom - 5) found.add(`${word[0]} breaks`);
    }
    if (lines.length) texts.push({ words: data.trim().slice(0, 40), holder, lines });
  }
  for (const { words, holder, lines } of texts) {
    for (let box = holder; box && box !== document.documentElement; box = box.parentElement) {
      if (getComputedStyle(box).display.startsWith("inline")) continue;
      const edge = box.getBoundingClientRect();
      if (lines.some((line) => line.right > edge.right + 1 || line.left < edge.left - 1))
        found.add(`${words} leaves ${box.tagName}.${box.className}`);
    }
  }
  texts.forEach((one, number) => {
    if (one.holder.closest(".toast")) return;
    for (const other of texts.slice(number + 1).filter(({ holder }) => !holder.closest(".toast")))
      for (const a of one.lines)
        for (const b of other.lines) {
          const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
          const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
          if (across > 2 && down > 5) found.add(`${one.words} covers ${other.words}`);
        }
  });
  return [...found];
}"""


# Whether what follows a name, the first part of a line with a script of its own, stands to the right of it.
BEHIND = """(line) => {
  const name = line.querySelector("b, bdi");
  const rest = document.createRange();
  rest.selectNode(name.nextSibling);
  return rest.getBoundingClientRect().left >= name.getBoundingClientRect().right - 1;
}"""


def _broken(*, exit_code: int | None = None) -> ExecutionInfo:
    image = NameValuePair(name="N" * 60, value="v" * 200)
    failure = FailureInfo(category="userError", code=CODE, message=MESSAGE, details=(image,))
    run = replace(a_run(failed=True), failure_info=failure, exit_code=exit_code)
    return replace(run, task_root_directory=f"workitems/{MESSAGE}")


def _a_job_in(pool: str, name: str) -> BatchJob:
    return replace(a_job(name), execution_info=JobExecutionInfo(pool_id=pool))


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    """Jobs that fail, stand still or can't be read, receivers that refuse, and mutes, all with long names."""
    made = deploy(*WEBHOOKS, batches={HOST: FakeBatch(), OTHER: FakeBatch()})
    batch = made.batches[HOST]
    nodes = {
        job: [a_node(f"{NODE[:-3]}{last}_d", pool_id=POOL, preparation=_broken()) for last in "123"]
        for job in (JOB, STUCK)
    }
    nodes[JOB].append(a_node(NODE, pool_id=POOL, preparation=a_run(), release=_broken(exit_code=1)))
    batch.jobs.update({job: _a_job_in(POOL, job) for job in nodes})
    batch.nodes.update(nodes)
    batch.counts[STUCK] = TaskCounts(active=30000)
    batch.node_counts[POOL] = {"unusable": 1, "starttaskfailed": 100000}
    full = NodeError(code=CODE, message=MESSAGE)
    batch.pool_nodes[POOL] = [
        ComputeNode(id=node_id, state="unusable", state_transition_time=NOW - timedelta(hours=1), errors=(full,))
        for node_id in sorted({node.node_id or "" for node in chain(*nodes.values())})
    ]
    made.batches[OTHER].add(a_job("u" * 64))
    made.batches[OTHER].failures["list_statuses"] = HostileAnswerError(CODE, MESSAGE)
    made.sender.answer = refusal(500, MESSAGE.encode())
    for _ in range(6):
        for host in (HOST, OTHER):
            made.poll(host)
            made.deliver(host)
        made.clock.advance(minutes=4)
    mute = Mute(
        starts_at=made.clock(), ends_at=made.clock() + timedelta(days=6), created_by=PERSON[-100:], comment="c" * 500
    )
    mutes = Mutes(table=made.table, clock=made.clock)
    mutes.put_mute("jobs", replace(mute, jobs=("m" * 64, "o" * 64)))
    mutes.put_mute("pool", replace(mute, pools=(POOL,)))
    return made


@pytest.fixture(scope="module")
def page(browser: Browser, deployment: Deployment) -> Iterator[Page]:
    """The dashboard of that app."""
    with serving(lambda: deployment.app) as url:
        page = open_page(browser, url, deployment, "")
        yield page
        page.context.close()


def _list(page: Page) -> None:
    expect(page.locator(".job")).to_have_count(3)


def _job(page: Page) -> None:
    expect(page.locator(".nodes tbody tr")).not_to_have_count(0)


def _dialog(page: Page) -> None:
    expect(page.get_by_role("dialog").locator(".deliveries > li")).not_to_have_count(0)


def _pressed(button: str) -> Callable[[Page], None]:
    def press(page: Page) -> None:
        page.get_by_role("button", name=button).first.click()
        expect(page.get_by_role("dialog").locator(".list li, form").first).to_be_visible()

    return press


def _event(page: Page) -> None:
    page.locator("#timeline .event a", has_text="Preparation failed").first.click()
    _dialog(page)


def _nobody(page: Page) -> None:
    expect(page.locator("#jobs .empty, #job .empty")).to_be_visible()


def _pinged(page: Page) -> None:
    page.get_by_role("button", name=f"Test {'n' * 40}").click()
    expect(page.get_by_role("status")).to_contain_text("did not take the test message")


AT_JOB = f"?account={HOST}&job={JOB}"
STATES: dict[str, tuple[str, Callable[[Page], None]]] = {
    "list": ("", _list),
    "job": (AT_JOB, _job),
    "job that stands still": (f"?account={HOST}&job={STUCK}", _job),
    "node": (f"{AT_JOB}&pool={POOL}&node={NODE}", _dialog),
    "event": ("", _event),
    "pool's nodes": ("", _pressed(f"Show nodes of {POOL} that can't work")),
    "mute": (AT_JOB, _pressed(f"Mute {JOB}")),
    "messages": ("", _pressed(f"Messages sent to {'n' * 40}")),
    "diagnostics": ("", _pressed("Run diagnostics")),
    "nothing found": (f"?q={MESSAGE}y", _nobody),
    "no such job": (f"?job={'N' * 64}", _nobody),
    "notice": ("", _pinged),
}


@pytest.mark.parametrize("state", list(STATES))
def test_every_text_stays_in_its_box(page: Page, state: str) -> None:
    """However long the names are, nothing makes the page scroll sideways, leaves its box, or covers its neighbour."""
    address, reach = STATES[state]
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(page.url.split("?")[0] + address)
    reach(page)
    found = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        scrolled = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        found[width] = [*page.evaluate(MISPLACED), *([f"scrolls by {scrolled}"] if scrolled > 0 else [])]
    assert found == {width: [] for width in WIDTHS}


def test_letters_from_right_to_left(visit: Visitor) -> None:
    """What is said of a name stands behind it in any script, and a message is read in the order of its own."""
    deployment = deploy()
    code, message = HEBREW, f"{HEBREW} /mnt/data {HEBREW}"
    failure = FailureInfo(category="userError", code=code, message=message)
    deployment.batch.add(a_job(), a_node(preparation=replace(a_run(failed=True), failure_info=failure)))
    deployment.poll()
    mute = Mute(starts_at=NOW, ends_at=NOW + timedelta(hours=9), created_by=code, comment=message)
    Mutes(table=deployment.table, clock=deployment.clock).put_mute("one", replace(mute, jobs=("*",)))
    with serving(lambda: deployment.app) as url:
        page = visit(url, deployment)
        expect(page.locator("#trend .name")).to_have_text(f"{code} 1 failure")
        assert page.locator("#trend .name").evaluate(BEHIND)
        assert page.locator("#told .tight p").evaluate(BEHIND)
        for place in (".job .why bdi", "#told .tight bdi >> nth=1"):
            expect(page.locator(place)).to_have_text(message)
            expect(page.locator(place)).to_have_css("direction", "rtl")
        page.locator(".job .name").click()
        expect(page.locator("#job .cause p").first).to_have_css("direction", "rtl")
        page.locator(".nodes button.link").click()
        expect(page.get_by_role("dialog").locator(".cause p").first).to_have_css("direction", "rtl")
