"""What the dashboard says while it waits, when there is nothing, and when something is out of reach.

Every answer is the real app's: a test moves its time, and takes away its table, its Batch account or its receiver.
"""

import re
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from shared.composition import App
from shared.errors import (
    AccountDeniedError,
    BatchUnavailableError,
    HostileAnswerError,
    SettingsError,
    StoreUnavailableError,
)
from shared.ports import Row
from tests.stack.browser.browser import grave_violations
from tests.stack.browser.conftest import Visitor, let_pass
from tests.stack.browser.served_app import serving
from tests.support.deployment import ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.fake_table import FakeTable
from tests.support.fakes import refusal

DENIED = AccountDeniedError("AuthenticationFailed", "The token was refused.", status=401, request_id="req-401")
AWAY = BatchUnavailableError("ServerBusy", "Batch is busy.", status=503)


class TakenAway(FakeTable):
    """A table that gives no answer while it is away, and makes those who ask wait until it is open.

    `kind` names rows that alone are away.
    """

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.kind: str | None = None
        self.open = threading.Event()
        self.open.set()

    def get(self, partition: str, key: str) -> Row | None:
        """The row, if the table is there."""
        self._check()
        return super().get(partition, key)

    def query(self, partition: str, start: str, end: str) -> Iterator[Row]:
        """The rows, if the table is there."""
        self._check()
        if self.kind is not None and start.startswith(f"{self.kind}|"):
            raise StoreUnavailableError("away")
        return super().query(partition, start, end)

    def _check(self) -> None:
        self.open.wait(timeout=30)
        if self.away:
            raise StoreUnavailableError("away")


@pytest.fixture
def table() -> TakenAway:
    """The table of the app."""
    return TakenAway()


@pytest.fixture
def deployment(table: TakenAway) -> Deployment:
    """An app that has looked once at a job that fails on one of two nodes."""
    deployment = deploy(table=table)
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)), a_node("node-2", preparation=a_run()))
    deployment.poll()
    return deployment


@pytest.fixture
def url(deployment: Deployment) -> Iterator[str]:
    """Where that app is served."""
    with serving(lambda: deployment.app) as address:
        yield address


