"""When a standstill is over, and how often it is looked into."""

import pytest
from msgspec.structs import replace

from shared.batch.model import TaskCounts
from shared.pools.preparations import Preparations
from shared.pools.standstill_rules import (
    Findings,
    StandstillChange,
    StandstillDecision,
    believable_standstill,
    decide_standstill,
    must_look,
)
from shared.pools.suspicion_rules import suspect
from shared.state.pools import PoolMemory, Standstill, StandstillEnd, StandstillReason
from tests.pools.test_standstill_rules import NEVER, NOW, WAITING, failed, minutes, pool_of

CONFIRMED = Standstill(since=NOW - minutes(30), confirmed=True, reason=StandstillReason.PREPARATION_FAILED, tasks=200)
OF_POOL = replace(CONFIRMED, reason=StandstillReason.START_TASK_FAILED)
STILL = Findings(tasks=WAITING, moves=False)
ENDS: dict[str, tuple[Standstill, Preparations, PoolMemory, Findings, str | None]] = {
    "nothing changed": (CONFIRMED, failed(40), pool_of({"idle": 40}), STILL, None),
    "a preparation succeeded": (
        CONFIRMED,
        failed(39, last_success=NOW - minutes(1)),
        pool_of({"idle": 40}),
        STILL,
        "moves",
    ),
    "a preparation begins": (CONFIRMED, failed(39), pool_of({"idle": 40}), STILL, None),
    "a task runs": (CONFIRMED, failed(40), pool_of({"idle": 40}), Findings(tasks=WAITING, moves=True), "moves"),
    "its nodes were mended and work on another job": (
        CONFIRMED,
        failed(0),
        pool_of({"running": 40}),
        STILL,
        None,
    ),
    "the pool has able nodes again": (OF_POOL, NEVER, pool_of({"idle": 1, "starttaskfailed": 11}), STILL, "moves"),
    "a preparation had succeeded when it was told": (
        replace(CONFIRMED, confirmed_at=NOW),
        failed(39, last_success=NOW - minutes(1)),
        pool_of({"idle": 40}),
        STILL,
        None,
    ),
    "a preparation had succeeded in a pool that is broken": (
        OF_POOL,
        failed(0, last_success=NOW - minutes(1)),
        pool_of({"starttaskfailed": 12}, none_able_for=minutes(30)),
        Findings(tasks=WAITING),
        None,
    ),
    "the pool has able nodes again, and preparation has failed on all": (
        OF_POOL,
        failed(4),
        pool_of({"idle": 4}),
        STILL,
        None,
    ),
    "the pool has able nodes again, and one was not tried": (
        OF_POOL,
        failed(4),
        pool_of({"idle": 4}),
        Findings(tasks=WAITING, moves=True),
        "moves",
    ),
    "only the job manager runs since a while ago": (
        replace(CONFIRMED, free_since=NOW - minutes(2)),
        failed(40),
        pool_of({"idle": 40}),
        Findings(tasks=TaskCounts(running=1), moves=False, manager_runs=True),
        "nobody waits",
    ),
    "the pool is still broken": (OF_POOL, NEVER, pool_of({"starttaskfailed": 12}), STILL, None),
    "its tasks were deleted a while ago": (
        replace(CONFIRMED, free_since=NOW - minutes(2)),
        failed(40),
        pool_of({"idle": 40}),
        Findings(tasks=TaskCounts(), moves=False),
        "nobody waits",
    ),
    "its tasks were deleted just now": (
        CONFIRMED,
        failed(40),
        pool_of({"idle": 40}),
        Findings(tasks=TaskCounts(), moves=False),
        None,
    ),
}


@pytest.mark.parametrize(("before", "preparations", "pool", "findings", "ends"), ENDS.values(), ids=ENDS)
def test_a_standstill_ends_when_something_moves(
    before: Standstill, preparations: Preparations, pool: PoolMemory, findings: Findings, ends: str | None
) -> None:
    """A task that runs, a success, able nodes or nobody who waits end it; a preparation that merely begins does not.

    Only where nobody waits nothing moves.
    """
    suspected = suspect(is_active=True, preparations=preparations, pool=pool, now=NOW)
    decided = decide_standstill(before, suspected, findings, over=None, preparations=preparations, pool=pool, now=NOW)

    assert (decided.change is StandstillChange.ENDS) is (ends is not None)
    assert (decided.standstill is None) is (ends is not None)
    assert decided.why is (StandstillEnd.NOBODY_WAITS if ends == "nobody waits" else None)


@pytest.mark.parametrize("over", StandstillEnd)
def test_a_standstill_ends_with_the_job(over: StandstillEnd) -> None:
    """A job that is disabled, ends or is gone stands still no more: its end is told, and why, if its beginning was."""
    told, suspected = (
        decide_standstill(before, None, Findings(), over=over, preparations=failed(40), pool=None, now=NOW)
        for before in (CONFIRMED, Standstill(since=NOW))
    )

    assert told == StandstillDecision(standstill=None, change=StandstillChange.ENDS, why=over)
    assert suspected == StandstillDecision(standstill=None)


