"""Whether a job's waiting tasks can run: the decision, case by case."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.batch.model import TaskCounts
from shared.batch.pool_model import AutoScaleRun, Pool, ResizeError
from shared.pools.preparations import Preparations
from shared.pools.standstill_rules import (
    Findings,
    StandstillChange,
    StandstillDecision,
    decide_standstill,
)
from shared.pools.suspicion_rules import Suspicion, suspect
from shared.state.pools import PoolMemory, StandstillCause, StandstillReason

NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
WAITING = TaskCounts(active=200)
QUOTA = ResizeError(code="AccountCoreQuotaReached", message="The specified account has reached its core quota")


def minutes(number: float) -> timedelta:
    """So many minutes."""
    return timedelta(minutes=number)


def pool_of(by_state: Mapping[str, int], *, none_able_for: timedelta | None = None) -> PoolMemory:
    """A pool whose nodes are in these states."""
    since = None if none_able_for is None else NOW - none_able_for
    return PoolMemory(pool_id="cpu", by_state=by_state, none_able_since=since)


def failed(number: int, *, slow: int = 0, ago: timedelta | None = None, **fields: Any) -> Preparations:
    """So many open failures, the last of them so long ago (None: three minutes)."""
    return Preparations(waited_for=True, open=number, slow=slow, last_trouble=NOW - (ago or minutes(3)), **fields)


NEVER = Preparations(waited_for=False)
SUSPECT: dict[str, tuple[Preparations, PoolMemory | None, Suspicion | None]] = {
    "all nodes hang": (failed(0, slow=20), pool_of({"idle": 20}), Suspicion.PREPARATION),
    "59 failed and the last one hangs": (failed(59, slow=1), pool_of({"idle": 60}), Suspicion.PREPARATION),
    "59 failed and the last one prepares": (failed(59), pool_of({"idle": 60}), None),
    "the node that succeeded takes tasks": (failed(2, last_success=NOW - minutes(1)), pool_of({"idle": 3}), None),
    "the one that succeeded after the others failed has left": (
        failed(2, last_success=NOW - minutes(1)),
        pool_of({"idle": 2}),
        Suspicion.PREPARATION,
    ),
    "the one that succeeded may have left a pool that nobody can ask": (
        failed(2, last_success=NOW - minutes(1)),
        None,
        None,
    ),
    "the one that succeeded is taken back for a moment, and the others have left": (
        failed(2, last_success=NOW - minutes(1)),
        pool_of({"preempted": 1}, none_able_for=minutes(1)),
        None,
    ),
    "the one that succeeded has left": (
        failed(2, last_success=NOW - timedelta(days=1)),
        pool_of({"idle": 2}),
        Suspicion.PREPARATION,
    ),
    "tasks do not wait for preparation": (
        replace(failed(2), waited_for=False),
        pool_of({"idle": 2}),
        None,
    ),
    "the job manager holds its node": (failed(1, has_manager=True), pool_of({"running": 2}), Suspicion.PREPARATION),
    "nothing is known of the pool": (failed(1), None, Suspicion.PREPARATION),
    "nothing is known of the pool, and a node works": (failed(1, others=1), None, None),
    "no able node for five minutes": (NEVER, pool_of({"unusable": 3}, none_able_for=minutes(5)), Suspicion.NONE_ABLE),
    "no able node for a moment": (NEVER, pool_of({"rebooting": 1}, none_able_for=minutes(4)), None),
    "an empty pool": (NEVER, pool_of({}, none_able_for=minutes(60)), Suspicion.NONE_ABLE),
    "the pool is gone": (NEVER, PoolMemory(pool_id="cpu", gone_since=NOW - minutes(1)), Suspicion.POOL_GONE),
    "each node fails and is removed": (
        failed(0, failed_at=(NOW - minutes(50), NOW - minutes(30), NOW - minutes(3)), failing_since=NOW - minutes(50)),
        pool_of({"idle": 1}),
        Suspicion.REPEATED,
    ),
    "the first failures are young": (
        failed(0, failed_at=(NOW - minutes(20), NOW - minutes(10), NOW - minutes(3)), failing_since=NOW - minutes(20)),
        pool_of({"idle": 1}),
        None,
    ),
    "many failed at once, and no other since": (
        failed(0, failed_at=(NOW - minutes(31),) * 3, failing_since=NOW - minutes(31)),
        pool_of({"idle": 1}),
        None,
    ),
    "one fails every six minutes": (
        failed(0, failed_at=tuple(NOW - minutes(ago) for ago in (15, 9, 3)), failing_since=NOW - minutes(45)),
        pool_of({"idle": 1}),
        Suspicion.REPEATED,
    ),
    "three failures in two hours": (
        failed(
            0,
            failed_at=(NOW - minutes(110), NOW - minutes(30), NOW - minutes(3)),
            failing_since=NOW - minutes(110),
        ),
        pool_of({"idle": 1}),
        None,
    ),
}


@pytest.mark.parametrize(("preparations", "pool", "why"), SUSPECT.values(), ids=SUSPECT)
def test_a_job_is_suspected_when_none_of_its_nodes_can_take_tasks(
    preparations: Preparations, pool: PoolMemory | None, why: Suspicion | None
) -> None:
    """A job is looked into when what it waits for is broken, and not before; a disabled one never."""
    found = suspect(is_active=True, preparations=preparations, pool=pool, now=NOW)

    assert (found and found.why) == why
    assert suspect(is_active=False, preparations=preparations, pool=pool, now=NOW) is None


def asked(**fields: Any) -> Pool:
    """A steady pool as Batch shows it."""
    return Pool(**{"id": "cpu", "allocation_state": "steady", **fields})


EMPTY = pool_of({}, none_able_for=minutes(40))
REASONS: dict[str, tuple[Preparations, PoolMemory | None, Findings, StandstillReason | None]] = {
    "start task failed on all": (
        NEVER,
        pool_of({"starttaskfailed": 12}, none_able_for=minutes(7)),
        Findings(tasks=WAITING, pool=asked()),
        StandstillReason.START_TASK_FAILED,
    ),
    "most are unusable": (
        NEVER,
        pool_of({"starttaskfailed": 1, "unusable": 2, "unknown": 1}, none_able_for=minutes(7)),
        Findings(tasks=WAITING, pool=asked()),
        StandstillReason.NODES_UNABLE,
    ),
    "the quota is used up": (
        NEVER,
        EMPTY,
        Findings(tasks=WAITING, pool=asked(target_dedicated_nodes=40, resize_errors=(QUOTA,))),
        StandstillReason.RESIZE_FAILED,
    ),
    "the quota was used up, and nobody asks any more": (
        NEVER,
        EMPTY,
        Findings(tasks=WAITING, pool=asked(target_dedicated_nodes=0, resize_errors=(QUOTA,))),
        None,
    ),
    "the formula fails": (
        NEVER,
        EMPTY,
        Findings(tasks=WAITING, pool=asked(auto_scale_run=AutoScaleRun(error=QUOTA))),
        StandstillReason.AUTOSCALE_FAILED,
    ),
    "autoscale from none": (NEVER, EMPTY, Findings(tasks=WAITING, pool=asked(enable_auto_scale=True)), None),
    "nodes are on the way for too long": (
        NEVER,
        pool_of({"starting": 3}, none_able_for=minutes(40)),
        Findings(tasks=WAITING, pool=asked()),
        None,
    ),
    "spot nodes were evicted": (
        NEVER,
        pool_of({"preempted": 9}, none_able_for=timedelta(hours=9)),
        Findings(tasks=WAITING, pool=asked(target_low_priority_nodes=9, current_low_priority_nodes=9)),
        None,
    ),
    "deallocated for the night": (
        NEVER,
        pool_of({"deallocated": 9}, none_able_for=timedelta(hours=9)),
        Findings(tasks=WAITING, pool=asked(target_dedicated_nodes=9, current_dedicated_nodes=9)),
        None,
    ),
    "preparation failed on all": (
        failed(40),
        pool_of({"idle": 40}),
        Findings(tasks=WAITING, moves=False, pool=asked()),
        StandstillReason.PREPARATION_FAILED,
    ),
    "59 failed, one hangs": (
        failed(59, slow=1),
        pool_of({"idle": 60}),
        Findings(tasks=WAITING, moves=False, pool=asked()),
        StandstillReason.PREPARATION_SLOW,
    ),
    "failed nodes are replaced and fail again": (
        failed(0, failed_at=(NOW - minutes(50), NOW - minutes(30), NOW - minutes(3)), failing_since=NOW - minutes(50)),
        pool_of({"idle": 1, "starting": 1}),
        Findings(tasks=WAITING, moves=False, pool=asked()),
        StandstillReason.PREPARATION_FAILED,
    ),
    "a task runs": (failed(40), pool_of({"idle": 40}), Findings(tasks=WAITING, moves=True), None),
    "nobody waits": (failed(40), pool_of({"idle": 40}), Findings(tasks=TaskCounts(), moves=False), None),
    "nobody could be asked": (failed(40), pool_of({"idle": 40}), Findings(), None),
    "nobody could be asked which tasks run": (failed(40), pool_of({"idle": 40}), Findings(tasks=WAITING), None),
    "the first of forty fails while the others come": (
        failed(1),
        pool_of({"idle": 1, "starting": 39}),
        Findings(tasks=WAITING, moves=False, pool=asked(allocation_state="resizing")),
        None,
    ),
}


def look_twice(
    preparations: Preparations, pool: PoolMemory | None, findings: Findings, apart: timedelta
) -> StandstillDecision:
    """What two looks so far apart make of a job; the later one is now."""
    first = NOW - apart
    suspected = suspect(is_active=True, preparations=preparations, pool=pool, now=NOW)
    before = decide_standstill(None, suspected, findings, over=None, preparations=preparations, pool=pool, now=first)
    assert suspected is None or suspected.why in {Suspicion.NONE_ABLE, Suspicion.POOL_GONE} or before.change is None
    if before.change is not None:
        return before
    return decide_standstill(
        before.standstill, suspected, findings, over=None, preparations=preparations, pool=pool, now=NOW
    )


@pytest.mark.parametrize(("preparations", "pool", "findings", "reason"), REASONS.values(), ids=REASONS)
def test_a_standstill_is_told_with_its_reason(
    preparations: Preparations, pool: PoolMemory | None, findings: Findings, reason: StandstillReason | None
) -> None:
    """Two answers that agree tell the reason by name; what is only how Batch works is told nobody."""
    decided = look_twice(preparations, pool, findings, minutes(2))

    assert (decided.change is StandstillChange.BEGINS) is (reason is not None)
    assert (decided.standstill.reason if decided.standstill is not None else None) == reason


def test_two_answers_too_close_together_tell_nothing() -> None:
    """What Batch counted a moment ago may be old: the second answer must come two minutes later."""
    preparations, pool, findings, _ = REASONS["preparation failed on all"]

    assert look_twice(preparations, pool, findings, minutes(1.9)).change is None
    assert look_twice(preparations, pool, findings, minutes(2)).change is StandstillChange.BEGINS


def test_a_standstill_says_what_it_was_like() -> None:
    """Since when, how many tasks wait, the pool's nodes and its error are kept for whoever reads of it."""
    preparations, pool, findings, _ = REASONS["the quota is used up"]
    decided = look_twice(preparations, pool, findings, minutes(2))

    assert decided.standstill is not None
    assert decided.standstill.since == NOW - minutes(40)
    assert decided.standstill.tasks == 200
    assert decided.standstill.cause == StandstillCause(code=QUOTA.code or "", message=QUOTA.message or "")


