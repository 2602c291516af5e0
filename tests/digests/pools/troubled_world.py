"""Pools whose nodes can't work, as the table of a told world has them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from shared.pools.unable import UnableReason
from shared.state.accounts import Cycle
from shared.state.pools import PoolMemory, PoolRecord, UnableNode
from shared.state.rows import CYCLE, from_row, pack_record, pool_key, to_columns
from tests.digests.told_world import World
from tests.support.told_jobs import ACCOUNT

MINUTE = timedelta(minutes=1)


def unable(name: str, at: datetime, reason: str = UnableReason.START_TASK_FAILED.value) -> UnableNode:
    """A node that counts as broken from then on."""
    code = "FailureExitCode" if reason == UnableReason.START_TASK_FAILED.value else reason
    return UnableNode(
        node_id=name, reason=reason, since=at, counts_from=at, code=code, message="", occurrence_id=f"occ-{name}-{at}"
    )


def count_pools(world: World, pools: Mapping[str, PoolMemory] | None) -> None:
    """These pools are counted, None for the right to do so is missing."""
    row = world.table.get(ACCOUNT, CYCLE)
    cycle = from_row(row, Cycle) if row is not None else Cycle(started_at=world.now, finished_at=world.now)
    error = "AuthorizationFailure" if pools is None else None
    counted = {**cycle.pools, **pools} if pools is not None else {}
    world.rewrite(CYCLE, to_columns(replace(cycle, pools=counted, pools_error=error)))


def set_pool(
    world: World, nodes: Sequence[UnableNode], *, size: int = 40, pool: str = "pool", unwatched: bool = False
) -> None:
    """A pool of so many nodes is remembered with these, those that are over among them."""
    record = PoolRecord(
        pool_id=pool,
        announce_from=world.now - timedelta(days=30),
        nodes={node.node_id: node for node in nodes},
        unwatched_since=world.now if unwatched else None,
    )
    world.rewrite(pool_key(pool), pack_record(record))
    broken = len(record.open)
    memory = PoolMemory(
        pool_id=pool,
        by_state={"starttaskfailed": broken, "idle": size - broken},
        none_able_since=world.now if broken == size else None,
    )
    count_pools(world, {pool: memory})


def breaks(world: World, number: int, *, size: int = 40, pool: str = "pool") -> list[UnableNode]:
    """The start task has failed on so many nodes of a pool, all now."""
    nodes = [unable(f"n{index:03d}", world.now) for index in range(number)]
    set_pool(world, nodes, size=size, pool=pool)
    return nodes


def over(world: World, nodes: Sequence[UnableNode], *, left: bool = False) -> list[UnableNode]:
    """These nodes as they are once they work again, or have left."""
    return [replace(node, ended_at=world.now, left=left) for node in nodes]


def said(world: World, name: str) -> list[str]:
    """The headings of what a chat has received, and the summaries of what a pager has."""
    texts = []
    for sent in world.told(name):
        if name == "slack":
            texts.append(str(sent.body["text"]))
        elif sent.body["event_action"] == "resolve":
            texts.append("over")
        else:
            payload = sent.body["payload"]
            assert isinstance(payload, dict)
            texts.append(f"{payload['severity']}: {payload['summary']}")
    return texts


def job(world: World, *, name: str = "nightly", pool: str = "pool") -> None:
    """An active job uses a pool, and nothing of it failed."""
    world.change(name, pool_id=pool, state="active")
