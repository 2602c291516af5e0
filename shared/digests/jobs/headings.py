"""The heading over a message about jobs: what has happened, where and why, in one line.

Owns what several jobs have in common, and how they are counted where they have nothing. Does not own what has happened
to one of them (`digests.jobs.titles`).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from shared.batch.model import Phase
from shared.digests.chat_rules import News, NewsKind
from shared.digests.job_troubles import is_of_one_node
from shared.digests.jobs.titles import (
    OF_FAILURES,
    has_succeeded_since,
    severity_of,
    time_it_took,
    unmended_end,
    what_happened,
    why_stuck,
)
from shared.digests.short_names import pool_in_heading, short_id, why_in_heading
from shared.messages.notices import Severity
from shared.messages.sentences import CANT_BE_READ, STANDS_STILL, account_name, counted, lasted, of_jobs, waiting
from shared.state.jobs import JobEnd, JobHead
from shared.state.standstill_words import why_in_words

_COUNTED: Mapping[NewsKind, tuple[str, str]] = {
    NewsKind.STUCK: STANDS_STILL,
    NewsKind.STANDING: ("{jobs} still fails", "{jobs} still fail"),
    NewsKind.SLOW: ("{jobs} prepares too slowly", "{jobs} prepare too slowly"),
    NewsKind.GONE: ("{jobs} vanished", "{jobs} vanished"),
    NewsKind.UNREACHABLE: CANT_BE_READ,
    NewsKind.RESUMED: ("{jobs} moves again", "{jobs} move again"),
    NewsKind.IN_TIME: ("{jobs} prepares in time again", "{jobs} prepare in time again"),
    NewsKind.REACHABLE: ("{jobs} can be read again", "{jobs} can be read again"),
}
_BOTH_FAILED = ("preparation and release failed in {jobs}",) * 2
_FAILED = {phase: (f"{phase.value} failed in {{jobs}}",) * 2 for phase in Phase}
_ENDED_BADLY = ("{jobs} ended with failures", "{jobs} ended with failures")
_LEFT = ("the failed nodes of {jobs} have left", "the failed nodes of {jobs} have left")
_UNMENDED = (
    "{jobs} stands still no longer, and nothing was mended",
    "{jobs} stand still no longer, and nothing was mended",
)
_ANEW = ("{jobs} began anew", "{jobs} began anew")
_WORKS = ("{jobs} works again", "{jobs} work again")
_OVER = ("{jobs} has ended", "{jobs} have ended")
_ENDS = (_ENDED_BADLY, _LEFT, _UNMENDED, _WORKS, _ANEW, _OVER)
"""What nobody has mended before what somebody has."""
_FAILS: Mapping[tuple[NewsKind, ...], str] = {(NewsKind.FAILED,): "failed", (NewsKind.STANDING,): "still fails"}
_CLOSED = {
    JobEnd.ENDED: "have ended unmended",
    JobEnd.GONE: "are gone, unmended",
    JobEnd.REPLACED: "were replaced, unmended",
    JobEnd.UNTRACKED: "are not watched any more, unmended",
}
_SEVERAL = 2


def heading_of(account: str, news: Sequence[News]) -> str:
    """What has happened, before where: of several jobs what they have in common and why, else how many are how."""
    # Of one job there is room for the cause.
    if len(news) == 1:
        return _heading_of_one(account, news[0])
    # What is true of all of them says more than how many are how.
    if (common := _in_common(account, news)) is not None:
        return common
    numbers = Counter(map(_counted_as, news))
    order = dict.fromkeys((STANDS_STILL, _BOTH_FAILED, *_FAILED.values(), *_COUNTED.values(), *_ENDS))
    first, *others = [words for words in order if numbers[words]]
    parts = [of_jobs(words, numbers[words]) for words in others]
    # The worst comes first; if that is a single job, it is named.
    if numbers[first] == 1:
        lead = next(item for item in news if _counted_as(item) == first)
        return "; ".join([_heading_of_one(account, lead), ", ".join(parts)])
    parts.insert(0, of_jobs(first, numbers[first]))
    heads = [item.head for item in news if item.head is not None]
    where = _where(account, heads) if len(heads) == len(news) else short_id(account_name(account))
    said = ", ".join(parts)
    return f"{said[:1].upper()}{said[1:]}: {where}"


def _heading_of_one(account: str, news: News) -> str:
    job, head = short_id(news.job_id), news.head
    where = pool_in_heading(account, head.pool_id or "") if head is not None else short_id(account_name(account))
    if head is not None and news.kind in OF_FAILURES and head.standstill is not None:
        return f"{job} of {where} stands still: {why_stuck(head, head.standstill)}"
    what = what_happened(news, why=news.kind in OF_FAILURES)
    return f"{what[:1].upper()}{what[1:]}: {job}, {where}"


def _in_common(account: str, news: Sequence[News]) -> str | None:
    """What is so in all of them; None where something is true of some of them only."""
    heads = [item.head for item in news if item.head is not None]
    # Of a job that nothing is stored of any more nobody knows the pool.
    if len(heads) < len(news):
        return None
    jobs = f"{counted(len(news), 'job')} of {_where(account, heads)}"
    stills = [head.stuck for item, head in zip(news, heads, strict=True) if NewsKind.STUCK in item.kinds and head.stuck]
    reasons = {still.why for still in stills}
    # Where nothing runs, why it does not says more than what failed.
    if len(stills) == len(news) and len(reasons) == 1:
        number = sum(still.tasks for still in stills)
        tasks = f", {waiting(number, 'task')}" if number > 1 else ""
        return f"{jobs} stand still: {why_in_words(reasons.pop())}{tasks}"
    kinds = {item.kinds for item in news}
    # What has happened to them differs.
    if len(kinds) > 1:
        return None
    (kind, *others) = kinds.pop()
    # What is slow has not failed yet: it has no cause to name.
    if kind is NewsKind.SLOW and not others:
        return f"Preparation takes too long in {jobs}, {_on_up_to(heads, lambda head: head.preparation.slow)}"
    if kind is NewsKind.RESOLVED and not others:
        return _over(news, jobs)
    return _failures(account, news, heads, jobs)


def _where(account: str, heads: Sequence[JobHead]) -> str:
    pools = {head.pool_key: head.pool_id or "" for head in heads}
    if len(pools) == 1:
        return pool_in_heading(account, next(iter(pools.values())))
    return f"{len(pools)} pools of {short_id(account_name(account))}"


def _over(news: Sequence[News], jobs: str) -> str | None:
    counted_as = {_counted_as(item) for item in news}
    # Some are mended, others have merely ended.
    if len(counted_as) > 1 or counted_as == {_ENDED_BADLY}:
        return None
    if counted_as == {_OVER}:
        ends = {item.head.closed for item in news if item.head is not None and item.head.closed is not None}
        return f"{jobs} {_CLOSED[ends.pop()] if len(ends) == 1 else 'are over, unmended'}"
    if counted_as == {_UNMENDED}:
        return f"{jobs} stand still no longer, and nothing was mended"
    if counted_as == {_LEFT}:
        return f"The nodes that failed have left, nothing has succeeded since: {jobs}"
    if counted_as == {_ANEW}:
        return f"{jobs} began anew, and nothing fails in them"
    times = [took for item in news if (took := time_it_took(item)) is not None]
    after = f" after {'up to ' if len(set(map(lasted, times))) > 1 else ''}{lasted(max(times))}" if times else ""
    failed = all(item.before.preparation or (item.head and item.head.preparation_failed_ever) for item in news)
    return f"Preparation works again in {jobs}{after}" if failed else f"{jobs} move again{after}"


def _failures(account: str, news: Sequence[News], heads: Sequence[JobHead], jobs: str) -> str | None:
    """What failed in all of them, on how many nodes at most, and why."""
    fails, phases = _FAILS.get(news[0].kinds), {item.phase for item in news}
    both = any(item.release if item.phase is Phase.PREPARATION else item.preparation for item in news)
    # Of some of them the other phase failed, or all that failed is over.
    if fails is None or both or len(phases) > 1 or (phase := phases.pop()) is None:
        return None
    why = why_in_heading(cause for item in news for cause in item.causes)
    if (node := sick_node(news)) is not None:
        still = "still " if NewsKind.STANDING in news[0].kinds else ""
        who = counted(len(news), "job")
        return f"One node of {pool_in_heading(account, node[0])} {still}fails the preparation of {who}{why}"
    most = _on_up_to(heads, lambda head: head.preparation.open if phase is Phase.PREPARATION else head.release.failed)
    return f"{phase.value.capitalize()} {fails} in {jobs}, {most}{why}"


def sick_node(news: Sequence[News]) -> tuple[str, str] | None:
    """Pool and node id of the only node on which several jobs fail, each by what may well be the node's fault."""
    if len(news) < _SEVERAL or not all(
        item.head is not None and len(item.causes) == 1 and is_of_one_node(item.head, item.causes[0]) for item in news
    ):
        return None
    found = {item.causes[0].example for item in news}
    return found.pop() if len(found) == 1 else None


