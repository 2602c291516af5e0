"""What every list and document has in common: ETags, pages, and accounts in any case."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.digests.mutes import Mute
from shared.ports import Put
from shared.state.rows import OWN, mute_key, to_columns
from shared.web import dashboard_page
from shared.web.dashboard_page import HEADERS, PAGE, page_answer
from shared.web.events import EventRoutes
from shared.web.http import Answer, Request
from shared.web.mutes import MuteRoutes
from shared.web.routes import Routes
from shared.web.webhooks import WebhookRoutes
from tests.support.deployment import ACCOUNT, NOW, OTHER_ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.webhook_settings import SIGNED

Handler = Callable[[Routes, Request], Answer]
MUTE = Mute(jobs=("*",), starts_at=NOW, ends_at=NOW.replace(hour=20), created_by="Ann", comment="planned")


def _of_events(handler: Callable[[EventRoutes, Request], Answer]) -> Handler:
    return lambda routes, asked: handler(routes.events, asked)


def _list_webhooks(routes: Routes, asked: Request) -> Answer:
    return WebhookRoutes.list_webhooks(routes.webhooks, asked)


def _list_mutes(routes: Routes, asked: Request) -> Answer:
    return MuteRoutes.list_mutes(routes.mutes, asked)


def _told() -> Deployment:
    """An app of two webhooks and two mutes that has told of the failure of one of two nodes."""
    deployment = deploy(SIGNED, {**SIGNED, "name": "spare"})
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)), a_node("node-2", preparation=a_run()))
    deployment.poll()
    for name in ("a", "b"):
        deployment.table.transact(OWN, [Put(key=mute_key(name), columns=to_columns(MUTE))])
    return deployment


def _event_id(deployment: Deployment) -> str:
    listed = deployment.ask(_of_events(EventRoutes.list_events)).body["value"]
    return str(listed[-1]["id"])


def _change(deployment: Deployment) -> None:
    """The node's second run fails too, and another receiver refuses; the mutes end."""
    deployment.clock.advance(hours=9)
    deployment.batch.jobs.clear()
    deployment.batch.add(
        a_job(), a_node(preparation=a_run(failed=True, ended=NOW)), a_node("node-3", preparation=a_run(failed=True))
    )
    deployment.poll()
    event, hook = _event_id(deployment), {"webhook": "ops"}
    deployment.ask(_of_events(EventRoutes.redeliver_event), hook, eventId=event)
    deployment.ask(lambda routes, asked: routes.webhooks.disable_webhook(asked), name="spare")
    deployment.batch.add(a_job("job-2"))
    deployment.poll()


DOCUMENTS: dict[str, tuple[Handler, dict[str, Any]]] = {
    "summary": (Routes.summary, {}),
    "list_jobs": (Routes.list_jobs, {}),
    "list_nodes": (Routes.list_nodes, {"jobId": "job-1"}),
    "explain_node": (_of_events(EventRoutes.explain_node), {"jobId": "job-1", "nodeId": "node-1"}),
    "list_events": (_of_events(EventRoutes.list_events), {}),
    "get_event": (_of_events(EventRoutes.get_event), {"eventId": "?"}),
    "list_webhooks": (_list_webhooks, {}),
    "list_mutes": (_list_mutes, {}),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_known_already_is_not_sent_again(name: str) -> None:
    """With the ETag of the last answer there is no body until something in it has changed."""
    deployment = _told()
    handler, route = DOCUMENTS[name]
    route = {key: _event_id(deployment) if value == "?" else value for key, value in route.items()}
    first = deployment.ask(handler, **route)
    assert (first.status, first.headers["cache-control"]) == (200, "no-cache")
    known = {"if-none-match": first.headers["etag"]}
    again = deployment.ask(handler, headers=known, **route)
    assert (again.status, again.body, again.headers["etag"]) == (304, None, first.headers["etag"])
    _change(deployment)
    changed = deployment.ask(handler, headers=known, **route)
    assert (changed.status, changed.headers["etag"] == first.headers["etag"]) == (200, False)


def test_the_description_is_sent_once() -> None:
    """Who has this version's openapi.json gets 304."""
    deployment = deploy()
    first = deployment.app.routes.system.openapi(Request())
    again = deployment.app.routes.system.openapi(Request(headers={"if-none-match": first.headers["etag"]}))
    assert (first.headers["content-type"], again.status, again.body) == ("application/json", 304, b"")


def test_the_page_is_sent_once() -> None:
    """Who has this version's dashboard gets 304 without a body; its browser asks each time."""
    first = page_answer(Request())
    assert (first.status, first.body, first.headers["cache-control"]) == (200, PAGE, "no-cache")
    again = page_answer(Request(headers={"if-none-match": first.headers["etag"]}))
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])


