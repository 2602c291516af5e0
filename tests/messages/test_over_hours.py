"""What a webhook of each format gets over hours, judged by receivers that keep to the services' documented limits."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from local.webhook_receiver.pagerduty import State
from shared.batch.model import TaskCounts
from trials.services import CHAT, Received, ServiceWorld

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
EVENTS = ("cloudevents", "eventgrid")


def newly_failed(received: Sequence[Received]) -> int:
    """How many failures chat messages have told together."""
    return sum(int(number) for each in received for number in re.findall(r"(\d+) newly failed", each.text))


def nodes(number: int) -> list[str]:
    """The names of so many nodes."""
    return [f"tvmps_{index:04d}" for index in range(number)]


def failing_over_an_hour(number: int) -> tuple[ServiceWorld, list[str]]:
    """A job that works on some nodes, and on which others fail one after another for an hour."""
    world, bad = ServiceWorld(), nodes(number)
    world.succeed("good-1", "good-2")
    world.pass_by(2 * MINUTE)
    for minute in range(60):
        world.fail(*bad[minute * number // 60 : (minute + 1) * number // 60])
        world.pass_by(MINUTE)
    return world, bad


@pytest.mark.slow
def test_2000_nodes_at_once() -> None:
    """2,000 nodes that fail at once make one message in each chat, one incident, and each failure once as an event."""
    world, bad = ServiceWorld(), nodes(2000)
    world.succeed("good-1", "good-2")
    world.pass_by(2 * MINUTE)
    world.fail(*bad)
    world.pass_by(3 * HOUR)

    assert world.refused() == []
    for chat in CHAT:
        (message,) = world.told(chat)
        assert "2000 newly failed; 2000 of 2002 nodes take none of the job's tasks" in message.text
    assert [(incident.state, incident.triggers) for incident in world.incidents] == [(State.TRIGGERED, 1)]
    for name in EVENTS:
        assert world.failures(name) == Counter(bad)
        assert "prepwatch.job.stuck" not in {event["type"] for event in world.events(name)}


@pytest.mark.slow
def test_2000_nodes_at_once_and_no_other() -> None:
    """When no node is left, the job is called stuck after five minutes: once, and in an incident of its own."""
    world, bad = ServiceWorld(), nodes(2000)
    world.batch.tasks = TaskCounts(active=50)
    world.pass_by(2 * MINUTE)
    world.fail(*bad)
    world.pass_by(3 * HOUR)

    assert world.refused() == []
    for chat in CHAT:
        first, second = world.told(chat)
        assert second.request.at - first.request.at >= 5 * MINUTE
        assert "2000 newly failed; all 2000 nodes take none of the job's tasks" in first.text
        assert "stands still: preparation failed on all 2000 nodes" in second.text
    assert [(incident.state, incident.triggers) for incident in world.incidents] == [(State.TRIGGERED, 1)] * 2
    for name in EVENTS:
        assert world.failures(name) == Counter(bad)
        assert [event["type"] for event in world.events(name)].count("prepwatch.job.stuck") == 1


def recover(world: ServiceWorld, bad: Sequence[str]) -> None:
    """Every node is reimaged and works then."""
    world.begin(*bad)
    world.pass_by(2 * MINUTE)
    world.succeed(*bad)


def complete(world: ServiceWorld, _bad: Sequence[str]) -> None:
    """The job ends with its failures."""
    world.move_job("terminating")
    world.pass_by(2 * MINUTE)
    world.move_job("completed")


def delete(world: ServiceWorld, _bad: Sequence[str]) -> None:
    """The job vanishes."""
    world.delete_job()


@pytest.mark.parametrize(
    ("end", "title", "why"),
    [
        pytest.param(
            recover,
            "Preparation works again after",
            "preparation has succeeded on every node that had failed",
            id="recovery",
        ),
        pytest.param(complete, "Ended, preparation had failed on 200 of 202 nodes", "the job has ended", id="job end"),
        pytest.param(delete, "Vanished before", "preparation had failed on 200 of 202 nodes", id="job gone"),
    ],
)
@pytest.mark.parametrize(
    "later", [pytest.param(timedelta(0), id="at once"), pytest.param(2 * HOUR, id="later", marks=pytest.mark.slow)]
)
def test_200_nodes_over_an_hour(
    end: Callable[[ServiceWorld, Sequence[str]], None], title: str, why: str, later: timedelta
) -> None:
    """They make six chat messages at most and one incident; its end makes one message more, and closes it."""
    world, bad = failing_over_an_hour(200)
    world.pass_by(later)

    before = {chat: len(world.told(chat)) for chat in CHAT}
    assert all(2 <= messages <= 6 for messages in before.values()), before
    assert [incident.state for incident in world.incidents] == [State.TRIGGERED]

    end(world, bad)
    world.pass_by(3 * HOUR)

    for chat in CHAT:
        (message,) = world.told(chat)[before[chat] :]
        assert title in message.verdict.shows[0]
        assert why in message.text
        assert newly_failed(world.told(chat)) == 200
    (incident,) = world.incidents
    assert incident.state is State.RESOLVED
    actions = [each.verdict.shows[0].split(":")[0].split(",")[0] for each in world.told("pagerduty")]
    assert actions.count("incident 1 resolved") == 1
    assert actions[-1] == "incident 1 resolved"
    assert world.refused() == []
    for name in EVENTS:
        assert world.failures(name) == Counter(bad)
        types = Counter(event["type"].removeprefix("prepwatch.") for event in world.events(name))
        assert types["job.stuck"] == 0
        ids = [event["id"] for event in world.events(name)]
        assert len(ids) == len(set(ids)), "an event came twice"
