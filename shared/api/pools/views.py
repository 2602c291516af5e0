"""What the HTTP functions answer about pools: the bodies, field by field, and how what is remembered fills them.

Owns the shapes that callers rely on and their order. Does not own reading (`api.pools.listing`). Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from shared.batch.outcomes import is_active
from shared.batch.pool_model import ComputeNode
from shared.ledger.pool_records import StoredPool
from shared.messages.sentences import counted
from shared.moments import as_utc
from shared.patterns import IdPatterns
from shared.pools.states import classes_of
from shared.pools.trouble import in_trouble_since, why_unable
from shared.pools.unable import UnableReason, unable_of
from shared.state.accounts import Cycle
from shared.state.jobs import JobHead
from shared.state.pools import PoolMemory, PoolRecord

_MOST_CAUSES = 3
MOST_JOBS = 100
"""Jobs of a pool that are named: a pool may have thousands."""


class PoolCauseView(Struct, frozen=True, kw_only=True, rename="camel"):
    """Why nodes of a pool can't work, and how many have that cause now."""

    code: str
    message: str
    nodes: int


class PoolView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A watched pool as its nodes were last counted: `nodes` by state, in lower case.

    `able` nodes can take tasks, `unable` ones are unusable, unknown, or have a failed start task. `in_trouble` says
    that so many are a fault that people are to know, and `causes` why they are. `gone` says that Batch has no such
    pool. `since` is when the worst of this began: gone, in trouble, no able node, the first fault; null when nothing is
    wrong. `jobs` are the active jobs that use it, of very many the first hundred; `job_count` counts them all.
    """

    account: str
    pool_id: str
    nodes: Mapping[str, int]
    able: int
    unable: int
    in_trouble: bool
    causes: tuple[PoolCauseView, ...]
    gone: bool
    since: datetime | None
    jobs: tuple[str, ...]
    job_count: int


class PoolsView(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of GET /api/pools."""

    value: tuple[PoolView, ...]
    next_link: str | None = None


class PoolNodeView(ComputeNode, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A node that can't work: every field that Batch gives but its start task, and why.

    `unable_reason` says why it takes no tasks, and `counts_from` from when on that is taken for a fault: what Batch
    mends by itself, or is on its way, is given some time.
    """

    unable_reason: UnableReason
    counts_from: datetime


class PoolNodesView(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of GET /api/pools/{poolId}/nodes."""

    account: str
    pool_id: str
    value: tuple[PoolNodeView, ...]
    next_link: str | None = None


def views_of(
    account: str,
    cycle: Cycle | None,
    heads: Iterable[JobHead],
    records: Mapping[str, StoredPool],
    *,
    tracked: IdPatterns | None,
    now: datetime,
) -> list[PoolView]:
    """The watched pools of an account, worst first; `tracked` None for those that active jobs use.

    `records` are what is known of their nodes that can't work, by lower-case id.
    """
    users: dict[str, list[str]] = defaultdict(list)
    for head in heads:
        if head.pool_id is not None and is_active(head.state):
            users[head.pool_id.lower()].append(head.job_id)
    views = [
        _view(account, memory, users[key], known.record if (known := records.get(key)) else None, now)
        for key, memory in (cycle.pools if cycle is not None else {}).items()
        if tracked is None or tracked.matches(memory.pool_id)
    ]
    return sorted(views, key=worst_pool_first)


def worst_pool_first(view: PoolView) -> tuple[object, ...]:
    """The order of pools: gone, in trouble, without an able node, then by how many can't work."""
    has_able = view.able > 0 or view.since is None
    return not view.gone, not view.in_trouble, has_able, -view.unable, view.account, view.pool_id.lower()


def trouble_words(view: PoolView) -> str:
    """What is wrong with a pool in trouble, in a sentence."""
    broken = sum(cause.nodes for cause in view.causes)
    causes = ", ".join(f"{cause.code} on {cause.nodes}" for cause in view.causes[:_MOST_CAUSES])
    more = "" if len(view.causes) <= _MOST_CAUSES else " and others"
    return f"{counted(broken, 'node')} of pool {view.pool_id} can't work: {causes}{more}"


def node_views(nodes: Sequence[ComputeNode], now: datetime) -> list[PoolNodeView]:
    """Those nodes that can't work: first what is taken for a fault, then what may still end by itself, oldest first."""
    views = [
        PoolNodeView(
            **{name: getattr(node, name) for name in ComputeNode.__struct_fields__},
            unable_reason=unable.reason,
            counts_from=unable.counts_from,
        )
        for node in nodes
        if (unable := unable_of(node, now)) is not None
    ]
    return sorted(views, key=lambda view: (view.counts_from > now, as_utc(view.state_transition_time), view.id.lower()))


def _view(account: str, memory: PoolMemory, jobs: Sequence[str], record: PoolRecord | None, now: datetime) -> PoolView:
    classes = classes_of(memory.by_state)
    trouble = in_trouble_since(record, memory.by_state, now)
    first = min((as_utc(node.counts_from) for node in (record.open if record is not None else ())), default=None)
    return PoolView(
        account=account,
        pool_id=memory.pool_id,
        nodes=dict(sorted(memory.by_state.items())),
        able=classes.able,
        unable=classes.unable,
        gone=memory.gone_since is not None,
        in_trouble=trouble is not None,
        causes=tuple(
            PoolCauseView(code=code, message=message, nodes=nodes) for code, message, nodes in why_unable(record)
        ),
        since=memory.gone_since or trouble or memory.none_able_since or first,
        jobs=tuple(sorted(jobs)[:MOST_JOBS]),
        job_count=len(jobs),
    )
