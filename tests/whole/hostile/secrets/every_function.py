"""Every HTTP function and timer, called as the host calls them: with its log levels, at the level DEBUG."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import azure.functions as func
import pytest

import function_app
from shared.errors import SettingsError, StoreError
from shared.web.http import Answer, Request
from shared.web.routes import Routes
from tests.whole.hostile.secrets.canaries import HOOK_NAMES, TEXT_SECRET, trace_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request to one of the HTTP functions."""

    function: str
    query: dict[str, str] = field(default_factory=dict)
    route: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def handler(self, routes: Routes, request: Request) -> Answer:
        """Let the app answer it."""
        owners = (routes, routes.events, routes.webhooks, routes.mutes, routes.system)
        owner = next(one for one in owners if hasattr(one, self.function))
        answered: Answer = getattr(owner, self.function)(request)
        return answered

    def said(self) -> tuple[bytes, bytes]:
        """Body and headers of the answer."""
        request = func.HttpRequest(
            method="GET", url="http://localhost/api/x", params=self.query, route_params=self.route, body=self.body
        )
        got = function_app.serve(request, self.handler)
        return got.get_body(), str(dict(got.headers)).encode()


def asks_of_event(event_id: str) -> list[Ask]:
    """What can be asked of an event."""
    return [Ask(function=name, route={"eventId": event_id}) for name in ("get_event", "redeliver_event")]


MUTE = {"jobs": ["x"], "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z"}
ASKED = (
    Ask(function="summary", query={"maxAge": "0"}),
    Ask(function="summary"),
    Ask(function="summary", query={"maxAge": "x"}),
    Ask(function="list_jobs"),
    Ask(function="list_nodes", route={"jobId": "job"}),
    Ask(function="list_nodes", route={"jobId": "job"}, query={"live": "true", "$filter": f"sig={TEXT_SECRET}"}),
    Ask(function="list_live_nodes", route={"jobId": "job"}),
    *(Ask(function="explain_node", route={"jobId": job, "nodeId": "n"}) for job in ("job", "ok")),
    Ask(function="list_pools"),
    Ask(function="list_pool_nodes", route={"poolId": "pool"}),
    Ask(function="list_events"),
    Ask(function="trends"),
    Ask(function="redeliver_events", body=b'{"state":"dead"}'),
    Ask(function="dismiss_deliveries", body=b"{}"),
    *(Ask(function="ping_webhook", route={"name": name}) for name in ("default", *HOOK_NAMES)),
    Ask(function="disable_webhook", route={"name": "second"}),
    Ask(function="enable_webhook", route={"name": "second"}),
    Ask(function="list_webhooks"),
    *(Ask(function="list_messages", route={"name": name}) for name in ("default", *HOOK_NAMES)),
    Ask(
        function="put_mute",
        route={"name": "x"},
        body=json.dumps({**MUTE, "createdBy": "me", "comment": f"password={TEXT_SECRET}"}).encode(),
    ),
    Ask(function="list_mutes"),
    Ask(function="delete_mute", route={"name": "x"}),
    Ask(function="metrics"),
    Ask(function="openapi"),
    Ask(function="diagnostics"),
    Ask(function="track_job", route={"jobId": "job"}),
    Ask(function="untrack_job", route={"jobId": "job"}),
    Ask(function="health"),
)


def call_everything(monkeypatch: pytest.MonkeyPatch, make: Callable[[], Any]) -> list[bytes]:
    """Call the app's functions over an app; bodies and headers of all answers, and what exceptions would show."""
    monkeypatch.setattr(function_app, "prepwatch", make)
    said = [run(make, "poll"), run(make, "purge")]
    said.extend(part for ask in ASKED for part in ask.said())
    events = sorted({found.decode() for found in re.findall(rb"[0-9]{13}-[a-z2-7]{24}", b"".join(said))})
    said.extend(part for event in events or ["none"] for ask in asks_of_event(event) for part in ask.said())
    said.append(run(make, "poll"))
    return said


def run(make: Callable[[], Any], use_case: str) -> bytes:
    """Let a timer fire, a while later: its answer, or what its exception would show."""
    try:
        app = make()
        app.parts.outside.clock.ahead += timedelta(seconds=20)
        return repr(next(iter(app.pollers.values())).run() if use_case == "poll" else app.purger.run()).encode()
    except (SettingsError, StoreError) as error:
        return trace_of(error).encode()