def _headline(page: Page, words: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(words)


def test_while_it_waits(visit: Visitor, url: str, deployment: Deployment, table: TakenAway) -> None:
    """Until the first answer the page says that it is asking, and shows no empty boxes."""
    table.open.clear()
    page = visit(url, deployment)
    _headline(page, "Loading…")
    expect(page.get_by_role("main")).to_have_attribute("aria-busy", "true")
    expect(page.locator("#board")).to_be_hidden()
    assert grave_violations(page) == []
    table.open.set()
    _headline(page, "Jobs are failing")
    expect(page.get_by_role("main")).to_have_attribute("aria-busy", "false")


def test_nothing_to_watch_yet(visit: Visitor) -> None:
    """An account without jobs is well, does not look as if jobs were, and every box says what will stand in it."""
    deployment = deploy()
    deployment.poll()
    with serving(lambda: deployment.app) as url:
        page = visit(url, deployment)
        _headline(page, "No job to watch")
        expect(page.locator("#jobs")).to_contain_text("No job is known yet.")
        expect(page.locator("#jobs")).to_contain_text("TRACKED_JOBS")
        expect(page.locator("#timeline")).to_contain_text("No events yet.")
        expect(page.locator("#told")).to_contain_text("Nothing is muted")
        assert grave_violations(page) == []


def test_an_account_that_was_never_reached(visit: Visitor) -> None:
    """A first deployment without its role leads to the command that assigns it."""
    deployment = deploy()
    deployment.batch.failures["list_jobs"] = DENIED
    with serving(lambda: deployment.app) as url:
        page = visit(url, deployment)
        _headline(page, "Data may be out of date")
        expect(page.locator("#status")).to_contain_text("AuthenticationFailed: The token was refused.")
        expect(page.locator("#jobs")).to_contain_text("No account has been polled yet.")
        expect(page.locator("#itself")).to_contain_text("Not read yet")
        page.get_by_role("button", name="Run diagnostics").click()
        remedy = page.get_by_role("dialog").locator("pre").first
        expect(remedy).to_contain_text('az role assignment create --role "Azure Batch Account Reader"')
        assert grave_violations(page) == []


def test_what_is_stale_is_said_to_be_old(visit: Visitor, url: str, deployment: Deployment) -> None:
    """Minutes without a good poll are said beside what fails; what was known stays, dashed, until Batch answers."""
    page = visit(url, deployment)
    _headline(page, "Jobs are failing")
    deployment.batch.failures["list_jobs"] = AWAY
    let_pass(page, deployment, minutes=6)
    _headline(page, "Jobs are failing")
    expect(page.locator("#status")).to_contain_text(f"{ACCOUNT} has not been read since", ignore_case=True)
    expect(page.locator("body")).to_have_class("old")
    expect(page.locator(".job")).to_contain_text("failing for 11 minutes")
    expect(page.locator("#itself")).to_contain_text("Read up to 6 minutes ago")
    expect(page).to_have_title(re.compile("Prepwatch"))
    assert grave_violations(page) == []
    deployment.batch.failures.clear()
    let_pass(page, deployment, minutes=1)
    _headline(page, "Jobs are failing")
    expect(page.locator("body")).not_to_have_class("old")


def test_an_account_that_refuses(visit: Visitor, url: str, deployment: Deployment) -> None:
    """A refused token is in the headline's reasons at once, with Batch's words and the request to quote."""
    deployment.batch.failures["list_jobs"] = DENIED
    deployment.poll()
    page = visit(url, deployment)
    _headline(page, "Jobs are failing")
    expect(page.locator("#status")).to_contain_text("AuthenticationFailed: The token was refused.")
    expect(page.locator("#itself")).to_contain_text("(request req-401)")


def test_a_job_that_can_not_be_looked_at(visit: Visitor, url: str, deployment: Deployment) -> None:
    """It says why, and for how long, in the list and on its own page."""
    deployment.batch.add(a_job("odd"))
    deployment.batch.failures["list_statuses"] = HostileAnswerError("InvalidAnswer", "Not JSON.")
    for _ in range(3):
        deployment.poll()
        deployment.clock.advance(minutes=1)
    page = visit(url, deployment)
    odd = page.locator(".job", has_text="odd")
    expect(odd).to_contain_text("unreachable for 3 minutes")
    expect(odd).to_contain_text("Not JSON.")
    odd.get_by_role("link").click()
    expect(page.locator("#job")).to_contain_text("It has been unreachable for 3 minutes")
    expect(page.locator("#job .trouble")).to_contain_text("InvalidAnswer: Not JSON.")


def test_a_table_out_of_reach(visit: Visitor, url: str, deployment: Deployment, table: TakenAway) -> None:
    """Without the table nothing is known; once something was, it stays and is marked as old."""
    table.away = True
    page = visit(url, deployment)
    _headline(page, "No data yet")
    expect(page.locator("#status")).to_contain_text("The state can't be read or written right now")
    expect(page.locator("#board")).to_be_hidden()
    assert grave_violations(page) == []
    table.away = False
    let_pass(page, deployment, seconds=6)
    _headline(page, "Jobs are failing")
    table.away = True
    let_pass(page, deployment, seconds=6)
    expect(page.get_by_role("alert")).to_contain_text("The state can't be read")
    expect(page.locator(".job")).to_contain_text("job-1")
    expect(page.locator("body")).to_have_class("old")
    assert grave_violations(page) == []


def test_a_list_out_of_reach(visit: Visitor, url: str, deployment: Deployment, table: TakenAway) -> None:
    """What alone can't be read says so where it would stand, and everything else is shown."""
    table.kind = "event"
    page = visit(url, deployment)
    _headline(page, "Jobs are failing")
    expect(page.locator("#timeline .trouble")).to_contain_text("The state can't be read")
    expect(page.locator("#told")).to_contain_text("ops")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("body")).not_to_have_class("old")
    table.kind = None
    let_pass(page, deployment, seconds=6)
    expect(page.locator("#timeline .event").first).to_be_visible()
    expect(page.locator("#timeline .trouble")).to_have_count(0)


