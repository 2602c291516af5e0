"""What has happened to a job in a few words, and how bad it is.

Owns titles and severities. Does not own the heading over a message (`digests.jobs.headings`), the facts below a title
(`digests.jobs.facts`) or what is news (`digests.chat_rules`). A number of nodes is one that the head holds: failures
are runs, and one node may have had several.
"""

from datetime import timedelta

from shared.batch.model import UNREADABLE, Phase
from shared.digests.chat_rules import News, NewsKind
from shared.digests.job_troubles import standstill_of
from shared.digests.short_names import cause_name, of_all
from shared.messages.notices import TITLE_BYTES, ListEntry, Severity, worst_of
from shared.messages.sentences import lasted
from shared.redaction import one_line
from shared.state.jobs import JobEnd, JobHead, Tracking
from shared.state.pools import Standstill, StandstillEnd, StandstillReason
from shared.state.standstill_words import why_in_words

OF_FAILURES = frozenset({NewsKind.STUCK, NewsKind.FAILED, NewsKind.STANDING})
"""News that something has gone wrong with a job's tasks, or still does."""
_TAKE = {"are": ("take", "takes"), "are still": ("still take", "still takes"), "were": ("took", "took")}
_ENDED = {
    JobEnd.ENDED: "ended",
    JobEnd.GONE: "gone",
    JobEnd.REPLACED: "replaced",
    JobEnd.UNTRACKED: "not watched any more",
}
ENDS = {
    JobEnd.ENDED: "the job has ended",
    JobEnd.GONE: "the job is gone",
    JobEnd.REPLACED: "a new job has taken its id",
    JobEnd.UNTRACKED: "the job is not watched any more",
}
_NOT_MOVING = {
    StandstillEnd.JOB_ENDED: "ended while it stood still",
    StandstillEnd.JOB_GONE: "gone while it stood still",
    StandstillEnd.JOB_REPLACED: "replaced while it stood still",
    StandstillEnd.UNTRACKED: "not watched any more, it stood still until then",
    StandstillEnd.JOB_DISABLED: "disabled while it stood still",
    StandstillEnd.NOBODY_WAITS: "no task waits any more, and nothing was mended",
}
_LINE_BYTES = 120


def title_of(news: News) -> str:
    """What has happened to a job, in one line that begins with its id."""
    return f"{news.job_id}: {what_happened(news)}"


def line_of(news: News) -> ListEntry | None:
    """A job, and what has happened to it in a few words; None where that is not all, or both phases failed."""
    what, new, head = what_happened(news), news.preparation or news.release, news.head
    if news.kind not in OF_FAILURES and not new:
        return ListEntry(names=(news.job_id,), text=one_line(what, limit=_LINE_BYTES))
    if news.kind not in OF_FAILURES:
        return None
    if news.preparation and news.release:
        each = f"preparation: {news.preparation} newly failed, release: {news.release} newly failed"
        return ListEntry(names=(news.job_id,), text=one_line(f"{what}; {each}", limit=TITLE_BYTES))
    if head is not None and news.kind is NewsKind.FAILED and news.phase is Phase.PREPARATION:
        what = f"preparation failed on {head.preparation.open} of {head.nodes}"
    said = [what, _newly_failed(news, new) if new else "", ", ".join(map(cause_name, news.causes[:1]))]
    return ListEntry(names=(news.job_id,), text=one_line(", ".join(filter(None, said)), limit=_LINE_BYTES))


def _newly_failed(news: News, new: int) -> str:
    head = news.head
    still = head.standstill if head is not None else None
    # Behind why a job stands still a number would be taken for that of the nodes which keep it there.
    if still is not None and news.release:
        return f"release: {new} newly failed"
    if still is not None and still.why.is_of_pool:
        return f"preparation: {new} newly failed"
    return f"{new} newly failed"


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
    # None of its tasks can run; some standstills wait for capacity, and nothing is broken.
    if head.standstill is not None:
        still = standstill_of(head.standstill).severity
        return worst_of((still, Severity.ERROR)) if head.preparation.open else still
    return Severity.ERROR if news.phase is Phase.PREPARATION else _severity_of_the_end(news, head)


def _severity_of_the_end(news: News, head: JobHead) -> Severity:
    # What nothing mends any more is not good, though it is over.
    if news.release or (news.preparation and head.ended_unmended):
        return Severity.WARNING
    ends = news.kind is NewsKind.RESOLVED and not head.ended_unmended and not news.begins_anew
    mended = ends and not head.left and unmended_end(news, head) is None
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
    if head.wait_for_success is False:
        return "the job's tasks run there all the same (waitForSuccess is false)"
    return f"{of_all(opened, head.nodes)} {_TAKE[verb][opened == 1 or head.nodes == 1]} none of the job's tasks"


def what_happened(news: News, *, why: bool = False) -> str:
    """What has happened to a job, as a sentence goes on after its id; *why* names the only cause of what failed."""
    head = news.head
    if head is None:
        return "nothing is known of it any more"
    words = {
        NewsKind.GONE: "vanished before it was seen completed",
        NewsKind.UNREACHABLE: f"can't be read{' whole' if _is_read_in_part(head) else ''}",
        NewsKind.SLOW: f"preparation takes {_how_long(news)} on {of_all(head.preparation.slow, head.nodes)}",
        NewsKind.IN_TIME: "no preparation takes too long any more",
        NewsKind.RESUMED: f"{_how_it_resumed(news, head)} {held_up(head, 'are still')}",
        NewsKind.REACHABLE: "can be read again" if is_looked_at(head) else "need not be read any more",
    }
    if news.kind is NewsKind.RESOLVED:
        return _how_it_ended(news, head)
    return words.get(news.kind) or _what_failed(news, head, why=why)


