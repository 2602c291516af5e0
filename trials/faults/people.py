"""The story of an account that people look after: what they ask for, chat, and changes too large for one transaction.

Owns what is asked. Does not own how the app answers (`tests/api`).
"""

import json
from datetime import datetime, timedelta

from local.batch_simulator.world import World
from shared.composition import App
from shared.web.http import Request
from trials.faults.story import NOW, Chapter, Story, deliver, fails, nothing, succeeds
from trials.soak.place import SHAKY, STEADY
from trials.soak.recorder import CHAT

MINUTE = timedelta(minutes=1)
_JOB = {"jobId": "grow"}
_MUTE = {
    "jobs": ["other-*"],
    "startsAt": "2026-11-01T00:00:00Z",
    "endsAt": "2027-11-01T00:00:00Z",
    "createdBy": "me",
    "comment": "maintenance",
}


def _one_node_fails(world: World, now: datetime) -> None:
    world.add_job("grow", creation_time=now - timedelta(minutes=10))
    fails(world, "grow", "g0", now)
    for node in ("g1", "g2"):
        succeeds(world, "grow", node, now)


def _many_nodes_fail(world: World, now: datetime) -> None:
    for number in range(3, 11):
        fails(world, "grow", f"g{number}", now)


def _begins_anew(world: World, now: datetime) -> None:
    world.delete_job("grow")
    world.add_job("grow", creation_time=now - timedelta(minutes=1))
    fails(world, "grow", "g0", now)


def _another_job(world: World, now: datetime) -> None:
    world.add_job("asked", creation_time=now - timedelta(seconds=30))


def _another_job_fails(world: World, now: datetime) -> None:
    fails(world, "asked", "a0", now)


def _redeliver_newest(app: App) -> None:
    listed = json.loads(app.routes.events.list_events(Request(query={"job": "grow"})).body)
    newest = next(event["id"] for event in listed["value"] if event["type"] == "prepwatch.preparation.failed")
    app.routes.events.redeliver_event(Request(route={"eventId": newest}, query={"webhook": STEADY}))


def _redeliver_first(app: App) -> None:
    wanted = {
        "state": "all",
        "since": NOW.isoformat(),
        "until": (NOW + timedelta(seconds=30)).isoformat(),
        "webhook": STEADY,
    }
    app.routes.events.redeliver_events(Request(body=json.dumps(wanted).encode()))


def _dismiss(app: App) -> None:
    app.routes.events.dismiss_deliveries(Request(body=b"{}"))


def _only(*kinds: str) -> frozenset[str]:
    return frozenset(kinds)


PEOPLE = Story(
    name="people",
    chats=True,
    small=True,
    refusals={CHAT: 1},
    chapters=(
        Chapter(name="chat waits", after=timedelta(0), happen=_one_node_fails, breaks=_only("commit", "hold")),
        Chapter(
            name="chat refuses", after=MINUTE, happen=nothing, act=deliver, breaks=_only("turn", "hold", "webhook")
        ),
        Chapter(name="chat is told", after=10 * MINUTE, happen=nothing, act=deliver),
        Chapter(
            name="a large change",
            after=3 * MINUTE,
            happen=_many_nodes_fail,
            breaks=_only("split", "slice", "commit"),
        ),
        Chapter(name="chat is told again", after=10 * MINUTE, happen=nothing, act=deliver, breaks=_only()),
        Chapter(
            name="a large job is created again", after=MINUTE, happen=_begins_anew, breaks=_only("drop", "replace")
        ),
        Chapter(name="a cycle later", after=10 * MINUTE, happen=nothing, breaks=_only()),
        Chapter(
            name="a job is asked for",
            after=MINUTE,
            happen=_another_job,
            act=lambda app: app.routes.track_job(Request(route={"jobId": "asked"})),
            asked=True,
        ),
        Chapter(
            name="a known job is asked for",
            after=MINUTE,
            happen=nothing,
            act=lambda app: app.routes.track_job(Request(route=_JOB)),
            asked=True,
        ),
        Chapter(
            name="a job is to be left alone",
            after=MINUTE,
            happen=nothing,
            act=lambda app: app.routes.untrack_job(Request(route=_JOB)),
            asked=True,
        ),
        Chapter(
            name="and then is not",
            after=MINUTE,
            happen=nothing,
            act=lambda app: app.routes.track_job(Request(route=_JOB)),
            asked=True,
        ),
        Chapter(name="a cycle between", after=MINUTE, happen=nothing, breaks=_only()),
        Chapter(
            name="a mute",
            after=MINUTE,
            happen=nothing,
            act=lambda app: app.routes.mutes.put_mute(
                Request(route={"name": "night"}, body=json.dumps(_MUTE).encode())
            ),
            asked=True,
        ),
        Chapter(
            name="the mute ends",
            after=MINUTE,
            happen=nothing,
            act=lambda app: app.routes.mutes.delete_mute(Request(route={"name": "night"})),
            asked=True,
        ),
        Chapter(
            name="a webhook is switched off",
            after=MINUTE,
            happen=nothing,
            act=lambda app: app.routes.webhooks.disable_webhook(Request(route={"name": SHAKY})),
            asked=True,
        ),
        Chapter(
            name="and on again",
            after=MINUTE,
            happen=nothing,
            act=lambda app: app.routes.webhooks.enable_webhook(Request(route={"name": SHAKY})),
            asked=True,
        ),
        Chapter(name="another cycle", after=10 * MINUTE, happen=nothing, breaks=_only()),
        Chapter(
            name="a ping",
            after=MINUTE,
            happen=nothing,
            act=lambda app: app.routes.webhooks.ping_webhook(Request(route={"name": STEADY})),
            asked=True,
            breaks=_only("ping"),
        ),
        Chapter(
            name="a diagnosis",
            after=MINUTE,
            happen=nothing,
            act=lambda app: app.routes.system.diagnostics(Request()),
            asked=True,
        ),
        Chapter(name="an event is sent again", after=MINUTE, happen=nothing, act=_redeliver_newest, asked=True),
        Chapter(
            name="a summary that nudges",
            after=MINUTE,
            happen=nothing,
            act=lambda app: app.routes.summary(Request(query={"maxAge": "86400"})),
            asked=True,
        ),
        Chapter(
            name="a summary that polls",
            after=MINUTE,
            happen=nothing,
            act=lambda app: app.routes.summary(Request(query={"maxAge": "0"})),
            asked=True,
            breaks=_only("begin"),
        ),
        Chapter(name="events are sent again", after=MINUTE, happen=nothing, act=_redeliver_first, asked=True),
        Chapter(name="a cycle after", after=MINUTE, happen=nothing, breaks=_only()),
        Chapter(name="another job fails", after=10 * MINUTE, happen=_another_job_fails, breaks=_only()),
        Chapter(name="chat calls it wrong", after=10 * MINUTE, happen=nothing, act=deliver, wrong=2, breaks=_only()),
        Chapter(name="one is asked for again", after=MINUTE, happen=nothing, act=_redeliver_newest, breaks=_only()),
        Chapter(name="nobody takes it", after=timedelta(hours=76), happen=nothing, act=deliver, breaks=_only()),
        Chapter(name="it is dismissed", after=MINUTE, happen=nothing, act=_dismiss, asked=True),
        Chapter(name="a month later", after=timedelta(days=40), happen=nothing, act=lambda app: app.purger.run()),
    ),
)
