"""A job's state in a few words: the heading above the facts in a message, and how bad it is.

Owns titles, the heading over several jobs, and moods. Does not own the facts (`digests.job_notices`) or what is news
(`digests.chat_rules`). A number of nodes is one that the head holds: failures are runs, and one node may have had
several.
"""

from collections import Counter
from collections.abc import Sequence

from shared.batch.model import UNREADABLE, Phase
from shared.digests.chat_rules import News, NewsKind
from shared.digests.short_names import cause_name, of_all, place
from shared.messages.notices import Mood
from shared.messages.sentences import counted
from shared.state.jobs import JobEnd, JobHead, Tracking
from shared.state.pools import StandstillReason
from shared.state.standstill_words import why_in_words

_ENDED = {
    JobEnd.ENDED: "ended",
    JobEnd.GONE: "gone",
    JobEnd.REPLACED: "replaced",
    JobEnd.UNTRACKED: "not watched any more",
}
_COUNTED = {
    NewsKind.STUCK: "{jobs} stuck",
    NewsKind.FAILED: "failures in {jobs}",
    NewsKind.STANDING: "{jobs} still failing",
    NewsKind.GONE: "{jobs} vanished",
    NewsKind.UNREACHABLE: "{jobs} can't be looked at",
    NewsKind.RESUMED: "{jobs} moving again",
    NewsKind.REACHABLE: "{jobs} in sight again",
    NewsKind.RESOLVED: "{jobs} resolved",
}
_OVER = "{jobs} over"


def title_of(news: News) -> str:
    """What has happened to a job, in one line that begins with its id."""
    return f"{news.job_id}: {_what_happened(news)}"


def heading_of(account: str, news: Sequence[News]) -> str:
    """What has happened to several jobs: of what they have in common where and why, else by number."""
    if (common := _in_common(account, news)) is not None:
        return common
    numbers = Counter(map(_counted_as, news))
    parts = [
        words.format(jobs=counted(numbers[words], "job")) for words in (*_COUNTED.values(), _OVER) if numbers[words]
    ]
    text = f"{', '.join(parts)} on {account}"
    return text[:1].upper() + text[1:]


def _in_common(account: str, news: Sequence[News]) -> str | None:
    """That preparation failed in all of them for one cause in one pool; None where that is not all."""
    causes = {(cause.code, cause.message): cause for item in news for cause in item.causes}
    pools = {(item.head.pool_id or "").lower(): item.head.pool_id for item in news if item.head is not None}
    are_alike = all(item.kinds == (NewsKind.FAILED,) and item.phase is Phase.PREPARATION for item in news)
    if not are_alike or len(causes) != 1 or len(pools) != 1:
        return None
    (cause,), (pool_id,) = causes.values(), pools.values()
    return f"Preparation failed in {counted(len(news), 'job')} of {place(account, pool_id or '')}: {cause_name(cause)}"


def mood_of(news: News) -> Mood:
    """How bad it is: good only when nothing is left of what was wrong, never for what is merely over with its job."""
    head = news.head
    if head is None:
        return Mood.GOOD
    if news.kind is NewsKind.REACHABLE:
        well = Mood.GOOD if is_looked_at(head) else Mood.INFO
        return Mood.WARNING if head.preparation.open else well
    if news.kind in {NewsKind.GONE, NewsKind.UNREACHABLE, NewsKind.RESUMED}:
        return Mood.WARNING
    if news.kind is NewsKind.RESOLVED:
        return _mood_of_the_end(news, head)
    if head.stuck_since is not None:
        return Mood.CRITICAL
    return Mood.ERROR if news.phase is Phase.PREPARATION else _mood_of_the_end(news, head)


def _mood_of_the_end(news: News, head: JobHead) -> Mood:
    if news.release or (news.preparation and head.closed is not None):
        return Mood.WARNING
    mended = news.kind is NewsKind.RESOLVED and head.closed is None and not head.left and not news.begins_anew
    return Mood.GOOD if mended else Mood.INFO


