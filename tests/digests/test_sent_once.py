"""Everything is told at least once, and once if nothing breaks: crashes, races, receivers that refuse."""

import json
import re
from datetime import timedelta

import pytest

from shared.state.jobs import PhaseCounts
from shared.state.rows import OWN, from_row, webhook_key
from shared.state.telling import WebhookState
from tests.digests.told_world import ALL, World, newly_failed
from tests.support.fake_table import Fault


def _timeless(body: object) -> str:
    """A message without how long something has lasted when it was sent."""
    return re.sub(r" \([^()]*(minute|hour|day)[^()]*\)", "", json.dumps(body))


@pytest.mark.parametrize("kind", ALL, ids=str)
def test_crash_between_send_and_told(kind: str) -> None:
    """A message whose record was lost is sent again, whole, when the lease has ended, and then no more."""
    world = World(kind)
    world.fail(7)
    world.tick()
    world.fail(5, "other")
    world.now += timedelta(minutes=10)
    before = len(world.sender.sent)
    world.sender.meanwhile = lambda: world.table.fail_next(Fault.BEFORE)
    world.tell()
    world.sender.meanwhile = lambda: None
    assert len(world.sender.sent) == before + 1
    world.now += timedelta(seconds=30)
    world.tell()
    assert len(world.sender.sent) == before + 1, "the lease is still held"
    world.tick(60)
    first, again = world.sender.sent[before:]
    assert _timeless(first.body) == _timeless(again.body)


def test_failure_during_the_sending_is_told_next() -> None:
    """What fails while a message is on its way is not taken as told by it."""
    world = World("slack")
    world.fail(7)
    world.now += timedelta(seconds=10)
    world.sender.meanwhile = lambda: world.fail(3)
    world.tell()
    world.sender.meanwhile = lambda: None
    world.tick(6)
    assert [newly_failed(sent.text) for sent in world.told("slack")] == [7, 3]


def test_release_failure_during_the_sending_is_told_next() -> None:
    """The same holds where nothing is left open that would make anybody look again."""
    world = World("slack")
    world.change("nightly", release_failed_ever=4, release=PhaseCounts(failed=4))
    world.now += timedelta(seconds=10)
    world.sender.meanwhile = lambda: world.change("nightly", release_failed_ever=6, release=PhaseCounts(failed=6))
    world.tell()
    world.sender.meanwhile = lambda: None
    world.tick(6)
    assert [newly_failed(sent.text) for sent in world.told("slack")] == [4, 2]


def test_two_at_once_send_once() -> None:
    """While one instance sends, another leaves the webhook alone."""
    world = World("slack")
    world.fail(7)
    world.now += timedelta(seconds=10)
    sender = world.sender

    def another() -> None:
        sender.meanwhile = lambda: None
        world.tell()

    sender.meanwhile = another
    world.tell()
    world.tick(60)
    assert len(world.told("slack")) == 1


def test_nothing_to_tell_costs_one_query_and_no_write() -> None:
    """Once told, an open failure makes no write and no message however long it stays."""
    world = World("slack")
    world.fail(7)
    world.tick()
    writes = len(world.table.writes)
    world.recover(left=3)
    world.tick(60)
    assert len(world.table.writes) == writes + 1, "the commit of the recovery itself"
    assert len(world.told("slack")) == 1


@pytest.mark.parametrize("answer", [None, (500, b""), (403, b""), (400, b"invalid_blocks"), (200, b"<html>")])
def test_refused_messages_wait_and_are_not_lost(answer: tuple[int, bytes] | None) -> None:
    """A webhook that fails or refuses is probed every five minutes, and told everything when it is back."""
    world = World("slack")
    world.sender.answers["slack"] = answer
    world.fail(7)
    world.tick(120)
    assert 24 <= len(world.told("slack")) <= 27
    world.sender.answers.clear()
    world.fail(5)
    tried = len(world.told("slack"))
    world.tick(6)
    (message,) = world.told("slack")[tried:]
    assert newly_failed(message.text) == 12


def test_failing_webhook_is_known_to_all() -> None:
    """Three connection errors in a row make a chat webhook failing, as deliveries do; a success heals it."""
    world = World("slack")
    world.sender.answers["slack"] = None
    world.fail(7)
    world.tick(30)
    assert _state(world).failing_since is not None
    world.sender.answers.clear()
    world.tick(90)
    assert _state(world).failing_since is None


def test_disabled_webhook_is_left_alone() -> None:
    """A chat that says that it is gone is not called again."""
    world = World("slack")
    world.sender.answers["slack"] = (404, b"no_service")
    world.fail(7)
    world.tick(120)
    assert len(world.told("slack")) == 1
    assert _state(world).disabled_since is not None


def _state(world: World) -> WebhookState:
    row = world.table.get(OWN, webhook_key("slack"))
    assert row is not None
    return from_row(row, WebhookState)
