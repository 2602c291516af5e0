"""What is news of a pool's nodes, told by tables of what was known and what a listing shows."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.batch.pool_model import ComputeNode, NodeError, StartTaskInfo
from shared.pools.nodes import Seen, after_listing, decide_nodes, lacks_nodes, must_list, not_watched, with_events
from shared.pools.unable import UnableReason
from shared.state.pools import NodeEnd, PoolMemory, PoolRecord, UnableNode
from tests.support.fakes import START

NOW = START
EARLIER = NOW - timedelta(minutes=2)
FRESH = PoolRecord(pool_id="Cpu", announce_from=NOW - timedelta(hours=1))
MINUTE = timedelta(minutes=1)


def failed(node_id: str = "n", since: datetime = EARLIER) -> ComputeNode:
    """A node whose start task has failed."""
    info = StartTaskInfo(state="completed", result="failure", exit_code=3)
    return ComputeNode(id=node_id, state="starttaskfailed", state_transition_time=since, start_task_info=info)


def known(node_id: str = "n", since: datetime = EARLIER, **fields: object) -> UnableNode:
    """A node of which was told that its start task has failed."""
    node = UnableNode(
        node_id=node_id,
        reason=UnableReason.START_TASK_FAILED.value,
        since=since,
        counts_from=since,
        code="FailureExitCode",
        message="The task exited with exit code 3.",
        occurrence_id=f"occ-{node_id}",
        event_id="told",
    )
    return UnableNode(**{**{name: getattr(node, name) for name in node.__struct_fields__}, **fields})


def record(*nodes: UnableNode) -> PoolRecord:
    """A record of these nodes."""
    return PoolRecord(
        pool_id="Cpu", announce_from=FRESH.announce_from, nodes={node.node_id.lower(): node for node in nodes}
    )


def test_a_failed_start_task_is_news_once() -> None:
    """The first listing tells it with its cause, the second says nothing and changes nothing."""
    first, changes = decide_nodes("account", FRESH, Seen(nodes=[failed("N-1")]), NOW)
    (change,) = changes
    assert (change.end, change.known.node_id, change.known.code) == (None, "N-1", "FailureExitCode")
    assert change.known.message == "The task exited with exit code 3."
    told = with_events(
        FRESH, first, {change.known.occurrence_id: "event"}, announced=frozenset([change.known.occurrence_id])
    )
    assert told.nodes["n-1"].event_id == "event"
    assert decide_nodes("account", told, Seen(nodes=[failed("n-1")]), NOW + MINUTE) == (told, ())


@pytest.mark.parametrize(
    ("state", "minutes", "is_news"),
    [("unusable", 6, False), ("unusable", 30, True), ("waitingforstarttask", 59, False), ("starting", 31, True)],
)
def test_what_may_end_by_itself_is_news_once_it_has_taken_too_long(state: str, minutes: int, *, is_news: bool) -> None:
    """A node that is unusable for six minutes and heals was never a fault."""
    node = ComputeNode(id="n", state=state, state_transition_time=NOW - minutes * MINUTE)
    after, changes = decide_nodes("account", FRESH, Seen(nodes=[node]), NOW)
    assert (bool(changes), bool(after.nodes)) == (is_news, is_news)


def test_what_failed_long_before_the_pool_was_first_seen_is_recorded_in_silence() -> None:
    """It counts, but neither it nor its end is told."""
    node = failed(since=NOW - timedelta(days=2))
    after, changes = decide_nodes("account", FRESH, Seen(nodes=[node]), NOW)
    assert (changes, [one.event_id for one in after.open]) == ((), [None])
    later, changes = decide_nodes("account", after, Seen(nodes=[], able=frozenset("n")), NOW + MINUTE)
    assert (changes, list(later.open)) == ((), [])


def test_a_node_that_is_rebooted_and_fails_each_time_is_one_failure() -> None:
    """Rebooting, starting and waiting for the start task are no recovery, and the next failure is no news."""
    now_known = record(known())
    for minutes, state in enumerate(("rebooting", "starting", "waitingforstarttask", "starttaskfailed"), start=1):
        at = NOW + minutes * MINUTE
        node = ComputeNode(id="n", state=state, state_transition_time=at)
        now_known, changes = decide_nodes("account", now_known, Seen(nodes=[node]), at)
        assert (changes, now_known) == ((), record(known()))


HANGS, UNREACHABLE = UnableReason.START_TASK_SLOW.value, UnableReason.UNUSABLE.value
FULL = (NodeError(code="DiskFull", message="full"),)


def state(name: str, minutes: int = 0, **fields: Any) -> ComputeNode:
    """The node, in a state for so long."""
    return ComputeNode(id="n", state=name, state_transition_time=NOW - minutes * MINUTE, **fields)


@pytest.mark.parametrize(
    ("before", "lasting", "listed", "is_news", "expected"),
    [
        (HANGS, False, failed(), True, ("startTaskFailed", "FailureExitCode", False)),
        (UNREACHABLE, False, state("unusable", 50, errors=FULL), True, ("nodeError", "DiskFull", False)),
        (UNREACHABLE, True, state("unusable", 50, errors=FULL), False, ("nodeError", "DiskFull", False)),
        (UNREACHABLE, False, state("unknown", 50), False, ("unknown", "unknown", False)),
        (UNREACHABLE, False, state("starting", 5), False, ("unusable", "before", False)),
        ("startTaskFailed", False, state("unusable", 5, errors=FULL), False, ("nodeError", "DiskFull", False)),
        ("startTaskFailed", False, state("unusable", 50), False, ("unusable", "unusable", True)),
        ("startTaskFailed", False, state("unusable", 5), False, ("startTaskFailed", "before", False)),
        ("startTaskFailed", False, state("starttaskfailed"), False, ("startTaskFailed", "before", False)),
        ("startTaskFailed", False, failed(), False, ("startTaskFailed", "FailureExitCode", False)),
    ],
)
def test_a_node_is_known_by_what_is_wrong_with_it_now(
    before: str, listed: ComputeNode, expected: tuple[str, str, bool], *, lasting: bool, is_news: bool
) -> None:
    """What will not mend itself any more is told once; another cause changes the words alone; time begins as before."""
    was = record(known(reason=before, code="before", message="", lasting=lasting, since=NOW - 70 * MINUTE))
    after, changes = decide_nodes("account", was, Seen(nodes=[listed]), NOW)
    (node,) = after.open
    assert (node.reason, node.code, node.lasting) == expected
    assert (node.since, node.counts_from, node.event_id) == (NOW - 70 * MINUTE, NOW - 70 * MINUTE, "told")
    assert [(change.known.reason, change.known.since, change.known.occurrence_id) for change in changes] == (
        [(expected[0], listed.state_transition_time, "occ-n")] if is_news else []
    )
    assert decide_nodes("account", after, Seen(nodes=[listed]), NOW + MINUTE) == (after, ())


@pytest.mark.parametrize("able", [True, False], ids=["able", "left out"])
def test_a_node_recovers_at_once_or_is_removed_after_two_listings(*, able: bool) -> None:
    """Idle or running ends it at once; left out it must be twice, five minutes apart."""
    seen = Seen(nodes=[], able=frozenset("n") if able else frozenset())
    after, changes = decide_nodes("account", record(known()), seen, NOW)
    if able:
        assert [change.end for change in changes] == [NodeEnd.RECOVERED]
        assert [node.ended_at for node in after.nodes.values()] == [NOW]
        return
    assert (changes, [node.missing_since for node in after.open]) == ((), [NOW])
    assert decide_nodes("account", after, seen, NOW + 4 * MINUTE) == (after, ())
    gone, changes = decide_nodes("account", after, seen, NOW + 5 * MINUTE)
    assert ([change.end for change in changes], list(gone.open)) == ([NodeEnd.REMOVED], [])


@pytest.mark.parametrize(
    ("listed", "lacks"), [(["starttaskfailed"], True), (["starttaskfailed"] * 2, False), (["unusable", None], False)]
)
def test_a_node_that_is_counted_and_not_listed_was_not_removed(listed: list[str | None], *, lacks: bool) -> None:
    """Where fewer nodes that can't work are listed than counted, nobody can say that one of them has left."""
    nodes = [ComputeNode(id=f"other-{number}", state=state) for number, state in enumerate(listed)]
    memory = PoolMemory(pool_id="cpu", by_state={"idle": 3, "starttaskfailed": 1, "unusable": 1, "starting": 2})
    assert lacks_nodes(memory, nodes) is lacks
    missing = record(known(missing_since=NOW - 5 * MINUTE))
    after, changes = decide_nodes("account", missing, Seen(nodes=[], lacks=lacks), NOW)
    assert (bool(changes), after == missing) == (not lacks, lacks)
    assert decide_nodes("account", missing, Seen(nodes=[], lacks=lacks, able=frozenset("n")), NOW)[1]


