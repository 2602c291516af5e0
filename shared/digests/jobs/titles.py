"""A job's state in a few words: the heading above the facts in a message, and how bad it is.

Owns titles, the heading over several jobs, and severities. Does not own the facts (`digests.jobs.notices`) or what is
news (`digests.chat_rules`). A number of nodes is one that the head holds: failures are runs, and one node may have had
several.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from shared.batch.model import UNREADABLE, Phase
from shared.digests.chat_rules import News, NewsKind
from shared.digests.short_names import cause_name, of_all, pool_in_heading, short_id
from shared.messages.notices import Severity
from shared.messages.sentences import CANT_BE_READ, STANDS_STILL, account_name, counted, lasted, of_jobs, waiting
from shared.redaction import one_line
from shared.state.jobs import JobEnd, JobHead, Tracking
from shared.state.pools import Standstill, StandstillReason
from shared.state.standstill_words import why_in_words

_OF_FAILURES = frozenset({NewsKind.STUCK, NewsKind.FAILED, NewsKind.STANDING})
_TAKE = {"are": ("take", "takes"), "are still": ("still take", "still takes"), "were": ("took", "took")}
_ENDED = {
    JobEnd.ENDED: "ended",
    JobEnd.GONE: "gone",
    JobEnd.REPLACED: "replaced",
    JobEnd.UNTRACKED: "not watched any more",
}
_COUNTED = {
    NewsKind.STUCK: STANDS_STILL,
    NewsKind.FAILED: ("{jobs} has failures", "{jobs} have failures"),
    NewsKind.STANDING: ("{jobs} still fails", "{jobs} still fail"),
    NewsKind.SLOW: ("{jobs} prepares too slowly", "{jobs} prepare too slowly"),
    NewsKind.GONE: ("{jobs} vanished", "{jobs} vanished"),
    NewsKind.UNREACHABLE: CANT_BE_READ,
    NewsKind.RESUMED: ("{jobs} moves again", "{jobs} move again"),
    NewsKind.IN_TIME: ("{jobs} prepares in time again", "{jobs} prepare in time again"),
    NewsKind.REACHABLE: ("{jobs} can be read again", "{jobs} can be read again"),
    NewsKind.RESOLVED: ("{jobs} works again", "{jobs} work again"),
}
_FAILS: Mapping[tuple[NewsKind, ...], str] = {(NewsKind.FAILED,): "failed", (NewsKind.STANDING,): "still fails"}
_LINE_BYTES = 120
_OVER = ("{jobs} has ended", "{jobs} have ended")


def title_of(news: News) -> str:
    """What has happened to a job, in one line that begins with its id."""
    return f"{news.job_id}: {_what_happened(news)}"


def line_of(news: News) -> tuple[str, str] | None:
    """A job, and what has happened to it in a few words; None where that is not all, or both phases failed."""
    what, new, head = _what_happened(news), news.preparation or news.release, news.head
    if news.kind not in _OF_FAILURES and not new:
        return news.job_id, one_line(what, limit=_LINE_BYTES)
    if news.kind not in _OF_FAILURES or (news.preparation and news.release):
        return None
    if head is not None and news.kind is NewsKind.FAILED and news.phase is Phase.PREPARATION:
        what = f"preparation failed on {head.preparation.open} of {head.nodes}"
    said = [what, f"{new} newly failed" if new else "", ", ".join(map(cause_name, news.causes[:1]))]
    return news.job_id, one_line(", ".join(filter(None, said)), limit=_LINE_BYTES)


def heading_of(account: str, news: Sequence[News]) -> str:
    """What has happened, before where: of several jobs what they have in common and why, else how many are how."""
    # Of one job there is room for the cause.
    if len(news) == 1:
        return _heading_of_one(account, news[0])
    # What is true of all of them says more than how many are how.
    if (common := _in_common(account, news)) is not None:
        return common
    numbers = Counter(map(_counted_as, news))
    first, *others = [words for words in dict.fromkeys((*_COUNTED.values(), _OVER)) if numbers[words]]
    parts = [of_jobs(words, numbers[words]) for words in others]
    # The worst comes first; if that is a single job, it is named.
    if numbers[first] == 1:
        lead = next(item for item in news if _counted_as(item) == first)
        return "; ".join([_heading_of_one(account, lead), ", ".join(parts)])
    parts.insert(0, of_jobs(first, numbers[first]))
    return f"{', '.join(parts)}: {short_id(account_name(account))}"


def _heading_of_one(account: str, news: News) -> str:
    job, head = short_id(news.job_id), news.head
    where = pool_in_heading(account, head.pool_id or "") if head is not None else short_id(account_name(account))
    if head is not None and news.kind in _OF_FAILURES and head.stuck is not None and head.stuck.confirmed:
        return f"{job} of {where} stands still: {_why_stuck(head, head.stuck)}"
    what = _what_happened(news)
    causes = {cause_name(cause) for cause in news.causes if cause.phase is news.phase}
    why = f" ({causes.pop()})" if len(causes) == 1 and news.kind in _OF_FAILURES else ""
    return f"{what[:1].upper()}{what[1:]}{why}: {job}, {where}"


def _in_common(account: str, news: Sequence[News]) -> str | None:
    """What is so in all of them, in one pool and for one cause; None where that is not all."""
    causes = {(cause.code, cause.message): cause for item in news for cause in item.causes}
    pools = {item.head.pool_key: item.head.pool_id for item in news if item.head is not None}
    # A heading names one place.
    if len(pools) != 1:
        return None
    (pool_id,) = pools.values()
    jobs = f"{counted(len(news), 'job')} of {pool_in_heading(account, pool_id or '')}"
    stills = [item.head.stuck for item in news if NewsKind.STUCK in item.kinds and item.head and item.head.stuck]
    reasons = {still.reason for still in stills}
    # Where nothing runs, why it does not says more than what failed.
    if len(stills) == len(news) and len(reasons) == 1:
        number = sum(still.tasks for still in stills)
        tasks = f", {waiting(number, 'task')}" if number > 1 else ""
        return f"{jobs} stand still: {why_in_words(reasons.pop())}{tasks}"
    # What is slow has not failed yet: it has no cause to name.
    if all(item.kinds == (NewsKind.SLOW,) for item in news):
        most = max((item.head for item in news if item.head is not None), key=lambda head: head.preparation.slow)
        nodes = f"{most.preparation.slow} of {counted(most.nodes, 'node')}"
        return f"Preparation takes too long in {jobs}, on up to {nodes}"
    are_alike = len({item.kinds for item in news}) == 1 and all(item.phase is Phase.PREPARATION for item in news)
    fails = _FAILS.get(news[0].kinds)
    # A heading that is true of some of them would mislead.
    if fails is None or not are_alike or len(causes) != 1:
        return None
    (cause,) = causes.values()
    most = max((item.head for item in news if item.head is not None), key=lambda head: head.preparation.open)
    nodes = f"{most.preparation.open} of {counted(most.nodes, 'node')}"
    return f"Preparation {fails} in {jobs}, on up to {nodes}: {cause_name(cause)}"


def severity_of(news: News) -> Severity:
    """How bad it is: good only when nothing is left of what was wrong, never for what is merely over with its job."""
    head = news.head
    if head is None:  # whatever became of it, nobody has seen it mended
        return Severity.INFO
    # That a job can be read again mends none of its nodes.
    if news.kind is NewsKind.REACHABLE:
        well = Severity.GOOD if is_looked_at(head) else Severity.INFO
        return Severity.WARNING if head.preparation.open else well
    # Nobody knows how it goes on, or it goes on worse than it should.
    if news.kind in {NewsKind.GONE, NewsKind.UNREACHABLE, NewsKind.RESUMED, NewsKind.SLOW}:
        return Severity.WARNING
    if news.kind is NewsKind.IN_TIME:  # how it ended, by success or with its node, nobody has counted
        return Severity.WARNING if head.preparation.open else Severity.INFO
    if news.kind is NewsKind.RESOLVED:
        return _severity_of_the_end(news, head)
    # None of its tasks can run.
    if head.stuck_since is not None:
        return Severity.CRITICAL
    return Severity.ERROR if news.phase is Phase.PREPARATION else _severity_of_the_end(news, head)


def _severity_of_the_end(news: News, head: JobHead) -> Severity:
    # What nothing mends any more is not good, though it is over.
    if news.release or (news.preparation and head.closed is not None):
        return Severity.WARNING
    mended = news.kind is NewsKind.RESOLVED and head.closed is None and not head.left and not news.begins_anew
    return Severity.GOOD if mended else Severity.INFO


def is_looked_at(head: JobHead) -> bool:
    """Whether cycles go on looking at the job."""
    # Also one without a preparation task, as long as its pool holds it up.
    if head.stuck_since is not None:
        return True
    return head.closed not in {JobEnd.UNTRACKED, JobEnd.GONE} and head.tracking not in {
        Tracking.STOPPED,
        Tracking.GONE,
        Tracking.NO_PREPARATION_TASK,
    }


def held_up(head: JobHead, verb: str = "are") -> str:
    """On how many nodes preparation has failed and not succeeded since: they take none of the job's tasks."""
    opened = head.preparation.open
    if not opened:
        return "every node takes the job's tasks"
    return f"{of_all(opened, head.nodes)} {_TAKE[verb][opened == 1 or head.nodes == 1]} none of the job's tasks"