def _how_long(news: News) -> str:
    """How long each of the slow preparations has taken at least, as far as somebody has looked."""
    last, now = news.slow.last if news.slow is not None else None, news.after.at
    return f"over {lasted(now - last)}" if last is not None and now is not None else "too long"


def _is_read_in_part(head: JobHead) -> bool:
    return head.trouble is not None and head.trouble.code == UNREADABLE


def _how_it_ended(news: News, head: JobHead) -> str:
    # What failed at the end outlasts what is over.
    if news.release:
        return f"{_release_failed(news, head)}; preparation is over{' with the job' if head.closed else ''}"
    # Nothing was mended: the job is over, and its failures with it.
    if head.closed is not None and not head.mended:
        return _ended(head, head.closed)
    # What people were told is about a head before this one; nobody has seen that mended.
    if news.begins_anew:
        return "begun anew, and nothing fails in it"
    if head.left and not has_succeeded_since(head):
        return "the nodes that failed have left; nothing has succeeded since"
    if (ended := unmended_end(news, head)) is not None:
        return ended
    took = f" after {lasted(time)}" if (time := time_it_took(news)) is not None else ""
    then = f", and {ENDS[head.closed]}" if head.closed is not None else ""
    known = news.before
    if known.preparation or head.preparation_failed_ever:
        return f"preparation works again{took}{', some nodes that failed have left' if head.left else ''}{then}"
    return f"moves again{took}{then}"


def time_it_took(news: News) -> timedelta | None:
    """How long what is over went on, as people know it; None when nobody knows since when."""
    since = news.before.since or news.before.stuck_since
    # It was over when there was something to tell of it, however long the message was held back.
    return news.wanted_at - since if since is not None else None


def _what_failed(news: News, head: JobHead, *, why: bool) -> str:
    if head.standstill is not None:
        return f"stands still, {why_stuck(head, head.standstill)}"
    parts = []
    if news.phase is Phase.PREPARATION:
        failed = f"preparation failed on {of_all(head.preparation.open, head.nodes)}"
        parts.append(failed + (_only_cause(news, Phase.PREPARATION) if why else ""))
    elif news.preparation:
        parts.append(_ended(head, head.closed) if head.closed and not head.mended else _mended(news, head))
    if news.release:
        parts.append(_release_failed(news, head) + (_only_cause(news, Phase.RELEASE) if why else ""))
    return "; ".join(parts)


def _only_cause(news: News, phase: Phase) -> str:
    causes = {cause_name(cause) for cause in news.causes if cause.phase is phase}
    return f" ({causes.pop()})" if len(causes) == 1 else ""


def why_stuck(head: JobHead, standstill: Standstill) -> str:
    """Why a job stands still, with its nodes where all of them failed."""
    reason, opened = standstill.why, head.preparation.open
    # Where some are said to be well, everybody asks why it stands still: those have left the pool.
    if reason is StandstillReason.PREPARATION_FAILED and 0 < opened == head.nodes:
        return f"preparation failed on {of_all(opened, head.nodes)}"
    return why_in_words(reason)


def _ended(head: JobHead, end: JobEnd) -> str:
    failed = head.preparation.failed
    if failed:
        return f"{_ENDED[end]}, preparation had failed on {of_all(failed, head.nodes)}"
    had = "preparation had failed before" if head.preparation_failed_ever else "it had stood still"
    return f"{_ENDED[end]}, {had}"


def _how_it_resumed(news: News, head: JobHead) -> str:
    ended = unmended_end(news, head)
    return "moves again," if ended is None else f"{ended};"


def unmended_end(news: News, head: JobHead) -> str | None:
    """How the standstill that a webhook knows of is over, though nothing moves; None when the job moves, or can."""
    ended = head.stuck_ended
    if news.before.stuck_since is None or ended is None or ended.why is None or head.stuck_since is not None:
        return None
    return _NOT_MOVING[ended.why] if ended.at >= news.before.stuck_since else None


def has_succeeded_since(head: JobHead) -> bool:
    """Whether a preparation of the job has succeeded after the last one that failed."""
    return head.succeeded_at is not None and head.failing_since is None


def _mended(news: News, head: JobHead) -> str:
    over = "over since: the nodes have left" if head.left and not has_succeeded_since(head) else "mended since"
    if news.preparation > head.preparation_failed_ever:
        return f"preparation failed {_times(news.preparation)}, over since the job began anew"
    where = f"on {of_all(1, head.nodes)}" if news.preparation == 1 else _times(news.preparation)
    return f"preparation failed {where}, {over}"


def _release_failed(news: News, head: JobHead) -> str:
    failed = head.release.failed
    if failed:
        return f"release failed on {of_all(failed, head.nodes)}"
    return f"release failed {_times(news.release)} before the job began anew"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