@pytest.mark.parametrize(
    ("part", "value"),
    [
        pytest.param("PAGE", b"<!doctype html>", id="page"),
        pytest.param("HEADERS", {**HEADERS, "content-security-policy": "default-src 'none'"}, id="policy"),
    ],
)
def test_another_version_of_the_page_is_sent(monkeypatch: pytest.MonkeyPatch, part: str, value: object) -> None:
    """Who has an older page or policy gets the new one: a browser keeps the headers that it had when told 304."""
    known = page_answer(Request()).headers["etag"]
    monkeypatch.setattr(dashboard_page, part, value)
    assert page_answer(Request(headers={"if-none-match": known})).status == 200


@pytest.mark.parametrize(
    ("handler", "names"),
    [pytest.param(_list_webhooks, ["ops", "spare"], id="webhooks"), pytest.param(_list_mutes, ["a", "b"], id="mutes")],
)
def test_pages(handler: Handler, names: list[str]) -> None:
    """A short list has pages too, for whoever asks for less."""
    deployment = _told()
    pages = [deployment.ask(handler, {"top": "1", "skip": str(skip)}).body for skip in (0, 1)]
    assert [one["name"] for page in pages for one in page["value"]] == names
    assert [page["nextLink"] for page in pages] == ["https://app.example/api/x?top=1&skip=1", None]
    assert [one["name"] for one in deployment.ask(handler).body["value"]] == names


@pytest.mark.parametrize(
    ("handler", "route"),
    [
        pytest.param(Routes.summary, {}, id="summary"),
        pytest.param(Routes.list_nodes, {"jobId": "job-1"}, id="list_nodes"),
        pytest.param(_of_events(EventRoutes.explain_node), {"jobId": "job-1", "nodeId": "node-1"}, id="explain_node"),
        pytest.param(_of_events(EventRoutes.list_events), {}, id="list_events"),
        pytest.param(Routes.track_job, {"jobId": "job-1"}, id="track_job"),
        pytest.param(Routes.untrack_job, {"jobId": "job-1"}, id="untrack_job"),
    ],
)
def test_an_account_may_be_named_in_any_case(handler: Handler, route: dict[str, Any]) -> None:
    """Hosts are case-insensitive: an account is found however it is spelled, and shown as it is known."""
    deployment = deploy(accounts=2)
    for account in (ACCOUNT, OTHER_ACCOUNT):
        deployment.batches[account].add(a_job(), a_node(preparation=a_run(failed=True)))
        deployment.poll(account)
    told = deployment.ask(handler, {"account": ACCOUNT.upper()}, **route)
    assert told.status == 200
    assert ACCOUNT in str(told.body)
    assert OTHER_ACCOUNT not in str(told.body)
    assert deployment.ask(handler, {"account": "nobody.example"}, **route).status == 404


def test_a_bad_page_is_refused_before_anything_is_read() -> None:
    """What is wrong with the request is said first, even when the job is not known either."""
    told = deploy().ask(Routes.list_nodes, {"top": "0"}, jobId="nobody")
    assert (told.status, told.body["error"]["target"]) == (400, "top")