def test_a_node_that_is_back_was_not_removed() -> None:
    """Seen again in between, it must be left out twice anew."""
    missing = record(known(missing_since=NOW - 4 * MINUTE))
    after, changes = decide_nodes("account", missing, Seen(nodes=[failed()]), NOW)
    assert (changes, after) == ((), record(known()))


def test_an_old_answer_tells_nothing_as_new_and_a_later_failure_does() -> None:
    """For a day it is known what was over: the same failure is no news, the next one of the same node is."""
    over = record(known(ended_at=NOW - MINUTE))
    assert decide_nodes("account", over, Seen(nodes=[failed()]), NOW) == (over, ())
    again, changes = decide_nodes("account", over, Seen(nodes=[failed(since=NOW)]), NOW)
    assert [change.known.since for change in changes] == [NOW]
    forgotten, _ = decide_nodes("account", over, Seen(nodes=[]), NOW + timedelta(days=1))
    assert forgotten.nodes == {}
    assert again.nodes["n"].occurrence_id != "occ-n"


@pytest.mark.parametrize(
    ("left", "hours", "is_told"), [(False, 1, False), (False, 24, True), (True, 1, True), (True, 25, True)]
)
def test_what_was_only_out_of_sight_is_open_again(*, left: bool, hours: int, is_told: bool) -> None:
    """Listed as it was before it was over, without having worked in between or so much later, it is told once more."""
    over_at = NOW - timedelta(hours=hours)
    node = replace(failed(), allocation_time=EARLIER)
    (first,) = decide_nodes("account", FRESH, Seen(nodes=[node]), NOW)[1]
    over = record(replace(first.known, event_id="told", ended_at=over_at, left=left))
    after, changes = decide_nodes("account", over, Seen(nodes=[node]), NOW)
    assert (bool(after.open), bool(changes)) == (is_told, is_told)
    for change in changes:
        occurrence = change.known.occurrence_id
        assert occurrence != first.known.occurrence_id
        told = with_events(over, after, {occurrence: "again"}, announced=frozenset([occurrence]))
        assert [one.event_id for one in told.open] == ["again"]
        assert decide_nodes("account", told, Seen(nodes=[node]), NOW + MINUTE) == (told, ())
        later, _ = decide_nodes("account", over, Seen(nodes=[node]), NOW + MINUTE)
        assert [one.occurrence_id for one in later.open] == [occurrence]


