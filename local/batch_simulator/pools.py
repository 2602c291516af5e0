"""What the simulated account holds beside jobs: pools, and the nodes in them with their states.

Owns pools and nodes and the times of their changes. Does not decide what happens to them (that is `life`, or a test),
nor how they are shown. Time is passed in; whoever holds the world's lock may call.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node: `errors` and `start_task_info` as the wire has them; `since` is when it took its present state."""

    node_id: str
    state: str = "idle"
    since: datetime
    allocated: datetime
    booted: datetime | None = None
    dedicated: bool = True
    scheduling: str = "enabled"
    vm_size: str = "standard_d4s_v5"
    errors: tuple[Mapping[str, Any], ...] = ()
    start_task_info: Mapping[str, Any] | None = None
    running_tasks: int = 0


@dataclass(slots=True, kw_only=True)
class Pool:
    """One pool; change it by `Pools`' methods only. A `target` of None asks for as many nodes as there are."""

    pool_id: str
    created: datetime
    state: str = "active"
    allocation_state: str = "steady"
    allocation_since: datetime
    target_dedicated: int | None = None
    target_low_priority: int | None = None
    vm_size: str = "standard_d4s_v5"
    formula: str | None = None
    autoscale_run: Mapping[str, Any] | None = None
    resize_errors: tuple[Mapping[str, Any], ...] = ()
    has_start_task: bool = False
    nodes: dict[str, Node] = field(default_factory=dict)

    def count(self, *, dedicated: bool) -> int:
        """How many nodes of one kind the pool has, whatever their state; preempted ones count."""
        return sum(node.dedicated is dedicated for node in self.nodes.values())

    def by_state(self, *, dedicated: bool) -> Counter[str]:
        """The nodes of one kind by state."""
        return Counter(node.state for node in self.nodes.values() if node.dedicated is dedicated)


class Pools:
    """The account's pools, looked up without regard to the case of their ids."""

    def __init__(self) -> None:
        self._pools: dict[str, Pool] = {}
        self._deleted: set[str] = set()

    def find(self, pool_id: str) -> Pool | None:
        """The pool; None when there is none."""
        return self._pools.get(pool_id.lower())

    def all(self) -> list[Pool]:
        """All pools by id, without regard to case."""
        return [self._pools[key] for key in sorted(self._pools)]

    def mention(self, pool_id: str, at: datetime) -> None:
        """Make the pool that a job names, unless it is there or was deleted: a job may name a pool that is gone."""
        if pool_id.lower() not in self._deleted:
            self.put(pool_id, at=at)

    def put(self, pool_id: str, *, at: datetime) -> Pool:
        """The pool of this id, made when it is missing."""
        self._deleted.discard(pool_id.lower())
        return self._pools.setdefault(pool_id.lower(), Pool(pool_id=pool_id, created=at, allocation_since=at))

    def delete(self, pool_id: str) -> None:
        """Let a pool vanish with its nodes; one that is not there is remembered as gone."""
        self._pools.pop(pool_id.lower(), None)
        self._deleted.add(pool_id.lower())

    def resize(
        self,
        pool_id: str,
        *,
        at: datetime,
        dedicated: int | None = None,
        low_priority: int | None = None,
        allocation_state: str = "steady",
        errors: tuple[Mapping[str, Any], ...] = (),
    ) -> None:
        """Set what a pool is asked for, and how far its resize is; what errors the last one had, these replace."""
        pool = self.put(pool_id, at=at)
        pool.target_dedicated, pool.target_low_priority = dedicated, low_priority
        pool.allocation_state, pool.allocation_since = allocation_state, at
        pool.resize_errors = errors

    def set_node(self, pool_id: str, node_id: str, *, at: datetime, state: str = "idle", **fields: Any) -> None:
        """Put a node into a pool, or change one: a new state begins at `at`, `fields` are those of `Node`."""
        nodes = self.put(pool_id, at=at).nodes
        known = nodes.get(node_id)
        if known is None:
            nodes[node_id] = Node(node_id=node_id, state=state, since=at, allocated=at, **fields)
        else:
            since = known.since if known.state == state else at
            nodes[node_id] = replace(known, state=state, since=since, **fields)

    def show_node(self, pool_id: str, node_id: str, at: datetime) -> None:
        """Let a pool have a node that a listing names, idle unless more is known of it."""
        pool = self.find(pool_id)
        if pool is not None and node_id not in pool.nodes:
            self.set_node(pool_id, node_id, at=at, booted=at)

    def drop_node(self, pool_id: str, node_id: str, *, at: datetime) -> None:  # noqa: ARG002 - for who remembers it
        """Take a node out of its pool."""
        pool = self.find(pool_id)
        if pool is not None:
            pool.nodes.pop(node_id, None)