def _counted_as(news: News) -> tuple[str, str]:
    if news.kind is not NewsKind.RESOLVED or news.head is None:
        is_over = news.kind is NewsKind.REACHABLE and severity_of(news) is Severity.INFO
        return _OVER if is_over else _COUNTED[news.kind]
    if severity_of(news) is Severity.WARNING:
        return _COUNTED[NewsKind.FAILED]
    return _COUNTED[news.kind] if severity_of(news) is Severity.GOOD else _OVER


def _what_happened(news: News) -> str:
    head = news.head
    if head is None:
        return "nothing is known of it any more"
    words = {
        NewsKind.GONE: "vanished before it was seen completed",
        NewsKind.UNREACHABLE: f"can't be read{' whole' if _is_read_in_part(head) else ''}",
        NewsKind.SLOW: f"preparation takes {_how_long(news)} on {of_all(head.preparation.slow, head.nodes)}",
        NewsKind.IN_TIME: "no preparation takes too long any more",
        NewsKind.RESUMED: f"moves again, {held_up(head, 'are still')}",
        NewsKind.REACHABLE: "can be read again" if is_looked_at(head) else "need not be read any more",
    }
    if news.kind is NewsKind.RESOLVED:
        return _how_it_ended(news, head)
    return words.get(news.kind) or _what_failed(news, head)


