"""What people are told in chat and by pager of pools whose nodes can't work.

Owns these words. Does not own what is news (`digests.pools.rules`), what to do (`digests.pools.remedies`) or what a
message is made of (`messages.notices`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from shared.digests.chat_rules import SHOWN_CAUSES
from shared.digests.incidents.notices import SHOWN_JOBS
from shared.digests.named_nodes import PAGED_NODES
from shared.digests.pools.remedies import commands, open_nodes, remedies
from shared.digests.pools.rules import PoolNews, PoolNewsKind, PoolState, ended_since
from shared.digests.short_names import pool_in_heading, short_id
from shared.messages.events import Origin, links_of
from shared.messages.notices import (
    TITLE_BYTES,
    VALUE_BYTES,
    ListEntry,
    Notice,
    PageDetails,
    Section,
    Severity,
    fact,
    join_notices,
    worst_of,
)
from shared.messages.sentences import account_name, clock_time, counted, lasted, lasted_from, since_when
from shared.moments import time_text
from shared.pools.trouble import why_unable
from shared.pools.unable import UnableReason
from shared.redaction import one_line

_SHOWN_SECTIONS = 20
_SHOWN_REMEDIES = 2
_WORDS: Mapping[str, str] = {
    UnableReason.START_TASK_FAILED: "The start task failed on {nodes}",
    UnableReason.START_TASK_SLOW: "The start task does not end on {nodes}",
    UnableReason.NODE_ERROR: "Batch shows errors on {nodes}",
    UnableReason.UNUSABLE: "Batch can't use {nodes}",
    UnableReason.UNKNOWN: "Batch has lost contact with {nodes}",
    UnableReason.NOT_READY: "The start of {nodes} does not end",
}
_MIXED = "{nodes} can't work"


def with_pools(notice: Notice | None, origin: Origin, news: Sequence[PoolNews], now: datetime) -> Notice:
    """The notice about jobs (None: nothing is) with what there is to tell of pools behind its first part."""
    shown = news[: _SHOWN_SECTIONS - len(notice.sections) if notice is not None else _SHOWN_SECTIONS]
    account = origin.partition
    heading = _heading(account, news, now)
    about_pools = Notice(
        heading=one_line(heading, limit=TITLE_BYTES),
        severity=worst_of(item.severity for item in news),
        sections=tuple(_section(account, item, now, whole=len(news) == 1) for item in shown),
        left_out=len(news) - len(shown),
        dashboard=links_of(origin, None).get("dashboard"),
    )
    if notice is None:
        return about_pools
    # What is worse is what the message is about.
    if worst_of((notice.severity, about_pools.severity)) is not notice.severity:
        return join_notices(notice, about_pools, notice)
    # Batch is a name.
    goes_on = heading if heading.startswith("Batch ") else f"{heading[:1].lower()}{heading[1:]}"
    joined = join_notices(notice, notice, replace(about_pools, heading=goes_on))
    # A pool in trouble is behind many a job, and must not be the first that there is no room for.
    return replace(joined, sections=(*notice.sections[:1], *about_pools.sections, *notice.sections[1:]))


def pool_page(origin: Origin, key: str, severity: Severity, news: Sequence[PoolNews], now: datetime) -> Notice:
    """The notice that opens the incident of this key or brings it up to date, or that ends it."""
    account, since = origin.partition, min(item.since for item in news)
    pools = [item.pool.pool_id for item in news]
    ends = all(item.ends for item in news)
    heading = f"{_heading(account, news, now)}, since {clock_time(since, now)}"
    return Notice(
        heading="Over" if ends else one_line(heading, limit=TITLE_BYTES),
        severity=severity,
        dashboard=links_of(origin, None).get("dashboard"),
        page=PageDetails(
            key=key,
            over=ends,
            account=account,
            about=pools[0] if len(pools) == 1 else account,
            since=since,
            kind="over" if ends else "node.failed",
            details={} if ends else _details(account, news),
        ),
    )


def _details(account: str, news: Sequence[PoolNews]) -> dict[str, object]:
    """What a pager's rules and people can read, under the keys that every incident has."""
    causes: Counter[tuple[str, str]] = Counter()
    for item in news:
        # The heading over several pools says nothing of why.
        of_pool = _causes(item.pool) if len(news) == 1 else why_unable(item.pool.record)
        causes.update({(code, message): number for code, message, number in of_pool})
    nodes = [node for item in news for node in open_nodes(item.pool)]
    jobs = sorted({job for item in news for job in item.pool.jobs}, key=str.lower)
    details = {
        "why": [_cause_words(*cause, number) for cause, number in causes.most_common(SHOWN_CAUSES)],
        "since": time_text(min(item.since for item in news)),
        "do": [*dict.fromkeys(what for item in news for what in remedies(item.pool))][:SHOWN_CAUSES],
        "command": list(commands(account, news[0].pool)),
        "account": account,
        "pool": [item.pool.pool_id for item in news],
        "code": [*dict.fromkeys(code for (code, _), _ in causes.most_common())][:SHOWN_CAUSES],
        "jobs": jobs[:SHOWN_JOBS],
        "moreJobs": max(0, len(jobs) - SHOWN_JOBS) or None,
        "nodes": len(nodes),
        "nodeIds": [node.node_id for node in nodes][:PAGED_NODES],
    }
    return {name: value for name, value in details.items() if value is not None and (value != [] or name == "jobs")}


