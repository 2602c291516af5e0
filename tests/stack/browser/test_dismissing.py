"""Taking off the dashboard what somebody knows of: failed releases, and messages that could not be delivered."""

from datetime import timedelta

from playwright.sync_api import Page, expect

from tests.stack.browser.conftest import Visitor
from tests.stack.browser.served_app import serving
from tests.support.deployment import NOW, a_job, a_node, a_run, deploy
from tests.support.fakes import ACCEPTED, refusal


def test_failed_releases_are_no_good_news_until_somebody_knows_of_them(visit: Visitor) -> None:
    """A completed job all of whose releases failed makes the page say so, and healthy only once they are dismissed."""
    deployment = deploy()
    released = a_run(failed=True, ended=NOW - timedelta(hours=2), code="DiskFull")
    nodes = [a_node(f"n{number}", preparation=a_run(), release=released) for number in range(40)]
    for state in ("terminating", "completed"):
        deployment.batch.add(a_job("dirty", state=state), *nodes)
        deployment.poll()
    with serving(lambda: deployment.app) as url:
        page = visit(url, deployment)
        status = page.locator("#status")
        expect(status.get_by_role("heading")).to_contain_text("Degraded: release failed on 40 nodes of 1 job")
        expect(status).not_to_contain_text("No open failures")
        _dismiss(page, "Dismiss the failed releases", "The failed releases of 1 job are dismissed.")


def test_undeliverable_messages_are_dismissed(visit: Visitor) -> None:
    """One press takes what no receiver took off the list of what is wrong, and the buttons with it."""
    deployment = deploy()
    deployment.batch.add(a_job("mended"), a_node(preparation=a_run(failed=True)))
    deployment.sender.answer = refusal(500)
    deployment.poll()
    deployment.batch.add(a_job("mended"), a_node(preparation=a_run(ended=NOW)))
    deployment.clock.advance(hours=76)
    deployment.deliver()
    deployment.sender.answer = ACCEPTED
    deployment.clock.advance(minutes=10)
    deployment.poll()
    deployment.deliver()
    with serving(lambda: deployment.app) as url:
        page = visit(url, deployment)
        status = page.locator("#status")
        expect(status.get_by_role("heading")).to_contain_text("Degraded")
        expect(status).to_contain_text("undeliverable")
        _dismiss(page, "Dismiss undeliverable", "1 message dismissed.")


def _dismiss(page: Page, button: str, said: str) -> None:
    """Press it: the page says what that did, that all is healthy, and has no such button any more."""
    page.get_by_role("button", name=button).click()
    expect(page.get_by_role("status")).to_contain_text(said)
    expect(page.locator("#status").get_by_role("heading")).to_have_text("All healthy")
    expect(page.get_by_role("button", name=button)).to_have_count(0)
