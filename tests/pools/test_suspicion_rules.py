"""What makes it worth asking whether a job can move, and since when it may not: case by case."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.pools.preparations import Preparations, preparations_of
from shared.pools.standstill_rules import decide_standstill
from shared.pools.suspicion_rules import Suspected, Suspicion, earliest_beginning, suspect
from shared.state.pools import EndedStandstill, PoolMemory
from tests.pools.test_standstill_rules import NEVER, NOW, REASONS, failed, minutes, pool_of
from tests.support.builders import head

LONG_AGO = NOW - timedelta(days=1)
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


BEGINNINGS: dict[str, tuple[Suspicion, dict[str, Any], datetime | None, datetime]] = {
    "nothing else is known": (Suspicion.PREPARATION, {}, None, LONG_AGO),
    "the cycle before saw nothing": (Suspicion.PREPARATION, {}, NOW - minutes(1), NOW - minutes(1)),
    "no cycle has seen the job": (Suspicion.PREPARATION, {"first_seen_at": NOW}, NOW - minutes(1), LONG_AGO),
    "a pool is counted by itself": (Suspicion.NONE_ABLE, {}, NOW - minutes(1), LONG_AGO),
    "a row of failures is counted by itself": (Suspicion.REPEATED, {}, NOW - minutes(1), LONG_AGO),
    "the job was enabled": (
        Suspicion.NONE_ABLE,
        {"state_transition_time": NOW - minutes(4)},
        NOW - minutes(1),
        NOW - minutes(4),
    ),
    "the last standstill has ended": (
        Suspicion.POOL_GONE,
        {"stuck_ended": EndedStandstill(at=NOW - minutes(5))},
        NOW - minutes(1),
        NOW - minutes(5),
    ),
    "Batch's clock is ahead": (Suspicion.NONE_ABLE, {"state_transition_time": NOW + minutes(4)}, None, NOW),
}


@pytest.mark.parametrize(("why", "fields", "read_up_to", "since"), BEGINNINGS.values(), ids=BEGINNINGS)
def test_a_standstill_is_never_older_than_what_is_known_of_the_job(
    why: Suspicion, fields: dict[str, Any], read_up_to: datetime | None, since: datetime
) -> None:
    """What makes a job suspect may be older than the job, its last standstill, or the last look at it."""
    suspected = Suspected(why=why, since=LONG_AGO)
    earliest = earliest_beginning(head(**{"first_seen_at": LONG_AGO, **fields}), suspected, read_up_to)
    preparations, pool, findings, _ = REASONS["preparation failed on all"]
    decided = decide_standstill(
        None, suspected, findings, over=None, preparations=preparations, pool=pool, now=NOW, earliest=earliest
    )

    assert decided.standstill is not None
    assert decided.standstill.since == since


@pytest.mark.parametrize("known", [True, False])
def test_a_job_manager_is_reckoned_with_until_it_is_known_that_there_is_none(*, known: bool) -> None:
    """Before anybody has asked, one node more may be held by it."""
    job = head(wait_for_success=True if known else None)

    assert preparations_of(job, NOW).has_manager is not known
    assert preparations_of(replace(job, wait_for_success=True, manager="m"), NOW).has_manager
