"""What people do and look up on the dashboard, each against the real app over a table in memory."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace
from playwright.sync_api import expect

from shared.batch.model import ExecutionInfo
from shared.ports import Insert
from shared.state.rows import pack_body, sent_key
from shared.state.telling import Sending, SentMessage
from tests.stack.browser.browser import grave_violations
from tests.stack.browser.conftest import Visitor, let_pass
from tests.stack.browser.served_app import serving
from tests.support.deployment import ACCOUNT, NOW, Deployment, a_job, a_node, a_run, deploy
from tests.support.fakes import refusal
from tests.support.webhook_settings import SIGNED, SLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """An app and where it is served."""

    deployment: Deployment
    url: str


@pytest.fixture
def site() -> Iterator[Site]:
    """An app that has looked at a job that fails on a node, one that failed to clean up, and one that is well."""
    deployment = deploy()
    released = a_run(failed=True, ended=NOW - timedelta(hours=2), code="DiskFull")
    deployment.batch.add(a_job("failing"), a_node(preparation=a_run(failed=True)), a_node("n2", preparation=a_run()))
    deployment.batch.add(a_job("dirty"), a_node(preparation=a_run(), release=released))
    deployment.batch.add(a_job("well"), a_node(preparation=a_run()))
    deployment.poll()
    with serving(lambda: deployment.app) as url:
        yield Site(deployment=deployment, url=url)


def test_a_job_is_muted_and_unmuted(visit: Visitor, site: Site) -> None:
    """A mute is made from the job's page, says who and why in words, is refused without, and is ended by a press."""
    page = visit(site.url, site.deployment, "?job=failing")
    page.locator("#job").get_by_role("button", name="Mute failing").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Jobs (ids or globs, comma-separated)")).to_have_value("failing")
    dialog.get_by_label("For").select_option("4 hours")
    dialog.get_by_label("Your name").fill("Ann")
    dialog.get_by_label("Why").fill("   ")
    dialog.get_by_role("button", name="Mute").click()
    expect(dialog.get_by_role("alert")).to_contain_text("comment must say why")
    dialog.get_by_label("Why").fill("planned")
    dialog.get_by_role("button", name="Mute").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#told")).to_contain_text("ends in 3 hours, by Ann: planned")
    page.get_by_role("button", name="End the mute of failing").click()
    expect(page.locator("#told")).to_contain_text("Nothing is muted")


def test_sent_again_from_a_dialog(visit: Visitor, site: Site) -> None:
    """What came of it is said above the dialog, which then shows the new attempt and leaves its reader in place."""
    page = visit(site.url, site.deployment, "?job=failing&pool=pool-1&node=node-1")
    page.set_viewport_size({"width": 1280, "height": 420})
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".deliveries ol li")).to_have_count(1)
    again = dialog.get_by_role("button", name="Send again")
    again.focus()
    page.keyboard.press("Enter")
    said = page.get_by_role("status")
    expect(said).to_have_text("It is on its way to ops again.")
    assert said.evaluate(
        """(said) => {
          const { x, y, width, height } = said.getBoundingClientRect();
          return document.elementFromPoint(x + width / 2, y + height / 2) === said;
        }"""
    )
    place = dialog.evaluate("(dialog) => dialog.scrollTop")
    site.deployment.deliver()
    let_pass(page, site.deployment, seconds=2)
    expect(dialog.locator(".deliveries ol li")).to_have_count(2)
    expect(again).to_be_focused()
    assert 0 < place == dialog.evaluate("(dialog) => dialog.scrollTop")


def test_the_way_out_of_a_dialog_stays_in_front(visit: Visitor, site: Site) -> None:
    """However far a dialog is scrolled, nothing of it covers its heading and the button that closes it."""
    page = visit(site.url, site.deployment, "?job=failing&pool=pool-1&node=node-1")
    page.set_viewport_size({"width": 1280, "height": 420})
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".deliveries ol li")).to_have_count(1)
    for parts_down in range(1, 6):
        covered = dialog.evaluate(
            """(dialog, share) => {
              dialog.scrollTop = dialog.scrollHeight * share;
              return [...dialog.querySelectorAll("header h2, header button")].filter((part) => {
                const { x, y, width, height } = part.getBoundingClientRect();
                return !part.contains(document.elementFromPoint(x + width / 2, y + height / 2));
              }).map((part) => part.outerHTML);
            }""",
            parts_down / 5,
        )
        assert covered == []


