"""Chat hears of every turn in a job's troubles once, in plain words; a pager of what somebody can mend."""

import json
from datetime import timedelta

import pytest

from shared.api.mutes import Mutes
from shared.digests.mutes import Mute
from shared.digests.rows import is_owed
from shared.polling.job_rules import end_as_gone
from tests.digests.told_world import Sent, World
from tests.digests.turns import (
    Turn,
    asked_for,
    fails,
    left_alone,
    mended,
    moves,
    odd_entries,
    reachable,
    reachable_and_failed,
    slow_batch,
    stuck,
    too_slow,
    unreachable,
    unreadable,
    vanishes,
    without_preparation,
    without_preparation_and_able_nodes,
)
from tests.support.told_jobs import ACCOUNT, CHAT, webhook


@pytest.mark.parametrize(
    ("before", "turn", "heading", "says", "pager"),
    [
        pytest.param(
            [], unreachable, "can't be read", ["InvalidAnswer: Not JSON.", "r-1", "Azure support"], [], id="lost"
        ),
        pytest.param([], odd_entries, "can't be read whole", ["2 entries", "report what it can't"], [], id="in part"),
        pytest.param([], too_slow, "can't be read", ["Raise POLL_BUDGET_SECONDS"], [], id="too slow"),
        pytest.param([], slow_batch, "can't be read", ["r-2", "Azure support"], [], id="Batch is too slow"),
        pytest.param([], unreadable, "can't be read", ["schema version 9", "newest version"], [], id="unreadable"),
        pytest.param(
            [fails],
            unreachable,
            "can't be read",
            ["3 of 5000 nodes took none of the job's tasks when it was last seen", "last seen active"],
            ["trigger"],
            id="lost with open failures",
        ),
        pytest.param(
            [unreachable],
            reachable,
            "can be read again",
            ["minutes, from 22:00 UTC", "every node takes the job's tasks"],
            [],
            id="found",
        ),
        pytest.param(
            [fails, unreachable],
            reachable,
            "can be read again",
            ["3 of 5000 nodes take none of the job's tasks"],
            ["trigger"],
            id="found with open failures",
        ),
        pytest.param(
            [unreachable],
            reachable_and_failed,
            "preparation failed on 2 of 5000 nodes",
            ["could not be read for ", "2 newly failed"],
            ["trigger"],
            id="found, and failed meanwhile",
        ),
        pytest.param(
            [unreachable], left_alone, "need not be read any more", ["not watched any more"], [], id="left alone"
        ),
        pytest.param(
            [unreachable],
            without_preparation,
            "need not be read any more",
            ["the job has no preparation task"],
            [],
            id="found without a preparation task",
        ),
        pytest.param(
            [unreachable],
            without_preparation_and_able_nodes,
            "no node of the pool can work",
            ["it could not be read for "],
            ["trigger"],
            id="found without a preparation task, and stands still",
        ),
        pytest.param(
            [fails],
            vanishes,
            "vanished before it was seen completed",
            ["preparation had failed on 3 of 5000 nodes", "last seen active"],
            ["trigger", "resolve"],
            id="vanished with open failures",
        ),
        pytest.param(
            [asked_for],
            vanishes,
            "vanished before it was seen completed",
            ["Batch does not know the job any more."],
            [],
            id="vanished though asked for",
        ),
        pytest.param(
            [fails, unreachable],
            vanishes,
            "vanished before it was seen completed",
            [],
            ["trigger", "resolve"],
            id="vanished while lost",
        ),
        pytest.param([], stuck, "stands still", ["since 22:00"], ["trigger"], id="stuck on failures told to nobody"),
        pytest.param(
            [stuck],
            moves,
            "moves again, 10 of 5000 nodes still take none of the job's tasks",
            ["it stood still for "],
            ["trigger", "resolve"],
            id="moves with open failures",
        ),
        pytest.param([stuck], mended, "moves again after", ["nothing keeps"], ["trigger", "resolve"], id="mended"),
        pytest.param([stuck, moves], stuck, "stands still", [], ["trigger", "resolve", "trigger"], id="stuck again"),
        pytest.param(
            [fails], left_alone, "not watched any more", ["3 of 5000"], ["trigger", "resolve"], id="not tracked"
        ),
    ],
)
def test_every_turn_is_told_once(
    before: list[Turn], turn: Turn, heading: str, says: list[str], pager: list[str]
) -> None:
    """Whatever happens to a job makes one chat message that says what it is, and its incident opens and closes."""
    world = World(*CHAT, "pagerduty")
    for earlier in before:
        earlier(world)
        world.tick(70)
    known = {chat: len(world.told(chat)) for chat in CHAT}
    turn(world)
    world.tick(140)
    for chat in CHAT:
        (message,) = world.told(chat)[known[chat] :]
        assert heading in _heading(chat, message).lower().replace("batch", "Batch")
        assert "nightly" in _heading(chat, message)
        assert [words for words in says if words not in message.text] == []
    assert world.actions() == pager


