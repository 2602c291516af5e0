"""What the dashboard says of who is told: what waits for webhooks, what is muted, and notices of what was done."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from playwright.sync_api import expect

from shared.api.mutes import Mutes
from shared.batch.model import JobExecutionInfo
from shared.batch.pool_model import ComputeNode
from shared.digests.mutes import Mute
from tests.stack.browser.conftest import Visitor
from tests.stack.browser.served_app import serving
from tests.support.deployment import NOW, Deployment, a_job, a_node, a_run, deploy
from tests.support.fakes import refusal
from tests.support.webhook_settings import PAGER, SIGNED, SLACK


def _refused(deployment: Deployment) -> Deployment:
    """That app when receivers have refused for a while what there is to tell of two jobs."""
    deployment.sender.answer = refusal(500)
    for job in ("nightly", "weekly"):
        deployment.batch.add(a_job(job), a_node(preparation=a_run(failed=True)))
    for _ in range(3):
        deployment.poll()
        deployment.deliver()
        deployment.clock.advance(minutes=2)
    return deployment


@pytest.mark.parametrize(
    ("webhooks", "waiting"),
    [
        pytest.param([SLACK], [2], id="chat alone"),
        pytest.param([SLACK, PAGER, SIGNED], [4, 4, 4], id="all kinds, which are told of each other too"),
    ],
)
def test_what_waits_is_counted_whoever_it_waits_for(
    visit: Visitor, webhooks: list[dict[str, object]], waiting: list[int]
) -> None:
    """The figure at the top is the sum of what the webhooks beside are to be told, be they of chat and pager."""
    deployment = _refused(deploy(*webhooks))
    with serving(lambda: deployment.app) as url:
        page = visit(url, deployment)
        hooks = page.locator("#told .list").first.locator(".hook")
        expect(hooks).to_contain_text([f"{number} waiting since" for number in waiting])
        figure = page.locator(".figures div", has_text="messages waiting")
        expect(figure).to_have_text(f"messages waiting{sum(waiting)}")


def test_the_webhook_in_trouble_is_in_sight(visit: Visitor) -> None:
    """However many webhooks are healthy, they take one line below the one that is not, and a press shows them."""
    deployment = deploy(*({**SIGNED, "name": f"hook-{number}"} for number in range(6)), SLACK)
    deployment.sender.by_url[str(SLACK["url"])] = refusal(403)
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    for _ in range(4):
        deployment.poll()
        deployment.deliver()
        deployment.clock.advance(minutes=4)
    with serving(lambda: deployment.app) as url:
        told = visit(url, deployment).locator("#told")
        expect(told.locator(".hook:visible b")).to_have_text(["chat"])
        told.get_by_text("6 other webhooks, all healthy").click()
        expect(told.locator(".hook:visible b")).to_have_text(["chat", *(f"hook-{number}" for number in range(6))])


def test_a_mute_says_what_it_is_of(visit: Visitor) -> None:
    """Jobs and pools are named, by the button that ends it too, and one that is to come says when it begins."""
    deployment = deploy(SLACK)
    deployment.poll()
    mutes = Mutes(table=deployment.table, clock=deployment.clock)
    mute = Mute(starts_at=NOW, ends_at=NOW + timedelta(hours=9), created_by="Ann", comment="planned")
    mutes.put_mute("one", replace(mute, jobs=("nightly",), pools=("gpu", "cpu-*")))
    mutes.put_mute("two", replace(mute, pools=("spot",), starts_at=NOW + timedelta(hours=3)))
    with serving(lambda: deployment.app) as url:
        told = visit(url, deployment).locator("#told .tight")
        expect(told.locator(".id")).to_have_text(["nightly, pool gpu, pool cpu-*", "pool spot"])
        expect(told.locator("p")).to_have_text(
            ["ends in 9 hours, by Ann: planned", "starts in 3 hours, ends in 9 hours, by Ann: planned"]
        )
        expect(told.get_by_role("button", name="End the mute of nightly, pool gpu, pool cpu-*")).to_be_visible()


def test_no_number_of_mutes_hides_the_one_that_holds(visit: Visitor) -> None:
    """A mute is shown however many have ended before it and are not forgotten yet."""
    deployment = deploy(SLACK)
    deployment.poll()
    mutes = Mutes(table=deployment.table, clock=deployment.clock)
    mute = Mute(jobs=("nightly",), starts_at=NOW, ends_at=NOW + timedelta(hours=1), created_by="Ann", comment="planned")
    for number in range(120):
        mutes.put_mute(f"m{number:03}", mute)
    mutes.put_mute("m999", replace(mute, jobs=("weekly",), ends_at=NOW + timedelta(hours=9)))
    deployment.clock.advance(hours=2)
    deployment.poll()
    with serving(lambda: deployment.app) as url:
        expect(visit(url, deployment).locator("#told .tight .id")).to_have_text(["weekly"])


def test_a_notice_lies_at_the_foot_of_the_window_while_a_dialog_opens(visit: Visitor) -> None:
    """What is said in a dialog that still moves stands where it will be read, wide and in the middle."""
    deployment = deploy()
    deployment.poll()
    with serving(lambda: deployment.app) as url:
        page = visit(url, deployment)
        page.emulate_media(reduced_motion="no-preference")
        page.locator("#told summary").click()
        page.get_by_role("button", name="Mute all jobs").evaluate(
            """(mute) => {
              mute.click();
              for (const one of document.getAnimations()) { one.pause(); one.currentTime = 0; }
            }"""
        )
        page.locator("[data-focus='ping ops']").evaluate("(ping) => ping.click()")
        said = page.get_by_role("dialog").get_by_role("status")
        expect(said).to_contain_text("ops took the test message")
        assert page.evaluate("document.getAnimations().map((one) => one.playState)") == ["paused"]
        place = said.bounding_box()
        assert place is not None
        assert place["y"] + place["height"] == pytest.approx(900 - 24, abs=1)
        assert place["x"] + place["width"] / 2 == pytest.approx(1280 / 2, abs=1)


def test_what_was_not_mended_is_not_green(visit: Visitor) -> None:
    """On a node, too, the end of a failure that only went away with its node is called that, without a green mark."""
    deployment = deploy()
    failed = a_node(preparation=a_run(failed=True))
    job = replace(a_job(), execution_info=JobExecutionInfo(pool_id="pool-1"))
    deployment.batch.add(job, failed, a_node("node-2", preparation=a_run()))
    deployment.batch.node_counts["pool-1"] = {"idle": 1}
    deployment.batch.pool_nodes["pool-1"] = [ComputeNode(id="node-2", state="idle")]
    for _ in range(6):
        deployment.poll()
        deployment.clock.advance(minutes=3)
    with serving(lambda: deployment.app) as url:
        page = visit(url, deployment, "?job=job-1&pool=pool-1&node=node-1")
        told = page.get_by_role("dialog").locator(".cause .outcome")
        expect(told).to_have_text(["Preparation failures are closed: the nodes have left", "Preparation failed"])
        expect(told.locator(".good-ink")).to_have_count(0)


def test_what_happened_to_deliveries_is_told_apart(visit: Visitor) -> None:
    """Beside an event each state of its deliveries is a mark of its own, with room between two."""
    deployment = deploy(SIGNED, {**SIGNED, "name": "other", "url": "https://b.example/hook"})
    deployment.sender.by_url["https://b.example/hook"] = refusal(500)
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.poll()
    deployment.deliver()
    with serving(lambda: deployment.app) as url:
        marks = visit(url, deployment).locator("#timeline .event .tag")
        expect(marks).to_have_text(["delivered", "waiting"])
        first, second = (mark.bounding_box() for mark in marks.all())
        assert first is not None
        assert second is not None
        assert second["x"] - (first["x"] + first["width"]) > 2 or second["y"] > first["y"]
