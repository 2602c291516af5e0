"""When a standstill is over, and how often it is looked into."""

import pytest
from msgspec.structs import replace

from shared.batch.model import TaskCounts
from shared.pools.preparations import Preparations
from shared.pools.standstill_rules import (
    Findings,
    StandstillChange,
    StandstillDecision,
    decide_standstill,
    must_look,
)
from shared.pools.suspicion_rules import Suspected, Suspicion
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
    suspected = Suspected(why=Suspicion.PREPARATION, since=before.since)
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