def _on_up_to(heads: Sequence[JobHead], number: Callable[[JobHead], int]) -> str:
    most = max(heads, key=number)
    return f"on up to {number(most)} of {counted(most.nodes, 'node')}"


def _what_failed(news: News) -> tuple[str, str]:
    if news.preparation and news.release:
        return _BOTH_FAILED
    return _FAILED[Phase.RELEASE if news.release else Phase.PREPARATION]


def _counted_as(news: News) -> tuple[str, str]:
    # Nothing is stored of it any more: nobody has seen it mended.
    if news.head is None:
        return _OVER
    # It failed, and is over before anybody was told.
    if news.kind is NewsKind.FAILED and news.head.ended_unmended:
        return _ENDED_BADLY
    # Who disabled it, or deleted its tasks, has not let it move.
    if news.kind is NewsKind.RESUMED and unmended_end(news, news.head) is not None:
        return _UNMENDED
    if news.kind is not NewsKind.RESOLVED:
        is_over = news.kind is NewsKind.REACHABLE and severity_of(news) is Severity.INFO
        return _OVER if is_over else _what_failed(news) if news.kind is NewsKind.FAILED else _COUNTED[news.kind]
    if severity_of(news) is Severity.WARNING:
        return _ENDED_BADLY if news.head.closed is not None else _what_failed(news)
    # What nobody has mended is not called so, though it is over.
    if news.head.ended_unmended:
        return _OVER
    if news.begins_anew:
        return _ANEW
    if unmended_end(news, news.head) is not None:
        return _UNMENDED
    return _LEFT if news.head.left and not has_succeeded_since(news.head) else _WORKS