def test_a_pool_that_is_not_watched_any_more_is_closed_after_a_day() -> None:
    """The next job may use it tomorrow; then what was told still stands, else it is over."""
    left, changes = not_watched(record(known()), NOW)
    assert (changes, left.unwatched_since) == ((), NOW)
    assert not_watched(left, NOW + timedelta(hours=23)) == (left, ())
    back, changes = decide_nodes("account", left, Seen(nodes=[failed()]), NOW + timedelta(hours=23))
    assert (changes, back) == ((), record(known()))
    closed, changes = not_watched(left, NOW + timedelta(days=1))
    assert ([change.end for change in changes], list(closed.open)) == ([NodeEnd.NOT_WATCHED], [])
    assert [node.left for node in closed.nodes.values()] == [True]
    assert not_watched(closed, NOW + timedelta(days=2)) == (closed, ())


def test_a_portion_holds_only_what_is_told_so_far() -> None:
    """Between two transactions a failure that is not told is not recorded, and an end that is not told is open."""
    before = record(known("old"))
    after, changes = decide_nodes(
        "account", before, Seen(nodes=[failed("a"), failed("b")], able=frozenset(["old"])), NOW
    )
    told = frozenset(change.known.occurrence_id for change in changes)
    first = with_events(before, after, {after.nodes["a"].occurrence_id: "event-1"}, announced=told)
    assert {key: (node.event_id, node.ended_at) for key, node in first.nodes.items()} == {
        "old": ("told", None),
        "a": ("event-1", None),
    }


