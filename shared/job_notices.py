"""What people are told in chat and by pager about how jobs stand.

Owns the words, and how much is said. Does not own what a message is made of (`notices`), what is news and when it is
told (`digest_rules`), or the advice on failures (`failure_codes`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from shared.digest_rules import News, NewsKind
from shared.failure_codes import advice
from shared.model import Phase
from shared.notices import NAME_BYTES, TITLE_BYTES, Mood, Notice, Section, fact, moment, plural
from shared.redaction import one_line
from shared.state import Cause, JobEnd, JobHead, Tracking, Trouble

MAX_SECTIONS = 20
MAX_CAUSES = 3
MAX_NODES = 20

_NODES_BYTES = 2400
_ENDS = {
    JobEnd.ENDED: "the job has ended",
    JobEnd.GONE: "the job is gone",
    JobEnd.REPLACED: "a new job has taken its id",
    JobEnd.UNTRACKED: "the job is not watched any more",
}
_COUNTED = {
    NewsKind.STUCK: "{jobs} stuck",
    NewsKind.FAILED: "failures in {jobs}",
    NewsKind.GONE: "{jobs} vanished",
    NewsKind.UNREACHABLE: "{jobs} can't be looked at",
    NewsKind.RESUMED: "{jobs} moving again",
    NewsKind.REACHABLE: "{jobs} in sight again",
    NewsKind.RESOLVED: "{jobs} resolved",
}
_ABOUT_SIGHT = frozenset({NewsKind.UNREACHABLE, NewsKind.REACHABLE})
_NEEDS_TIME = frozenset({"DeadlineExceeded", "OperationTimedOut"})


def jobs_notice(account: str, news: Sequence[News], links: Mapping[str, str]) -> Notice:
    """The notice that tells how jobs stand, the first ones in full."""
    shown = news[:MAX_SECTIONS]
    some = max(1, MAX_NODES // len(shown))
    only = news[0] if len(news) == 1 else None
    return Notice(
        heading=one_line(_title(only) if only else _heading(account, news), limit=TITLE_BYTES),
        mood=min((_mood(item) for item in news), key=list(Mood).index),
        subject=f"job:{account}:{only.job_id.lower()}" if only else f"jobs:{account}",
        account=account,
        about=only.job_id if only else "jobs",
        since=min((since for item in news if (since := _since(item))), default=None),
        sections=tuple(_section(account, item, some) for item in shown),
        left_out=len(news) - len(shown),
        links=links,
    )


def _heading(account: str, news: Sequence[News]) -> str:
    numbers = Counter(item.kind for item in news)
    parts = [
        words.format(jobs=f"{numbers[kind]} {plural('job', numbers[kind])}")
        for kind, words in _COUNTED.items()
        if numbers[kind]
    ]
    text = f"{', '.join(parts)} on {account}"
    return text[:1].upper() + text[1:]


def _title(news: News) -> str:
    return f"{news.job_id}: {_what_happened(news)}"


def _what_happened(news: News) -> str:
    head = news.head
    if head is None:
        return "resolved"
    words = {
        NewsKind.GONE: "vanished before it was seen completed",
        NewsKind.UNREACHABLE: "can't be looked at",
        NewsKind.RESUMED: f"moves again, {_held_up(head, 'are still')}",
        NewsKind.REACHABLE: "can be looked at again" if _is_looked_at(head) else "need not be looked at any more",
        NewsKind.RESOLVED: "resolved",
    }
    return words.get(news.kind) or _what_failed(news, head)


def _what_failed(news: News, head: JobHead) -> str:
    if _is_stuck(head):
        return f"stuck, preparation failed on all {head.nodes} nodes"
    if news.preparation or not news.release:
        return f"preparation failed on {head.preparation.open or news.preparation} of {head.nodes} nodes"
    return f"release failed on {head.release.failed} of {head.nodes} nodes"


def _section(account: str, news: News, max_nodes: int) -> Section:
    head = news.head
    if head is None:
        facts = [("Why", "nothing is known of the job any more")]
    else:
        facts = [
            *_vanished_facts(news, head),
            *_trouble_facts(news, head),
            *_sight_facts(news, head),
            *_failure_facts(news, head),
            *_standing_facts(news, head, max_nodes),
            _job_fact(account, news, head),
        ]
    return Section(title=one_line(_title(news), limit=TITLE_BYTES), facts=tuple(facts))


def _job_fact(account: str, news: News, head: JobHead) -> tuple[str, str]:
    state = head.state or "of unknown state"
    if not {NewsKind.GONE, NewsKind.UNREACHABLE}.isdisjoint(news.kinds):
        state = f"last seen {state}"
    return fact("Job", f"{state}, pool {head.pool_id or 'unknown'} on {account}")


def _vanished_facts(news: News, head: JobHead) -> list[tuple[str, str]]:
    if NewsKind.GONE not in news.kinds:
        return []
    before = "Batch does not know the job any more"
    failed = head.preparation.failed
    if failed:
        before += f"; preparation had failed on {failed} of {head.nodes} nodes"
    return [
        ("Vanished", f"{before}."),
        ("What to do", "Ask whoever deletes jobs here whether that was meant. Nothing is left to mend in the job."),
    ]


def _trouble_facts(news: News, head: JobHead) -> list[tuple[str, str]]:
    trouble = head.trouble
    if trouble is None or news.kind is NewsKind.REACHABLE:
        return []
    facts = [fact("Not seen", f"since {moment(trouble.since)}: {trouble.code}: {trouble.message}")]
    if NewsKind.UNREACHABLE in news.kinds:
        if trouble.request_id:
            facts.append(fact("Request id", trouble.request_id))
        facts.append(("Until then", "what fails there is not seen, and is told as soon as it is"))
        facts.append(("What to do", _remedy(trouble)))
    return facts


def _remedy(trouble: Trouble) -> str:
    if trouble.code in _NEEDS_TIME:
        return "Raise POLL_BUDGET_SECONDS: listing the job takes longer than a cycle has."
    if trouble.code == "UnreadableRow":
        return "Deploy the newest version that has run here: a row of the state was written by it, or is damaged."
    support = "quote the request id to Azure support" if trouble.request_id else "run the diagnostics"
    return f"Prepwatch tries again in every cycle. If it stays so, {support}."


def _sight_facts(news: News, head: JobHead) -> list[tuple[str, str]]:
    since = news.before.unreachable_since
    if NewsKind.REACHABLE not in news.kinds or since is None:
        return []
    if not _is_looked_at(head):
        return [("Why", _ENDS[head.closed] if head.closed else "the job is not watched any more")]
    return [("In sight again", f"it could not be looked at since {moment(since)}")]


def _failure_facts(news: News, head: JobHead) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    if news.preparation:
        facts.append(("Preparation", f"{_new(news.preparation)}, {_held_up(head)}"))
    elif news.kind is NewsKind.UNREACHABLE and head.preparation.open:
        facts.append(("Preparation", f"{_held_up(head, 'were')} when it was last seen"))
    elif news.kind is NewsKind.REACHABLE and _is_looked_at(head):
        facts.append(("Preparation", _held_up(head)))
    if news.release:
        facts.append(("Release", f"{_new(news.release)}, {head.release.failed} of {head.nodes} nodes in all"))
    return facts


def _standing_facts(news: News, head: JobHead, max_nodes: int) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    if news.kind is NewsKind.RESOLVED:
        facts.append(("Why", _ENDS[head.closed] if head.closed else "no node is held up any more"))
    if NewsKind.RESUMED in news.kinds and news.before.stuck_since is not None:
        facts.append(("Moves again", f"it was stuck since {moment(news.before.stuck_since)}"))
    if head.stuck is not None and head.stuck.told:
        facts.append(("Stuck", f"no node can take the job's tasks, since {moment(head.stuck.since)}"))
    if not {NewsKind.STUCK, NewsKind.FAILED, NewsKind.RESUMED}.isdisjoint(news.kinds) and _is_open(news):
        facts += [each for cause in _causes(news, head) for each in _cause_facts(cause)]
        facts += _node_facts(news, head, max_nodes)
    if (since := _first_failure(head)) is not None and news.kind not in _ABOUT_SIGHT:
        facts.append(("Since", moment(since)))
    return facts


def _causes(news: News, head: JobHead) -> tuple[Cause, ...]:
    phases = {Phase.PREPARATION} if news.preparation or not news.release else set()
    phases |= {Phase.RELEASE} if news.release else set()
    return tuple(cause for cause in head.causes if cause.phase in phases)[:MAX_CAUSES]


def _cause_facts(cause: Cause) -> list[tuple[str, str]]:
    where = f"{cause.code} on {cause.nodes} {plural('node', cause.nodes)}"
    facts = [fact("Cause", f"{where}: {cause.message}" if cause.message else where)]
    if (what := advice(cause.code)) is not None:
        facts.append(("What to do", what))
    return facts


def _node_facts(news: News, head: JobHead, limit: int) -> list[tuple[str, str]]:
    nodes = news.nodes or tuple(cause.example for cause in _causes(news, head))
    names = [one_line("/".join(node), limit=NAME_BYTES) for node in list(dict.fromkeys(nodes))[:limit]]
    if not names:
        return []
    concerned = head.preparation.open if news.preparation or not news.release else head.release.failed
    more = max(0, concerned - len(names))
    name, text = fact("Nodes", ", ".join(names), _NODES_BYTES)
    return [(name, f"{text} and {more} more" if more else text)]


def _mood(news: News) -> Mood:
    head = news.head
    if news.kind is NewsKind.RESOLVED or head is None:
        return Mood.GOOD
    if news.kind is NewsKind.REACHABLE:
        return Mood.WARNING if head.preparation.open else Mood.GOOD
    if news.kind in {NewsKind.GONE, NewsKind.UNREACHABLE, NewsKind.RESUMED}:
        return Mood.WARNING
    if _is_stuck(head):
        return Mood.CRITICAL
    return Mood.ERROR if news.preparation or not news.release else Mood.WARNING


def _since(news: News) -> datetime | None:
    head = news.head
    if head is None or news.kind in {NewsKind.RESOLVED, NewsKind.REACHABLE, NewsKind.GONE}:
        return None
    if news.kind is NewsKind.UNREACHABLE and head.trouble is not None:
        return head.trouble.since
    return _first_failure(head)


def _first_failure(head: JobHead) -> datetime | None:
    return min((cause.first_seen for cause in head.causes if cause.first_seen), default=None)


def _is_open(news: News) -> bool:
    """Whether the failures are worth their causes: not those that are over with the job."""
    return NewsKind.RESOLVED not in news.kinds


def _is_stuck(head: JobHead) -> bool:
    return head.stuck is not None and head.stuck.told


def _is_looked_at(head: JobHead) -> bool:
    return head.closed not in {JobEnd.UNTRACKED, JobEnd.GONE} and head.tracking not in {
        Tracking.STOPPED,
        Tracking.GONE,
        Tracking.NO_PREPARATION_TASK,
    }


def _held_up(head: JobHead, verb: str = "are") -> str:
    if not head.preparation.open:
        return "no node is held up"
    return f"{head.preparation.open} of {head.nodes} nodes {verb} held up"


def _new(number: int) -> str:
    return f"{number} newly failed"
