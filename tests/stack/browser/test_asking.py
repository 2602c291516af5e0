"""How the dashboard asks the app: for all that is picked from, without waiting for what is slow, and who may know."""

import threading
from collections.abc import Iterable, Iterator
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest
from playwright.sync_api import expect

from tests.stack.browser.conftest import Visitor, let_pass
from tests.stack.browser.served_app import serving
from tests.support.deployment import Deployment, a_job, a_node, a_run, deploy

KEY_IS_ASKED_FOR = "Function key"


@pytest.fixture
def deployment() -> Deployment:
    """An app that has looked once at a job that fails on its only node."""
    deployment = deploy()
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.poll()
    return deployment


class Between:
    """Stands between the page and the app: answers in its place, or makes whoever asks for `slow` wait."""

    def __init__(self) -> None:
        self.status: str | None = None
        self.headers: list[tuple[str, str]] = []
        self.body = b""
        self.slow = ""
        self.waits = threading.Event()
        self.go_on = threading.Event()

    def around(self, inner: WSGIApplication) -> WSGIApplication:
        """What `serving` puts around the functions."""

        def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            path = environ["PATH_INFO"]
            if self.slow and path.startswith(self.slow):
                self.waits.set()
                self.go_on.wait(timeout=30)
            if self.status is not None and path != "/api/dashboard":
                start(self.status, [*self.headers, ("content-length", str(len(self.body)))])
                return [self.body]
            return inner(environ, start)

        return app


@pytest.fixture
def between() -> Iterator[Between]:
    """It lets everything through at first, and in the end."""
    made = Between()
    yield made
    made.go_on.set()


def test_every_job_is_found_however_many_there_are(visit: Visitor) -> None:
    """A search, a choice and an order are of all jobs, also of those that the page does not list at first."""
    deployment = deploy()
    for number in range(230):
        ended = a_run(failed=number == 0)
        deployment.batch.add(a_job(f"job-{number:03}"), a_node(f"n{number}", preparation=ended))
    deployment.poll()
    with serving(lambda: deployment.app) as url:
        page = visit(url, deployment)
        expect(page.locator("#jobs .more")).to_contain_text("200 of 230 are shown.")
        page.get_by_role("searchbox").fill("job-229")
        expect(page.locator(".job .name")).to_have_text(["job-229"])
        expect(page.get_by_role("button", name="Show more jobs")).to_have_count(0)
        page.get_by_role("searchbox").fill("job-230")
        expect(page.locator("#jobs .empty")).to_contain_text("No job matches.")
        page.get_by_role("searchbox").fill("")
        page.get_by_label("Order of jobs").select_option("Job id")
        expect(page.locator("#jobs .more")).to_contain_text("200 of 230 are shown.")
        page.get_by_role("button", name="Show more jobs").click()
        expect(page.locator(".job .name").last).to_have_text("job-229")


def test_how_things_stand_waits_for_no_list(visit: Visitor, deployment: Deployment, between: Between) -> None:
    """What is wrong is said as soon as it is known, while a list beside it is still read."""
    between.slow = "/api/trends"
    with serving(lambda: deployment.app, around=between.around) as url:
        page = visit(url, deployment)
        expect(page.get_by_role("heading", level=1)).to_have_text("Jobs are failing")
        expect(page.locator("#trend")).to_contain_text("Loading…")
        between.go_on.set()
        expect(page.locator("#trend .name")).to_contain_text("Oops")


def test_an_app_that_does_not_answer(visit: Visitor, deployment: Deployment, between: Between) -> None:
    """A request that nobody answers does not hold up the page for ever: it says so, and asks again."""
    with serving(lambda: deployment.app, around=between.around) as url:
        page = visit(url, deployment)
        expect(page.locator(".job")).to_be_visible()
        between.slow = "/api/summary"
        let_pass(page, deployment, seconds=6)
        assert between.waits.wait(timeout=20)
        let_pass(page, deployment, minutes=4)
        expect(page.get_by_role("alert")).to_contain_text("The app has not answered for 4 minutes.")
        expect(page.locator("body")).to_have_class("old")
        between.slow = ""
        between.go_on.set()
        let_pass(page, deployment, seconds=6)
        expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize(
    ("status", "headers", "body", "words"),
    [
        pytest.param(
            "302 Found",
            [("location", "https://login.microsoftonline.com/x")],
            b"",
            "You are not signed in any more: reload this page.",
            id="sign-in has ended",
        ),
        pytest.param(
            "403 Forbidden",
            [],
            b'{"error":{"code":"SignInIsOff","message":"Switch the sign-in on.","details":[]}}',
            "Switch the sign-in on.",
            id="sign-in is off",
        ),
        pytest.param(
            "403 Forbidden",
            [("content-type", "text/html")],
            b"<h1>Forbidden</h1>",
            "The app answered 403.",
            id="a firewall",
        ),
    ],
)
@pytest.mark.parametrize("before", [False, True], ids=["at once", "later"])
def test_no_key_is_asked_for_where_none_helps(
    visit: Visitor,
    deployment: Deployment,
    between: Between,
    status: str,
    headers: list[tuple[str, str]],
    body: bytes,
    words: str,
    *,
    before: bool,
) -> None:
    """Whoever is kept out by something else than a missing key reads by what, and what was known stays."""

    def keep_out() -> None:
        between.status, between.headers, between.body = status, headers, body

    if not before:
        keep_out()
    with serving(lambda: deployment.app, around=between.around) as url:
        page = visit(url, deployment)
        if before:
            expect(page.locator(".job")).to_be_visible()
            keep_out()
            let_pass(page, deployment, seconds=6)
        expect(page.locator("#status")).to_contain_text(words)
        expect(page.get_by_role("heading", name=KEY_IS_ASKED_FOR)).to_be_hidden()
        expect(page.locator(".job")).to_have_count(int(before))


def test_a_missing_key_is_asked_for(visit: Visitor, deployment: Deployment, between: Between) -> None:
    """The platform's own 401, which has no body, means that a key is missing or wrong."""
    between.status = "401 Unauthorized"
    with serving(lambda: deployment.app, around=between.around) as url:
        page = visit(url, deployment)
        expect(page.get_by_role("heading", name=KEY_IS_ASKED_FOR)).to_be_visible()