@pytest.mark.parametrize(
    ("by_state", "listed", "minutes", "must"),
    [
        ({"idle": 9, "preempted": 3}, {}, None, False),
        ({"idle": 9, "starttaskfailed": 1}, {}, None, True),
        ({"idle": 9, "starttaskfailed": 1}, {"idle": 9, "starttaskfailed": 1}, 9, False),
        ({"idle": 9, "starttaskfailed": 1}, {"idle": 9, "starttaskfailed": 1}, 10, True),
        ({"idle": 8, "starttaskfailed": 2}, {"idle": 9, "starttaskfailed": 1}, 1, True),
        ({"idle": 9, "creating": 5}, {"idle": 9, "creating": 1}, 1, False),
        ({"idle": 9, "creating": 5}, {"idle": 9, "creating": 1}, 10, True),
    ],
)
def test_a_pool_is_listed_when_something_may_be_learned(
    by_state: Mapping[str, int], listed: Mapping[str, int], minutes: int | None, *, must: bool
) -> None:
    """A healthy pool is never listed, a broken one when its counts change, each of them every ten minutes."""
    listed_at = None if minutes is None else NOW - minutes * MINUTE
    memory = PoolMemory(pool_id="cpu", by_state=by_state, listed=listed, listed_at=listed_at)
    assert must_list(memory, None, NOW) is must


def test_a_pool_is_listed_when_its_next_fault_begins_or_a_node_is_missing_for_long_enough() -> None:
    """The moment is remembered with the counts, so that no fault is told later than it must be."""
    waits = ComputeNode(id="n", state="unusable", state_transition_time=NOW - 25 * MINUTE)
    memory = PoolMemory(pool_id="cpu", by_state={"unusable": 1})
    listed = after_listing(memory, Seen(nodes=[waits]), None, NOW)
    assert listed.list_at == NOW + 5 * MINUTE
    assert not must_list(listed, None, NOW + 4 * MINUTE)
    assert must_list(listed, None, NOW + 5 * MINUTE)
    missing = record(known(missing_since=NOW))
    assert after_listing(memory, Seen(nodes=[]), missing, NOW).list_at == NOW + 5 * MINUTE


def test_errors_of_a_node_are_its_cause() -> None:
    """The first error's code and message; without one the reason by name."""
    node = ComputeNode(
        id="n", state="unusable", state_transition_time=EARLIER, errors=(NodeError(code="DiskFull", message="full"),)
    )
    (change,) = decide_nodes("account", FRESH, Seen(nodes=[node]), NOW)[1]
    assert (change.known.code, change.known.message) == ("DiskFull", "full")
