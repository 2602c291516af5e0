"""What lies in the table about pools in trouble and about who was told of them, and how it is read.

Owns the row of what a chat or pager webhook was told of a pool, which whoever holds the webhook's digest lease writes.
Does not own what is news (`digests.pools.rules`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace

from shared.batch.outcomes import is_active
from shared.digests.pools.rules import PoolState, has_changed
from shared.errors import UnreadableRowError
from shared.journal import write_line
from shared.ledger.pool_records import read_records
from shared.ports import Delete, Put, Rows
from shared.state.accounts import Cycle
from shared.state.pools import PoolMemory, PoolRecord, StandstillReason
from shared.state.rows import (
    CYCLE,
    from_row,
    pool_digest_key,
    pool_digests_of,
    range_of,
    read_head,
    to_columns,
)
from shared.state.telling import PoolTold

_BY_NODES = frozenset({StandstillReason.START_TASK_FAILED, StandstillReason.NODES_UNABLE})
Pools = Mapping[str, PoolState | None]
"""Pools by lower-case id; None is one of which nobody can tell how it is."""


def read_pools(table: Rows, account: str) -> Pools:
    """The pools of an account with nodes that can't work, or could not lately, without the jobs that use them.

    Raises:
        StoreUnavailableError: The table gave no answer.
        UnreadableRowError: Nobody can tell how many nodes the pools have.
    """
    records = read_records(table, account)
    row = table.get(account, CYCLE) if records else None
    cycle = from_row(row, Cycle) if row is not None else None
    return {key: _state(one.record, key, cycle) if one.record else None for key, one in records.items()}


def _state(record: PoolRecord, key: str, cycle: Cycle | None) -> PoolState | None:
    memory = cycle.pools.get(key) if cycle is not None else None
    if memory is None:
        # Batch did not say how many nodes it has, or refused to: of how many some are broken is not known.
        if record.unwatched_since is None or (cycle is not None and cycle.pools_error is not None):
            return None
        memory = PoolMemory(pool_id=record.pool_id)
    return PoolState(
        pool_id=record.pool_id, record=record, by_state=memory.by_state, none_able_since=memory.none_able_since
    )


def read_told_pools(table: Rows, account: str, webhook: str) -> tuple[dict[str, PoolTold], Pools]:
    """What a webhook was told of pools and is owed the end of, by lower-case id, and those of which nobody can tell.

    Raises:
        StoreUnavailableError: The table gave no answer.
    """
    told: dict[str, PoolTold] = {}
    unknown: dict[str, None] = {}
    for row in table.query(account, *pool_digests_of(webhook)):
        try:
            one = from_row(row, PoolTold)
        except UnreadableRowError as error:
            write_line("digest-unreadable", account=account, error=str(error))
            unknown[row.key.rpartition("|")[2]] = None
            continue
        told[one.pool_id.lower()] = one
    return told, unknown


def with_jobs(table: Rows, account: str, pools: Pools, told: Mapping[str, PoolTold], now: datetime) -> list[PoolState]:
    """Those pools of which somebody who was told so much may have to be told, with the jobs that use them.

    Raises:
        StoreUnavailableError: The table gave no answer.
    """
    every = {**{key: PoolState(pool_id=one.pool_id, record=None) for key, one in told.items()}, **pools}
    changed = {
        key: pool
        for key, pool in every.items()
        if pool is not None and has_changed(pool, told.get(key), now) is not None
    }
    return _with_users(table, account, changed, now)


def told_pools_with_jobs(
    table: Rows, account: str, pools: Pools, told: Mapping[str, PoolTold], since: datetime, now: datetime
) -> list[PoolState]:
    """Those pools of which somebody was last told before `since`, with the jobs that use them.

    Raises:
        StoreUnavailableError: The table gave no answer.
    """
    keys = [key for key, one in told.items() if one.at is not None and one.at < since]
    return _with_users(table, account, {key: pool for key in keys if (pool := pools.get(key)) is not None}, now)


def _with_users(table: Rows, account: str, pools: Mapping[str, PoolState], now: datetime) -> list[PoolState]:
    if not pools:
        return []
    jobs, standing, held_up = (defaultdict[str, set[str]](set) for _ in range(3))
    for row in table.query(account, *range_of("job")):
        head = read_head(row, now)
        if is_active(head.state) and head.pool_id is not None:
            jobs[head.pool_key].add(head.job_id)
            if head.stuck_since is not None:
                standing[head.pool_key].add(head.job_id)
        if (still := head.standstill) is not None and still.reason in _BY_NODES:
            held_up[still.pool_id.lower()].add(head.job_id)
    return [
        replace(pool, jobs=frozenset(jobs[key]), standing=frozenset(standing[key]), held_up=frozenset(held_up[key]))
        for key, pool in pools.items()
    ]


def told_of_pool(webhook: str, told: PoolTold) -> Put:
    """The operation that records what a webhook was told of a pool."""
    return Put(key=pool_digest_key(webhook, told.pool_id), columns=to_columns(told))


def forget_pools(webhook: str, told: Iterable[PoolTold]) -> list[Delete]:
    """The operations that record that a webhook knows that these are over."""
    return [Delete(key=pool_digest_key(webhook, one.pool_id)) for one in told]