def _how_long(news: News) -> str:
    """How long each of the slow preparations has taken at least, as far as somebody has looked."""
    last, now = news.slow.last if news.slow is not None else None, news.told.at
    return f"over {lasted(now - last)}" if last is not None and now is not None else "too long"


def _is_read_in_part(head: JobHead) -> bool:
    return head.trouble is not None and head.trouble.code == UNREADABLE


def _how_it_ended(news: News, head: JobHead) -> str:
    # What failed at the end outlasts what is over.
    if news.release:
        return f"{_release_failed(news, head)}; preparation is over{' with the job' if head.closed else ''}"
    # Nothing was mended: the job is over, and its failures with it.
    if head.closed is not None:
        return _ended(head, head.closed)
    # What people were told is about a head before this one; nobody has seen that mended.
    if news.begins_anew:
        return "begun anew, and nothing fails in it"
    known = news.before
    since = known.since or known.stuck_since
    took = f" after {lasted(news.told.at - since)}" if since and news.told.at else ""
    if known.preparation or head.preparation_failed_ever:
        return f"preparation works again{took}"
    return f"moves again{took}"


def _what_failed(news: News, head: JobHead) -> str:
    opened = head.preparation.open
    if head.stuck is not None and head.stuck.confirmed:
        return f"stands still, {_why_stuck(head, head.stuck)}"
    parts = []
    if news.phase is Phase.PREPARATION:
        parts.append(f"preparation failed on {of_all(opened, head.nodes)}")
    elif news.preparation:
        parts.append(_ended(head, head.closed) if head.closed else _mended(news, head))
    if news.release:
        parts.append(_release_failed(news, head))
    return "; ".join(parts)


def _why_stuck(head: JobHead, stuck: Standstill) -> str:
    reason, opened = stuck.reason or StandstillReason.PREPARATION_FAILED, head.preparation.open
    # Where some are said to be well, everybody asks why it stands still: those have left the pool.
    if reason is StandstillReason.PREPARATION_FAILED and 0 < opened == head.nodes:
        return f"preparation failed on {of_all(opened, head.nodes)}"
    return why_in_words(reason)


def _ended(head: JobHead, end: JobEnd) -> str:
    failed = head.preparation.failed
    where = f"on {of_all(failed, head.nodes)}" if failed else "before"
    return f"{_ENDED[end]}, preparation had failed {where}"


def _mended(news: News, head: JobHead) -> str:
    if news.preparation > head.preparation_failed_ever:
        return f"preparation failed {_times(news.preparation)}, over since the job began anew"
    where = f"on {of_all(1, head.nodes)}" if news.preparation == 1 else _times(news.preparation)
    return f"preparation failed {where}, mended since"


def _release_failed(news: News, head: JobHead) -> str:
    failed = head.release.failed
    if failed:
        return f"release failed on {of_all(failed, head.nodes)}"
    return f"release failed {_times(news.release)} before the job began anew"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