def test_nothing_is_pressed_twice(visit: Visitor, site: Site) -> None:
    """A press while the last one is under way is none: the webhook is pinged once."""
    page = visit(site.url, site.deployment)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method))
    page.locator("#told summary").click()
    page.get_by_role("button", name="Test ops").evaluate("(ping) => { ping.click(); ping.click(); }")
    expect(page.get_by_role("status")).to_contain_text("ops took the test message")
    assert asked.count("POST") == 1


def test_another_dialog_stays(visit: Visitor, site: Site) -> None:
    """Who sends again, leaves and goes on in another dialog is not thrown out of it by the news."""
    page = visit(site.url, site.deployment, "?job=failing&pool=pool-1&node=node-1")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("status")).to_have_text("It is on its way to ops again.")
    page.keyboard.press("Escape")
    page.locator("#job").get_by_role("button", name="Mute failing").click()
    dialog.get_by_label("Your name").fill("Ann")
    with page.expect_response(lambda one: "/api/summary" in one.url):
        let_pass(page, site.deployment, seconds=2)
    expect(dialog.get_by_label("Your name")).to_have_value("Ann")
    expect(dialog).to_be_visible()


def test_poll_now_looks_at_once(visit: Visitor, site: Site) -> None:
    """What has happened since the last cycle is there after one press, without waiting for the timer."""
    page = visit(site.url, site.deployment)
    expect(page.locator(".job")).to_have_count(3)
    site.deployment.batch.add(a_job("new"), a_node(preparation=a_run(failed=True)))
    site.deployment.clock.advance(seconds=1)
    page.get_by_role("button", name="Poll now").click()
    expect(page.get_by_role("status")).to_contain_text("Every account was polled just now.")
    expect(page.locator(".job")).to_have_count(4)


def test_only_what_is_in_trouble(visit: Visitor, site: Site) -> None:
    """The list can be narrowed to the jobs with anything wrong, which say what and for how long, the worst first."""
    page = visit(site.url, site.deployment)
    page.get_by_label("Which jobs").select_option("In trouble")
    expect(page.locator(".job .name")).to_have_text(["failing", "dirty"])
    expect(page.locator(".job .big")).to_have_text(["1 of 2 nodes failed", "its only node failed to release"])
    expect(page.locator(".job .since")).to_have_text(["failing for 5 minutes", "failing to release for 2 hours"])
    expect(page).to_have_url(f"{site.url}/api/dashboard?show=trouble")
    let_pass(page, site.deployment, minutes=1)
    expect(page.locator(".job .since").first).to_have_text("failing for 6 minutes")
    page.get_by_label("Which jobs").select_option("All jobs")
    expect(page.locator(".job .since").last).to_have_text("changed 1 minute ago")


def test_the_way_back(visit: Visitor, site: Site) -> None:
    """The browser's Back shows what was looked at before at once, not only with the next round."""
    page = visit(site.url, site.deployment)
    page.locator(".job .name").first.click()
    expect(page.locator("#job")).to_be_visible()
    assert page.evaluate(
        """() => new Promise((done) => {
          addEventListener("popstate", () => done(document.getElementById("job").hidden));
          history.back();
        })"""
    )


def test_a_link_names_the_account_in_any_case(visit: Visitor, site: Site) -> None:
    """A link that somebody typed leads to the job all the same."""
    page = visit(site.url, site.deployment, f"?job=FAILING&account={ACCOUNT.upper()}")
    expect(page.locator("#job h2")).to_have_text("failing")
    expect(page.locator("#job tbody tr")).to_have_count(2)


def _start_failure() -> ExecutionInfo:
    return replace(a_run(failed=True, code="BlobNotFound"), exit_code=None)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        pytest.param(_start_failure(), "The command was never started, so there is no stderr.txt.", id="not started"),
        pytest.param(a_run(failed=True), "The end of stderr.txt was not kept: it is while STDERR", id="not kept"),
        pytest.param(a_run(), None, id="not failed"),
    ],
)
def test_why_there_is_no_stderr(visit: Visitor, site: Site, run: ExecutionInfo, words: str | None) -> None:
    """A node that failed says why what it wrote can't be shown; one that did not fail says nothing of it."""
    site.deployment.batch.add(a_job("other"), a_node("it", preparation=run))
    site.deployment.poll()
    page = visit(site.url, site.deployment, "?job=other&pool=pool-1&node=it")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Has not run here.")
    if words is None:
        expect(dialog.locator(".stderr")).to_have_count(0)
    else:
        expect(dialog.locator(".stderr")).to_contain_text(words)


