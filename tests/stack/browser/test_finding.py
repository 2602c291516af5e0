"""What people look for on the dashboard, each against the real app over a table in memory."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from msgspec.structs import replace
from playwright.sync_api import Page, expect

from shared.batch.model import ExecutionInfo, JobExecutionInfo, TaskCounts
from shared.batch.pool_model import ComputeNode, NodeError
from shared.errors import AccountDeniedError
from tests.stack.browser.browser import grave_violations
from tests.stack.browser.conftest import Visitor
from tests.stack.browser.served_app import serving
from tests.support.deployment import ACCOUNT, NOW, OTHER_ACCOUNT, Deployment, a_job, a_node, a_run, deploy

NODE = "tvmps_03c1a2b94be0f7d1c5e88b0f2a9d47e6c1a50042d8f3b7e9_d"


def _a_job_in(pool: str, name: str) -> object:
    return replace(a_job(name), execution_info=JobExecutionInfo(pool_id=pool))


@pytest.fixture
def deployment() -> Deployment:
    """An app with a failing job in pool-cpu, another whose only node failed, and a pool with an unusable node."""
    made = deploy()
    failed = a_run(failed=True, code="ContainerPoolNotSupported")
    made.batch.jobs["render"] = _a_job_in("pool-cpu", "render")  # type: ignore[assignment]  # a mapping is what Batch sends
    made.batch.nodes["render"] = [
        *(a_node(node, pool_id="pool-cpu", preparation=failed) for node in (NODE, "n4")),
        a_node("n2", pool_id="pool-cpu", preparation=a_run()),
    ]
    made.batch.add(a_job("alone"), a_node("n3", preparation=replace(failed, end_time=NOW - timedelta(minutes=2))))
    made.batch.node_counts = {"pool-cpu": {"idle": 3, "unusable": 1}}
    full = NodeError(code="DiskFull", message="The disk is full.")
    moment = NOW - timedelta(hours=1)
    made.batch.pool_nodes["pool-cpu"] = [
        ComputeNode(id="tvm-full", state="unusable", state_transition_time=moment, errors=(full,))
    ]
    made.poll()
    return made


@pytest.fixture
def page(visit: Visitor, deployment: Deployment) -> Iterator[Page]:
    """The dashboard of that app."""
    with serving(lambda: deployment.app) as url:
        yield visit(url, deployment)


def test_jobs_are_found_by_pool_node_and_cause(page: Page) -> None:
    """What is typed may be a pool, a node that failed, or a cause; nothing else is left in the list."""
    for words, found in {"pool-cpu": ["render"], NODE: ["render"], "went wrong": ["render", "alone"]}.items():
        page.get_by_role("searchbox").fill(words)
        expect(page.locator(".job .name")).to_have_text(found)


def test_a_job_that_is_not_there(page: Page) -> None:
    """Whoever follows a link to a job that is not known reads which one, its id set apart from the sentence."""
    page.goto(f"{page.url}?job=nothing+here")
    expect(page.locator("#job strong")).to_have_text("There is no job 'nothing here'.")
    page.goto(f"{page.url}&account={ACCOUNT}")
    expect(page.locator("#job strong")).to_have_text(f"There is no job 'nothing here' in {ACCOUNT}.")


def test_jobs_are_sorted(page: Page) -> None:
    """The order is somebody's choice, and in the address; all nodes are told from some."""
    expect(page.locator(".job .big")).to_have_text(["2 of 3 nodes failed", "its only node failed"])
    page.get_by_label("Order of jobs").select_option("Job id")
    expect(page.locator(".job .name")).to_have_text(["alone", "render"])
    expect(page).to_have_url(re.compile("sort=name"))


def test_a_cause_is_not_broken_on_a_phone(page: Page) -> None:
    """The code that a node failed with stays one word in one line, below the node."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator(".job .name").first.click()
    cause = page.locator(".nodes td:last-child").first
    expect(cause).to_have_text("ContainerPoolNotSupported")
    assert (
        cause.evaluate(
            "(cell) => { const r = document.createRange(); r.selectNodeContents(cell);"
            " return new Set([...r.getClientRects()].map((one) => one.top)).size }"
        )
        == 1
    )


def test_an_id_is_copied_whole(page: Page) -> None:
    """The copy button of a node puts its id into the clipboard, as it is, and says so."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(".job .name").first.click()
    page.get_by_role("button", name=f"Copy id of node {NODE}").click()
    expect(page.get_by_role("status")).to_contain_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == NODE