def _heading(account: str, news: Sequence[PoolNews], now: datetime) -> str:
    if len(news) == 1:
        return _title(account, news[0], now)
    words = {
        "{pools} with nodes that can't work": sum(not item.ends for item in news),
        "{pools} whose nodes work again": sum(item.kind is PoolNewsKind.MENDED for item in news),
        "{pools} whose broken nodes work again or have left": sum(item.kind is PoolNewsKind.PARTLY for item in news),
        "{pools} whose broken nodes have left": sum(item.kind is PoolNewsKind.LEFT for item in news),
    }
    said = ", ".join(text.format(pools=counted(number, "pool")) for text, number in words.items() if number)
    return f"{said}: {short_id(account_name(account))}"


def _title(account: str, item: PoolNews, now: datetime) -> str:
    where = pool_in_heading(account, item.pool.pool_id)
    if item.kind is PoolNewsKind.MENDED:
        return f"Nodes of {where} work again after {lasted((item.until or now) - item.since)}"
    if item.kind is PoolNewsKind.PARTLY:
        mended, left = _ended(item)
        again, gone = "works" if mended == 1 else "work", "has" if left == 1 else "have"
        return f"{mended} of {counted(mended + left, 'node')} of {where} {again} again, {left} {gone} left"
    if item.kind is PoolNewsKind.LEFT:
        if item.pool.record is None or not item.pool.record.open:
            return f"The nodes that could not work have left {where}"
        # A job that is disabled may be watched still; of one that is active the settings have let the pool go.
        return f"Pool {where} is not watched any more" if item.pool.jobs else f"No active job uses {where} any more"
    words = _WORDS.get(_reason(item.pool), _MIXED)
    return words.format(nodes=f"{_of_size(item.pool)} of {where}")


def _of_size(pool: PoolState) -> str:
    """How many nodes of how many: `12 of 40 nodes`, `all 12 nodes`, `the only node`."""
    if pool.broken < pool.size:
        return f"{pool.broken} of {counted(pool.size, 'node')}"
    return "the only node" if pool.size == 1 else f"all {pool.size} nodes"


def _section(account: str, item: PoolNews, now: datetime, *, whole: bool) -> Section:
    pool = item.pool
    title = one_line(_title(account, item, now), limit=TITLE_BYTES)
    line = ListEntry(names=("Pool",), text=title)
    if item.ends:
        return Section(title=title, facts=(_when_it_was(item, now), *_left_facts(item)), line=line)
    facts = [fact("Cause", _cause_words(*cause)) for cause in _causes(pool)]
    facts.append(("Since", since_when(item.since, now)))
    facts.append(("Pool", _rest(pool)))
    facts += [("What to do", what) for what in remedies(pool)[:_SHOWN_REMEDIES]]
    return Section(title=title, facts=tuple(facts), commands=commands(account, pool)[:1] if whole else (), line=line)


def _when_it_was(item: PoolNews, now: datetime) -> tuple[str, str]:
    if item.until is None:
        return "Began", clock_time(item.since, now)
    return "Lasted", lasted_from(item.since, item.until, now)


def _left_facts(item: PoolNews) -> list[tuple[str, str]]:
    if item.kind is PoolNewsKind.LEFT:
        return [("Mended", "nothing; the next nodes will show")]
    return [("Left", f"{counted(item.pool.broken, 'node')} can't work still")] if item.pool.broken else []


def _ended(item: PoolNews) -> tuple[int, int]:
    return (0, 0) if item.pool.record is None or item.told is None else ended_since(item.pool.record, item.told)


def _causes(pool: PoolState) -> list[tuple[str, str, int]]:
    """What Batch says is wrong: where it says nothing, the heading has it all."""
    found = [cause for cause in why_unable(pool.record) if cause[0] not in _WORDS or not _reason(pool)]
    return found[:SHOWN_CAUSES]


def _rest(pool: PoolState) -> str:
    """What of the pool works, who uses it, and whether it does."""
    works, jobs, still = pool.size - pool.broken, len(pool.jobs), len(pool.standing)
    nodes = f"{counted(works, 'node')} {'works' if works == 1 else 'work'}" if works else "no node works"
    if not jobs:
        return f"{nodes}; no active job uses the pool"
    uses = f"{counted(jobs, 'job')} {'uses' if jobs == 1 else 'use'} the pool"
    return f"{nodes}; {uses}, {still or 'none'} {'stand' if still > 1 else 'stands'} still"


def _reason(pool: PoolState) -> str:
    """Why the nodes can't work, empty when not all of them have the same reason."""
    reasons = {node.reason for node in open_nodes(pool)}
    return reasons.pop() if len(reasons) == 1 else ""


def _cause_words(code: str, message: str, nodes: int) -> str:
    if code in _WORDS:
        return _WORDS[code].format(nodes=counted(nodes, "node"))
    where = f"{code} on {counted(nodes, 'node')}"
    return one_line(f"{where}: {message}" if message else where, limit=VALUE_BYTES)