def test_a_look_without_an_answer_is_as_if_there_was_none() -> None:
    """What Batch does not say neither agrees nor disagrees with what it said before."""
    preparations, pool, still, _ = REASONS["preparation failed on all"]
    known, suspected = None, suspect(is_active=True, preparations=preparations, pool=pool, now=NOW)
    changes: list[StandstillChange | None] = []
    for findings in (still, Findings(), Findings(tasks=WAITING), still):
        moment = NOW + minutes(len(changes))
        decided = decide_standstill(
            known, suspected, findings, over=None, preparations=preparations, pool=pool, now=moment
        )
        known = decided.standstill
        changes.append(decided.change)

    assert changes == [None, None, None, StandstillChange.BEGINS]


def test_a_standstill_begins_when_it_was_last_seen_to_move() -> None:
    """What made a job suspect may be long ago: as long as tasks run, or none waits, it does not stand still."""
    pool, still = pool_of({"idle": 2}), Findings(tasks=WAITING, moves=False, pool=asked())
    preparations = failed(2, ago=timedelta(hours=3))
    for well in (Findings(tasks=WAITING, moves=True), Findings(tasks=TaskCounts(), moves=False)):
        known, moment = None, NOW - timedelta(hours=1)
        for findings in (well, still, still):
            suspected = suspect(is_active=True, preparations=preparations, pool=pool, now=moment)
            decided = decide_standstill(
                known, suspected, findings, over=None, preparations=preparations, pool=pool, now=moment
            )
            known, moment = decided.standstill, moment + minutes(5)
        assert known is not None
        assert known.confirmed
        assert known.since == NOW - timedelta(hours=1)


@pytest.mark.parametrize("ago", [minutes(3), minutes(29)], ids=["young", "nearly half an hour"])
def test_nodes_on_the_way_put_it_off(ago: timedelta) -> None:
    """As long as a standstill is younger than half an hour, nodes that come may end it by themselves."""
    pool = pool_of({"idle": 2, "starting": 1})
    findings = Findings(tasks=WAITING, moves=False, pool=asked())

    assert look_twice(failed(2, ago=ago), pool, findings, minutes(2)).change is None
    assert look_twice(failed(2, ago=minutes(30)), pool, findings, minutes(2)).change is StandstillChange.BEGINS