def test_the_failures_of_each_day_are_shown(page: Page) -> None:
    """The columns say their numbers in words too, by code, pool or job."""
    columns = page.locator("#trend .columns").first
    expect(columns).to_have_attribute("aria-label", "Failures by day: 1 Nov: 3")
    page.get_by_label("Failures by", exact=True).select_option("By job")
    expect(page.locator("#trend .name")).to_have_text(["render 2 failures", "alone 1 failure"])
    assert grave_violations(page) == []


def test_a_pool_shows_its_nodes_that_cannot_work(page: Page) -> None:
    """A pool with such nodes is listed with its states and jobs; its nodes and their errors are one press away."""
    expect(page.locator("#pools")).to_contain_text("1 of 4 nodes can't work")
    page.get_by_role("button", name="Show nodes of pool-cpu that can't work").click()
    expect(page.get_by_role("dialog")).to_contain_text("DiskFull: The disk is full.")
    assert grave_violations(page) == []


def test_of_very_many_nodes_that_cannot_work_the_rest_is_a_press_away(page: Page, deployment: Deployment) -> None:
    """How many are shown is never said to be how many there are; the others come when they are asked for."""
    (full,) = deployment.batch.pool_nodes["pool-cpu"]
    deployment.batch.pool_nodes["pool-cpu"] = [replace(full, id=f"tvm-{number:03}") for number in range(203)]
    page.get_by_role("button", name="Show nodes of pool-cpu that can't work").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("The first 200 nodes, as Batch says now.")
    dialog.get_by_role("button", name="Show more nodes").click()
    expect(dialog).to_contain_text("203 nodes, as Batch says now.")
    expect(dialog.locator(".list > li")).to_have_count(203)
    expect(dialog.get_by_role("button", name="Show more nodes")).to_have_count(0)


def test_pools_that_may_not_be_read_are_said_at_their_account(page: Page, deployment: Deployment) -> None:
    """Who may read jobs and no pools reads at the account that pools can't be counted, and where the right is named."""
    account = page.locator(".account")
    expect(account).to_contain_text("healthy")
    expect(account).not_to_contain_text("pools")
    deployment.batch.refused = AccountDeniedError("AuthorizationPermissionMismatch", "no", status=403)
    deployment.clock.advance(timedelta(minutes=1))
    deployment.poll()
    page.reload()
    expect(account).to_contain_text("pools could not be counted: AuthorizationPermissionMismatch")
    expect(account).to_contain_text("the diagnostics name a missing right")