def is_looked_at(head: JobHead) -> bool:
    """Whether cycles go on looking at the job."""
    return head.closed not in {JobEnd.UNTRACKED, JobEnd.GONE} and head.tracking not in {
        Tracking.STOPPED,
        Tracking.GONE,
        Tracking.NO_PREPARATION_TASK,
    }


def held_up(head: JobHead, verb: str = "are") -> str:
    """On how many nodes preparation has failed and not succeeded since."""
    if not head.preparation.open:
        return "no node is held up"
    return f"{head.preparation.open} of {head.nodes} nodes {verb} held up"


def _counted_as(news: News) -> str:
    if news.kind is not NewsKind.RESOLVED or news.head is None:
        is_over = news.kind is NewsKind.REACHABLE and mood_of(news) is Mood.INFO
        return _OVER if is_over else _COUNTED[news.kind]
    if mood_of(news) is Mood.WARNING:
        return _COUNTED[NewsKind.FAILED]
    return _COUNTED[news.kind] if mood_of(news) is Mood.GOOD else _OVER


def _what_happened(news: News) -> str:
    head = news.head
    if head is None:
        return "resolved"
    words = {
        NewsKind.GONE: "vanished before it was seen completed",
        NewsKind.UNREACHABLE: f"can't be {'read whole' if _is_read_in_part(head) else 'looked at'}",
        NewsKind.RESUMED: f"moves again, {held_up(head, 'are still')}",
        NewsKind.REACHABLE: "can be looked at again" if is_looked_at(head) else "need not be looked at any more",
    }
    if news.kind is NewsKind.RESOLVED:
        return _how_it_ended(news, head)
    return words.get(news.kind) or _what_failed(news, head)


def _is_read_in_part(head: JobHead) -> bool:
    return head.trouble is not None and head.trouble.code == UNREADABLE


def _how_it_ended(news: News, head: JobHead) -> str:
    if news.release:
        return f"{_release_failed(news, head)}; preparation is over{' with the job' if head.closed else ''}"
    if head.closed is not None:
        return _ended(head, head.closed)
    return "over, the job has begun anew" if news.begins_anew else "resolved"


def _what_failed(news: News, head: JobHead) -> str:
    opened = head.preparation.open
    if head.stuck is not None and head.stuck.confirmed:
        reason = head.stuck.reason or StandstillReason.PREPARATION_FAILED
        # Where some are said to be well, everybody asks why it stands still: those have left the pool.
        is_all = reason is StandstillReason.PREPARATION_FAILED and 0 < opened == head.nodes
        why = f"preparation failed on {of_all(opened, head.nodes)}" if is_all else why_in_words(reason)
        return f"stuck, {why}"
    parts = []
    if news.phase is Phase.PREPARATION:
        parts.append(f"preparation failed on {opened} of {head.nodes} nodes")
    elif news.preparation:
        parts.append(_ended(head, head.closed) if head.closed else _mended(news, head))
    if news.release:
        parts.append(_release_failed(news, head))
    return "; ".join(parts)


def _ended(head: JobHead, end: JobEnd) -> str:
    failed = head.preparation.failed
    where = f"on {failed} of {head.nodes} nodes" if failed else "before"
    return f"{_ENDED[end]}, preparation had failed {where}"


def _mended(news: News, head: JobHead) -> str:
    if news.preparation > head.preparation_failed_ever:
        return f"preparation failed {_times(news.preparation)}, over since the job began anew"
    where = f"on 1 of {head.nodes} nodes" if news.preparation == 1 else _times(news.preparation)
    return f"preparation failed {where}, mended since"


def _release_failed(news: News, head: JobHead) -> str:
    failed = head.release.failed
    if failed:
        return f"release failed on {failed} of {head.nodes} nodes"
    return f"release failed {_times(news.release)} before the job began anew"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