def test_what_happened_earlier(visit: Visitor) -> None:
    """The timeline begins with twelve events, and shows those before them on demand."""
    deployment = deploy()
    for number in range(14):
        deployment.batch.add(a_job(f"job-{number}"), a_node(preparation=a_run(failed=True)))
    deployment.poll()
    with serving(lambda: deployment.app) as url:
        page = visit(url, deployment)
        expect(page.locator(".event")).to_have_count(12)
        page.get_by_role("button", name="Earlier").click()
        expect(page.locator(".event")).to_have_count(14)
        expect(page.get_by_role("button", name="Earlier")).to_have_count(0)


def test_more_jobs_than_the_page_lists(visit: Visitor) -> None:
    """Of a thousand and one jobs two hundred are elements, the rest is said to be there, and a link finds any."""
    deployment = deploy()
    for number in range(1001):
        deployment.batch.add(a_job(f"job-{number:04}"))
    deployment.poll()
    with serving(lambda: deployment.app) as url:
        page = visit(url, deployment)
        expect(page.locator(".job")).to_have_count(200)
        expect(page.locator("#jobs")).to_contain_text("200 of 1,001 are shown.")
        page.get_by_role("button", name="Show more jobs").click()
        expect(page.locator(".job")).to_have_count(400)
        last = visit(url, deployment, "?job=job-1000")
        expect(last.locator("#job h2")).to_have_text("job-1000")


def test_what_chat_was_sent(visit: Visitor) -> None:
    """A chat webhook shows each message word for word, and what its receiver answered; the others have none to show."""
    deployment = deploy({**SIGNED}, SLACK)
    deployment.sender.answer = refusal(200, b"ok")
    deployment.batch.add(a_job("nightly"), a_node(preparation=a_run(failed=True)))
    for _ in range(2):
        deployment.poll()
        deployment.clock.advance(seconds=20)
    deployment.deliver()
    with serving(lambda: deployment.app) as url:
        page = visit(url, deployment)
        page.locator("#told summary").click()
        expect(page.get_by_role("button", name="Messages sent to ops")).to_have_count(0)
        page.get_by_role("button", name="Messages sent to chat").click()
        message = page.get_by_role("dialog").locator(".hook").first
        expect(message).to_contain_text("delivered")
        expect(message.locator("pre").first).to_contain_text("nightly")
        assert grave_violations(page) == []


def test_earlier_messages(visit: Visitor) -> None:
    """Of many messages the newest are shown; each click adds those before them, and asks for no more than these."""
    deployment = deploy(SLACK)
    key = sent_key("chat", "")
    for number in range(45):
        sent = SentMessage(sent_at=NOW, sending=Sending.DELIVERED, text=f"message {number}", body=b"{}")
        row = Insert(key=f"{key}{number:013}-a", columns=pack_body(msgspec.msgpack.encode(sent)))
        deployment.table.transact(ACCOUNT, [row])
    with serving(lambda: deployment.app) as url:
        page = visit(url, deployment)
        page.locator("#told summary").click()
        page.get_by_role("button", name="Messages sent to chat").click()
        messages, earlier = page.get_by_role("dialog").locator(".hook"), page.get_by_role("button", name="Earlier")
        for shown in (20, 40):
            expect(messages).to_have_count(shown)
            earlier.click()
        expect(messages).to_have_count(45)
        expect(messages.last).to_contain_text("message 44")
        expect(earlier).to_have_count(0)


def test_what_is_over_but_not_mended(visit: Visitor, site: Site) -> None:
    """The end of a job that failed is no success: it is said why its failures are closed, without green."""
    ended = replace(site.deployment.batch.jobs["failing"], state="completed", state_transition_time=NOW)  # type: ignore[type-var]  # it is a struct
    site.deployment.batch.jobs["failing"] = ended
    site.deployment.clock.advance(minutes=1)
    site.deployment.poll()
    page = visit(site.url, site.deployment)
    event = page.locator("#timeline .event", has_text="Preparation failures are closed: the job ended")
    expect(event).to_have_count(1)
    expect(event.locator("svg.good-ink")).to_have_count(0)


@pytest.mark.parametrize("address", ["", "?job=failing", "?job=failing&pool=pool-1&node=node-1"])
def test_each_button_has_a_name_of_its_own(visit: Visitor, site: Site, address: str) -> None:
    """No two buttons that can be pressed at a time are called the same by a screen reader."""
    page = visit(site.url, site.deployment, address)
    expect(page.locator("#timeline .event, dialog[open] .deliveries").first).to_be_visible()
    place = page.get_by_role("dialog") if "node=" in address else page.locator("body")
    names = [
        button.get_attribute("aria-label") or button.inner_text()
        for button in place.get_by_role("button").all()
        if button.is_visible()
    ]
    assert [name for name, times in Counter(names).items() if times > 1] == []