def test_disabling_a_webhook_is_undone(page: Page) -> None:
    """The notice that a webhook is disabled has a button that takes it back."""
    page.locator("#told summary").click()
    page.get_by_role("button", name="Disable ops").click()
    expect(page.get_by_role("button", name="Enable ops")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#told")).to_contain_text("1 webhook, healthy")


def test_a_stuck_job(visit: Visitor) -> None:
    """A job without a node that could take its tasks is said to stand still, for how long, why, and what to type.

    However narrow the window is: why is a long word, and a phone shows all of it.
    """
    deployment = deploy()
    job = replace(a_job("hung"), execution_info=JobExecutionInfo(pool_id="pool-1"))
    deployment.batch.add(job, a_node(preparation=a_run(failed=True)))
    deployment.batch.counts["hung"] = TaskCounts(active=3)
    deployment.batch.node_counts["pool-1"] = {"idle": 1}
    for _ in range(4):
        deployment.poll()
        deployment.clock.advance(minutes=2)
    deployment.poll()
    with serving(lambda: deployment.app) as url:
        page = visit(url, deployment)
        expect(page.locator(".job").first).to_contain_text("standing still for 13 minutes")
        page.set_viewport_size({"width": 320, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        page.get_by_role("link", name="hung").first.click()
        why = page.locator("#job .cause").first
        expect(why).to_contain_text("3 tasks waiting")
        expect(why).to_contain_text("replace the nodes")
        first, then = why.locator("pre").all()
        expect(first).to_contain_text("az batch job prep-release-status list")
        expect(then).to_contain_text("| xargs -n100 az batch node delete")
        expect(why.get_by_role("button", name="Copy command for this standstill")).to_be_visible()
        expect(why.get_by_role("button", name="Copy command that removes the nodes")).to_be_visible()
        expect(page.locator("#job .cause")).to_have_count(1)  # what is said of the standstill is not said twice


def test_a_job_that_the_settings_leave_out(visit: Visitor) -> None:
    """A job that runs and is no longer watched, because the settings leave it out, is not called finished."""
    first = deploy()
    first.batch.add(a_job(), a_node(preparation=a_run()))
    first.poll()
    deployment = deploy(batches=first.batches, table=first.table, clock=first.clock, TRACKED_JOBS="other")
    deployment.poll()
    with serving(lambda: deployment.app) as url:
        page = visit(url, deployment)
        expect(page.locator(".job .tag")).to_have_text("left out by TRACKED_JOBS")
        page.locator(".job .name").click()
        expect(page.locator("#job")).to_contain_text("Active, left out by TRACKED_JOBS, on")


def test_a_job_is_opened_at_its_beginning(visit: Visitor) -> None:
    """However far down the list it stood, a job that is opened begins at its top; the list goes on where it was."""
    deployment = deploy()
    for number in range(60):
        nodes = [a_node(f"n{node}", preparation=a_run(failed=node == 0)) for node in range(60)]
        deployment.batch.add(a_job(f"job-{number:02}"), *nodes)
    deployment.poll()
    with serving(lambda: deployment.app) as url:
        page = visit(url, deployment)
        page.get_by_role("link", name="job-55").click()
        expect(page.locator("#job h2")).to_be_in_viewport()
        expect(page.get_by_role("link", name="← All jobs")).to_be_focused()
        expect(page).to_have_title("Jobs are failing · job-55 · Prepwatch")
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="job-55")).to_be_focused()
        expect(page.get_by_role("link", name="job-55")).to_be_in_viewport()
        page.go_back()
        expect(page.locator("#job h2")).to_be_in_viewport()


def test_a_link_to_an_account_shows_that_account(visit: Visitor) -> None:
    """The link of a message about several jobs of an account leads to these, and to all jobs from there."""
    deployment = deploy(accounts=2)
    for account, job in ((ACCOUNT, "mine"), (OTHER_ACCOUNT, "other")):
        batch = deployment.batches[account]
        batch.add(
            replace(a_job(job), execution_info=JobExecutionInfo(pool_id=job)), a_node(preparation=a_run(failed=True))
        )
        batch.node_counts = {job: {"unusable": 1}}
        batch.pool_nodes[job] = [ComputeNode(id="n", state="unusable", state_transition_time=NOW - timedelta(hours=1))]
        deployment.poll(account)
    with serving(lambda: deployment.app) as url:
        page = visit(url, deployment, f"?account={OTHER_ACCOUNT.upper()}")
        expect(page.locator(".job .name")).to_have_text(["other"])
        expect(page.locator("#timeline .event .id")).to_have_text(["other"] * 3)
        expect(page.locator("#pools .line .id")).to_have_text(["other"])
        expect(page.locator("#jobs .only")).to_contain_text(f"Only jobs of {OTHER_ACCOUNT}.")
        page.get_by_role("button", name="Show all accounts").click()
        expect(page.locator(".job .name")).to_have_text(["mine", "other"])
        expect(page.locator("#timeline .event .id")).to_have_count(6)
        expect(page.locator("#pools .line .id")).to_have_count(2)


def test_a_slow_preparation(visit: Visitor) -> None:
    """A job whose preparation takes too long says so in the list and on its own page, and counts as in trouble."""
    deployment = deploy(SLOW_PREPARATION_SECONDS="600")
    hangs = ExecutionInfo(start_time=NOW, state="running", retry_count=0)
    deployment.batch.add(a_job("hangs"), a_node(preparation=hangs), a_node("node-2", preparation=a_run()))
    deployment.poll()
    deployment.clock.advance(minutes=11)
    deployment.poll()
    with serving(lambda: deployment.app) as url:
        page = visit(url, deployment, "?show=trouble")
        expect(page.locator(".status h1")).to_have_text("Nothing has failed")
        expect(page.locator(".status .reasons")).to_contain_text("Preparation takes too long on 1 node.")
        expect(page.locator(".job .tag")).to_have_text("preparation takes too long on 1 node")
        page.locator(".job .name").click()
        expect(page.locator("#job .tag")).to_have_text("preparation takes too long on 1 node")


def test_bars_and_columns_are_told_apart_in_high_contrast_and_on_paper(page: Page) -> None:
    """Where the system chooses the colours, or backgrounds are not printed, what only a colour says keeps its own."""
    page.emulate_media(forced_colors="active")
    for place in (".job .bar .failed", ".legend .bar .failed", "#trend .columns i:not(.none)"):
        expect(page.locator(place).first).to_have_css("background-color", "rgb(176, 42, 28)")
        expect(page.locator(place).first).to_have_css("print-color-adjust", "exact")