def test_what_was_told_is_looked_into_every_five_minutes() -> None:
    """A first answer is followed at once, what was told or is only how Batch works every five minutes."""
    assert must_look(None, NOW)
    assert must_look(Standstill(since=NOW), NOW)
    assert must_look(Standstill(since=NOW, still_since=NOW - minutes(1), looked_at=NOW), NOW)
    assert not must_look(Standstill(since=NOW, still_since=NOW - minutes(3), looked_at=NOW), NOW)
    assert not must_look(Standstill(since=NOW, looked_at=NOW), NOW)
    assert not must_look(replace(CONFIRMED, looked_at=NOW - minutes(4)), NOW)
    assert must_look(replace(CONFIRMED, looked_at=NOW - minutes(5)), NOW)
    doubtful = replace(CONFIRMED, other_reason=StandstillReason.NODES_UNABLE)
    assert not must_look(replace(doubtful, looked_at=NOW - minutes(1)), NOW)
    assert must_look(replace(doubtful, looked_at=NOW - minutes(2)), NOW)


BROKEN = pool_of({"unusable": 4}, none_able_for=minutes(6))
CHANGES: dict[str, tuple[StandstillReason | None, Preparations, PoolMemory | None, Findings, str | None]] = {
    "its nodes break": (
        StandstillReason.PREPARATION_FAILED,
        failed(4),
        BROKEN,
        Findings(tasks=WAITING),
        "nodesUnable",
    ),
    "the last one that hangs fails": (
        StandstillReason.PREPARATION_SLOW,
        failed(4),
        pool_of({"idle": 4}),
        STILL,
        "preparationFailed",
    ),
    "the pool is back, and preparation fails": (
        StandstillReason.NODES_UNABLE,
        failed(4),
        pool_of({"idle": 4}),
        STILL,
        "preparationFailed",
    ),
    "the pool is back, and Batch does not say whether a task runs": (
        StandstillReason.NODES_UNABLE,
        failed(4),
        pool_of({"idle": 4}),
        Findings(tasks=WAITING),
        None,
    ),
    "the pool could not be counted": (StandstillReason.NODES_UNABLE, failed(4), None, STILL, None),
    "nodes come": (
        StandstillReason.NODES_UNABLE,
        NEVER,
        pool_of({"starting": 4}, none_able_for=minutes(30)),
        Findings(tasks=WAITING),
        None,
    ),
    "it is the same": (StandstillReason.NODES_UNABLE, NEVER, BROKEN, Findings(tasks=WAITING), None),
    "a version before kept no reason": (None, failed(4), pool_of({"idle": 4}), STILL, None),
}


@pytest.mark.parametrize(("told", "preparations", "pool", "findings", "reason"), CHANGES.values(), ids=CHANGES)
def test_a_standstill_goes_on_for_another_reason(
    told: StandstillReason | None,
    preparations: Preparations,
    pool: PoolMemory | None,
    findings: Findings,
    reason: str | None,
) -> None:
    """What two looks agree on takes the place of what was told; that nobody knows better changes nothing."""
    before: Standstill | None = replace(CONFIRMED, reason=told)
    suspected = suspect(is_active=True, preparations=preparations, pool=pool, now=NOW)
    changes = []
    for _ in range(3):
        decided = decide_standstill(
            before, suspected, findings, over=None, preparations=preparations, pool=pool, now=NOW
        )
        before = decided.standstill
        changes.append(decided.change)

    assert before is not None
    assert (before.since, before.confirmed) == (CONFIRMED.since, True)
    assert before.reason == (reason or told)
    assert changes == [None, StandstillChange.GOES_ON if reason else None, None]


def test_a_reason_that_is_found_once_changes_nothing() -> None:
    """Only one look after the other makes another reason certain."""
    before: Standstill | None = CONFIRMED
    for pool in (BROKEN, pool_of({"idle": 4}), BROKEN, pool_of({"idle": 4})):
        preparations = failed(4)
        suspected = suspect(is_active=True, preparations=preparations, pool=pool, now=NOW)
        findings = Findings(tasks=WAITING) if pool is BROKEN else STILL
        decided = decide_standstill(
            before, suspected, findings, over=None, preparations=preparations, pool=pool, now=NOW
        )
        before = decided.standstill
        assert decided.change is None


@pytest.mark.parametrize("field", ["looked_at", "still_since", "free_since"])
def test_an_answer_at_a_time_to_come_is_none(field: str) -> None:
    """A clock that has jumped back since noted it, and nothing waits for that moment; earlier answers stay."""
    for noted, believed in ((NOW + minutes(180), None), (NOW - minutes(1), NOW - minutes(1)), (None, None)):
        assert getattr(believable_standstill(replace(CONFIRMED, **{field: noted}), NOW), field) == believed


def test_a_suspicion_from_a_time_to_come_begins_now() -> None:
    """Nobody was told of it; what was told keeps its beginning, which names its event."""
    late = replace(CONFIRMED, since=NOW + minutes(180), confirmed_at=NOW + minutes(180))
    assert believable_standstill(replace(late, confirmed=False, confirmed_at=None), NOW).since == NOW
    told = believable_standstill(late, NOW)
    assert (told.since, told.confirmed_at) == (late.since, NOW)
