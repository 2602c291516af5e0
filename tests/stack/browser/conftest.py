"""The dashboard in a real browser, before the real app, Azurite and a Batch account with something in it."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from local.azurite import Azurite
from local.batch_simulator.statuses import Cause, Phase, failed, running, succeeded, task_directory
from local.batch_simulator.world import World
from tests.stack.browser.browser import running_browser
from tests.stack.host import RunningHost, running_host
from tests.support.deployment import Deployment
from tests.support.stack import Receiver, app_environment, running_account, running_receiver

JOB = "render-frames-12"
POOL = "pool-cpu"
BLOB = Cause(code="BlobNotFound", message="One of the specified Azure Blob(s) is not found.", category="UserError")
STDERR = "fetch.sh: line 3: aria2c: command not found\nfetch.sh: gave up after 3 tries"
EXIT_CODE = Cause(
    code="FailureExitCode",
    message="The task exited with an exit code representing a failure.",
    category="UserError",
    exit_code=127,
)
TOLD_WITH_STDERR = "tvmps_12_d"
HOSTILE = Cause(
    code="<img src=x onerror=alert(1)>",
    message="</script><script>document.title='taken'</script><b>bold</b>",
    category="UserError",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What the browser looks at, and what lies behind it."""

    host: RunningHost
    world: World
    receiver: Receiver

    def fail(self, node: str, job: str = JOB, cause: Cause = BLOB) -> None:
        """Let the preparation of a node fail now."""
        now = datetime.now(UTC)
        broken = failed(job, Phase.PREPARATION, cause, start=now - timedelta(seconds=9), end=now)
        self.world.set_status(job, POOL, node, preparation=broken)


def _let_release(world: World, start: datetime) -> None:
    """A job at its end: of 24 nodes two fail to clean up, some have yet to."""
    job = "train-model-7"
    world.add_job(job, creation_time=start, pool=POOL)
    ended = start + timedelta(seconds=40)
    for number in range(24):
        released = succeeded(job, Phase.RELEASE, start=ended, end=ended + timedelta(seconds=5))
        if number in {4, 9}:
            disk = Cause(code="DiskFull", message="The node's disk is full.", category="UserError")
            released = failed(job, Phase.RELEASE, disk, start=ended, end=ended + timedelta(seconds=5))
        elif number > 17:
            released = running(job, Phase.RELEASE, start=ended)
        well = succeeded(job, Phase.PREPARATION, start=start, end=ended)
        world.set_status(job, POOL, f"tvmps_{number:02}_d", preparation=well, release=released)
    world.set_job_state(job, "terminating")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for a browser, so that `test-fast` can leave it out."""
    for item in items:
        if isinstance(item, pytest.Function) and "browser" in item.fixturenames:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests; each opens a window of its own."""
    expect.set_options(timeout=20_000)
    with running_browser() as running:
        yield running


@pytest.fixture(scope="package")
def scene(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """An account with a job that fails on three of 96 nodes, one that is well, and one that fails to clean up."""
    with running_account() as (world, account), running_receiver() as receiver:
        start = datetime.now(UTC) - timedelta(minutes=12)
        environment = app_environment(
            account.url,
            receiver.url,
            azurite.connection_string,
            POLL_SCHEDULE="*/2 * * * * *",
            STDERR_TAIL_BYTES="2000",
        )
        with running_host(tmp_path_factory.mktemp("host"), environment) as host:
            made = Scene(host=host, world=world, receiver=receiver)
            for job in (JOB, "encode-video-3"):
                world.add_job(job, creation_time=start, pool=POOL)
                for number in range(96 if job == JOB else 12):
                    well = succeeded(job, Phase.PREPARATION, start=start, end=start + timedelta(seconds=40))
                    world.set_status(job, POOL, f"tvmps_{number:02}_d", preparation=well)
            made.fail("tvmps_03_d")
            made.fail("tvmps_07_d")
            world.set_file(POOL, TOLD_WITH_STDERR, f"{task_directory(JOB, Phase.PREPARATION)}/stderr.txt", STDERR)
            made.fail(TOLD_WITH_STDERR, cause=EXIT_CODE)
            _let_release(world, start)
            yield made


# Where things are is asked at once, not when a dialog has come to rest.
AT_REST = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"}
Opener = Callable[..., Page]


@pytest.fixture
def show(browser: Browser, scene: Scene) -> Iterator[Opener]:
    """Opens the dashboard with the key given, at an address, in a window of some kind."""
    contexts = []

    def opener(address: str = "", *, key: bool = True, **window: object) -> Page:
        context = browser.new_context(**{**AT_REST, **window})  # type: ignore[arg-type]  # as playwright names them
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        if key:
            page.add_init_script(f"sessionStorage.setItem('prepwatch.key', '{scene.host.key}')")
        page.goto(f"{scene.host.url}/api/dashboard{address}")
        return page

    yield opener
    for context in contexts:
        context.close()


Visitor = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visitor]:
    """Opens the dashboard of a served app at the app's own time, which `let_pass` moves in both."""
    pages: list[Page] = []

    def visitor(url: str, deployment: Deployment, address: str = "") -> Page:
        pages.append(open_page(browser, url, deployment, address))
        return pages[-1]

    yield visitor
    for page in pages:
        page.context.close()


def open_page(browser: Browser, url: str, deployment: Deployment, address: str) -> Page:
    """The dashboard of a served app in a window of its own, at the app's own time."""
    page = browser.new_context(**AT_REST).new_page()  # type: ignore[arg-type]  # as playwright names them
    page.set_default_timeout(20_000)
    page.clock.install(time=deployment.clock())
    page.goto(f"{url}/api/dashboard{address}")
    return page


def let_pass(page: Page, deployment: Deployment, **time: float) -> None:
    """Let time pass for the app and for whoever looks at it; the page asks again meanwhile."""
    passed = timedelta(**time)
    deployment.clock.advance(passed)
    page.clock.fast_forward(int(passed.total_seconds() * 1000))


@pytest.fixture
def pictures() -> Path | None:
    """Where pictures for the README go; None unless somebody asks for them."""
    return Path(__file__).resolve().parents[3] / "docs" / "images" if os.environ.get("PREPWATCH_PICTURES") else None