def test_an_app_that_is_gone(visit: Visitor, deployment: Deployment) -> None:
    """While nobody listens the page keeps what it knows and says since when; it goes on by itself."""
    with serving(lambda: deployment.app) as url:
        page = visit(url, deployment)
        _headline(page, "Jobs are failing")
    let_pass(page, deployment, minutes=2)
    expect(page.get_by_role("alert")).to_contain_text("The app can't be reached. What is shown was true 2 minutes ago.")
    expect(page.locator(".job")).to_contain_text("job-1")
    with serving(lambda: deployment.app, port=urlsplit(url).port or 0):
        let_pass(page, deployment, seconds=6)
        expect(page.get_by_role("alert")).to_have_count(0)


def test_settings_that_are_wrong(visit: Visitor, deployment: Deployment) -> None:
    """Every problem is listed where the person looks who has just deployed."""

    def build() -> App:
        raise SettingsError(["BATCH_ACCOUNT_URLS is missing: set it.", "RETENTION_DAYS is too small: set 5 or more."])

    with serving(build) as url:
        page = visit(url, deployment)
        _headline(page, "No data yet")
        expect(page.locator("#status")).to_contain_text("BATCH_ACCOUNT_URLS is missing: set it.")
        expect(page.locator("#status")).to_contain_text("RETENTION_DAYS is too small: set 5 or more.")


def _refuse(deployment: Deployment) -> None:
    deployment.sender.answer = refusal(410)


def _fail_for_long(deployment: Deployment) -> None:
    deployment.sender.answer = refusal(500)


@pytest.mark.parametrize(
    ("receiver", "standing", "action"),
    [
        pytest.param(_refuse, "disabled", "Enable", id="gone"),
        pytest.param(_fail_for_long, "failing", "Disable", id="failing"),
    ],
)
def test_a_receiver_that_refuses(
    visit: Visitor, receiver: Callable[[Deployment], None], standing: str, action: str
) -> None:
    """What fails on its way is told with its name and what can be done: enable the webhook, send the given-up again."""
    deployment = deploy(EVENT_MAX_NODES="1")
    receiver(deployment)
    deployment.batch.add(a_job(), *(a_node(f"n{number}", preparation=a_run(failed=True)) for number in range(3)))
    for _ in range(6):
        deployment.poll()
        deployment.clock.advance(minutes=10)
    deployment.poll()
    with serving(lambda: deployment.app) as url:
        page = visit(url, deployment)
        _headline(page, "Jobs are failing")
        expect(page.locator("#told .hook").first).to_contain_text(standing)
        expect(page.get_by_role("button", name=action)).to_be_visible()
        happened = page.locator("#timeline .event", has_text=f"Webhook is {standing}").first
        expect(happened.locator(".id")).to_have_text("ops")
        assert grave_violations(page) == []


def test_the_given_up_are_sent_again(visit: Visitor) -> None:
    """One press enables the webhook, another sends what was given up meanwhile; then nothing is left to do."""
    deployment = deploy()
    _refuse(deployment)
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.poll()
    before = len(deployment.sender.sent)
    with serving(lambda: deployment.app) as url:
        page = visit(url, deployment)
        page.get_by_role("button", name="Enable").click()
        expect(page.get_by_role("status")).to_contain_text("ops is enabled")
        page.get_by_role("button", name="Send undeliverable again").click()
        expect(page.get_by_role("status")).to_contain_text("1 message will be sent again")
        deployment.sender.answer = refusal(204)
        deployment.deliver()
        let_pass(page, deployment, seconds=6)
        expect(page.get_by_role("button", name="Send undeliverable again")).to_have_count(0)
    assert len(deployment.sender.sent) == before + 1
