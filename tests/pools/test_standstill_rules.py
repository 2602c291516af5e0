"""Whether a job's waiting tasks can run: the decision, case by case."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.batch.model import TaskCounts
from shared.batch.pool_model import AutoScaleRun, ComputeNode, NodeError, Pool, ResizeError
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


def asked(**fields: Any) -> Pool:
    """A steady pool as Batch shows it."""
    return Pool(**{"id": "cpu", "allocation_state": "steady", **fields})


def broken(number: int) -> tuple[ComputeNode, ...]:
    """Nodes that seem to be starting, and show errors."""
    errors = (NodeError(code="BatchAgentInstallationFailure", message="The extension failed."),)
    return tuple(ComputeNode(id=f"n{index}", state="Starting", errors=errors) for index in range(number))


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
    "nodes show errors while they start": (
        NEVER,
        pool_of({"starting": 3}, none_able_for=minutes(7)),
        Findings(tasks=WAITING, pool=asked(), unable=broken(3)),
        StandstillReason.NODES_UNABLE,
    ),
    "one of the nodes that start shows errors": (
        NEVER,
        pool_of({"starting": 3}, none_able_for=minutes(7)),
        Findings(tasks=WAITING, pool=asked(), unable=broken(1)),
        None,
    ),
    "one of the nodes that start has shown errors for long": (
        NEVER,
        pool_of({"starting": 3}, none_able_for=minutes(30)),
        Findings(tasks=WAITING, pool=asked(), unable=broken(1)),
        StandstillReason.NODES_UNABLE,
    ),
    "only the job manager is left": (
        failed(39, has_manager=True),
        pool_of({"idle": 40}),
        Findings(tasks=TaskCounts(running=1), moves=False, manager_runs=True, pool=asked()),
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
    "all have failed while the pool shrinks for days": (
        failed(40, ago=minutes(31)),
        pool_of({"idle": 40, "leavingpool": 1}),
        Findings(tasks=WAITING, moves=False, pool=asked(allocation_state="resizing")),
        StandstillReason.PREPARATION_FAILED,
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


def test_a_dead_pool_is_told_only_once_somebody_has_waited_for_it() -> None:
    """A job that comes to a pool that has been dead for long stands still from then on, not for as long as its pool."""
    pool = pool_of({"unusable": 2}, none_able_for=minutes(40))
    known = None
    for after in (0, 1, 2):
        moment = NOW + minutes(after)
        suspected = suspect(is_active=True, preparations=NEVER, pool=pool, now=moment)
        decided = decide_standstill(
            known,
            suspected,
            Findings(tasks=WAITING, pool=asked()),
            over=None,
            preparations=NEVER,
            pool=pool,
            now=moment,
            earliest=NOW,
        )
        known = decided.standstill
        assert (decided.change is StandstillChange.BEGINS) is (after == 2)
    assert known is not None
    assert known.since == NOW


@pytest.mark.parametrize("ago", [minutes(3), minutes(29)], ids=["young", "nearly half an hour"])
def test_nodes_on_the_way_put_it_off(ago: timedelta) -> None:
    """As long as a standstill is younger than half an hour, nodes that come may end it by themselves."""
    pool = pool_of({"idle": 2, "starting": 1})
    findings = Findings(tasks=WAITING, moves=False, pool=asked())

    assert look_twice(failed(2, ago=ago), pool, findings, minutes(2)).change is None
    assert look_twice(failed(2, ago=minutes(30)), pool, findings, minutes(2)).change is StandstillChange.BEGINS