@pytest.mark.parametrize(
    ("turns", "absent"),
    [
        pytest.param([fails, unreachable], "Since: ", id="one time: since when it can't be read"),
        pytest.param([unreachable, vanishes], "Why: ", id="vanished says why it is not looked at"),
    ],
)
def test_nothing_is_said_twice(turns: list[Turn], absent: str) -> None:
    """A fact that follows from another, or could be mistaken for it, is left out."""
    world = World(*CHAT)
    asked_for(world)
    for turn in turns:
        turn(world)
        world.tick(70)
    for chat in CHAT:
        assert absent not in world.told(chat)[-1].text


def test_a_completed_job_may_vanish() -> None:
    """That a job was deleted after its end is no news, though somebody asked to watch it."""
    world = World(*CHAT, "pagerduty")
    world.change("nightly", requested=True, state="completed")
    vanishes(world)
    world.tick(70)
    assert world.sender.sent == []


@pytest.mark.parametrize("quick", [unreachable, stuck], ids=["lost and found", "stuck and moving"])
def test_what_is_over_before_it_could_be_told(quick: Turn) -> None:
    """A trouble that has ended before the first message may go out is not told, and leaves nothing to tell."""
    world = World(*CHAT, "pagerduty")
    quick(world)
    reachable(world)
    mended(world)
    world.tick(70)
    assert world.sender.sent == []


def test_stuck_again_for_those_who_hear_of_nothing_else() -> None:
    """A chat that asked for job.stuck only hears of each standstill, and of no end."""
    world = World(webhooks=[webhook("slack", events=("job.stuck",))])
    for turn in (stuck, moves, stuck, mended, stuck):
        turn(world)
        world.tick(70)
    assert [("stands still" in sent.text) for sent in world.told("slack")] == [True] * 3


def test_job_events_without_failures() -> None:
    """A chat that asked for job.* hears of a standstill and its end without being told that all is well."""
    world = World(webhooks=[webhook("slack", events=("job.*",))])
    for turn in (fails, stuck, moves, unreachable, reachable, vanishes):
        turn(world)
        world.tick(70)
    headings = [_heading("slack", sent).split(" ", 1)[1] for sent in world.told("slack")]
    assert [heading.split(":")[0].split(",")[0] for heading in headings] == [
        "nightly of acc/pool stands still",
        "Moves again",
        "Can't be read",
        "Can be read again",
        "Vanished before it was seen completed",
    ]


def test_troubles_are_muted_and_their_ends_are_not() -> None:
    """A mute holds back that a job can't be read, but not that one told of before can be again."""
    world = World(*CHAT)
    unreachable(world)
    world.tick(70)
    mute = Mute(
        jobs=("nightly",), starts_at=world.now, ends_at=world.now + timedelta(hours=8), created_by="op", comment="known"
    )
    Mutes(table=world.table, clock=lambda: world.now).put_mute("night", mute)
    reachable(world)
    world.tick(70)
    assert "Can be read again" in _heading("slack", world.told("slack")[-1])
    unreachable(world)
    world.tick(70)
    assert len(world.told("slack")) == 2
    world.tick(8 * 60)
    assert "Can't be read" in _heading("slack", world.told("slack")[-1])


def test_told_troubles_keep_nobody() -> None:
    """A head whose troubles have all been told is owed nothing more, though it goes on saying that the job vanished."""
    world = World("slack")
    asked_for(world)
    vanishes(world)
    world.tick(70)
    head = world.job()[1]
    assert head is not None
    assert head.vanished
    assert not is_owed(world.table, ACCOUNT, world.webhooks[0], head, world.now)


def test_several_jobs_in_one_message() -> None:
    """Jobs that fare differently are counted apart in the heading, the worst first."""
    world = World(*CHAT)
    world.fail(2, "fails")
    unreachable(world)
    world.change("asked", requested=True)
    world.decide(lambda head: end_as_gone(world.origin, head, world.now, world.now), "asked")
    world.tick(5)
    for chat in CHAT:
        (message,) = world.told(chat)
        heading = _heading(chat, message)
        assert heading.endswith(": fails, acc/pool; 1 job vanished, 1 job can't be read")
        assert message.text.index("fails: ") < message.text.rindex("asked") < message.text.rindex("nightly")


def _heading(chat: str, sent: Sent) -> str:
    if chat == "slack":
        return str(sent.body["text"])
    (attachment,) = json.loads(sent.text)["attachments"]
    return str(attachment["content"]["fallbackText"])
