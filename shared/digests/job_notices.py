"""What people are told in chat and by pager about how jobs stand.

Owns the facts, and how much is said. Does not own titles and moods (`digests.job_titles`), what a message is made of
(`messages.notices`), what is news (`digests.chat_rules`), when it is told (`digests.chat_timing`), or the advice on
failures (`batch.advice`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from shared.batch.advice import advice, is_of_the_node
from shared.batch.model import Phase
from shared.digests.chat_rules import SHOWN_CAUSES, News, NewsKind
from shared.digests.chat_timing import groups_of
from shared.digests.job_titles import (
    heading_of,
    held_up,
    is_looked_at,
    mood_of,
    title_of,
)
from shared.digests.short_names import cause_words
from shared.digests.standstill_facts import sight_remedy, standing_facts
from shared.messages.commands import Pool, remove_nodes
from shared.messages.notices import NAME_BYTES, TITLE_BYTES, Notice, Section, fact, worst_of
from shared.messages.remedies import printed_command
from shared.messages.sentences import clock_time, since_when
from shared.moments import time_text
from shared.redaction import one_line
from shared.state.jobs import Cause, JobEnd, JobHead

MAX_SECTIONS = 8
SHOWN_NODES = 5
"""What a person reads; the link leads to all."""

_NODES_BYTES = 800
_FEW_NODES = 2  # that few can be looked up by their ids as they are
_LONG_ID, _ID_BEGINS, _ID_ENDS = 32, 14, 10  # of a node's some 70 characters
_ENDS = {
    JobEnd.ENDED: "the job has ended",
    JobEnd.GONE: "the job is gone",
    JobEnd.REPLACED: "a new job has taken its id",
    JobEnd.UNTRACKED: "the job is not watched any more",
}
_ABOUT_SIGHT = frozenset({NewsKind.UNREACHABLE, NewsKind.REACHABLE})


def jobs_notice(account: str, news: Sequence[News], links: Mapping[str, str]) -> Notice:
    """The notice that tells how jobs stand, the first ones in full."""
    shown = news[:MAX_SECTIONS]
    some = max(1, SHOWN_NODES // len(shown))
    only = news[0] if len(news) == 1 else None
    return Notice(
        heading=one_line(title_of(only) if only else heading_of(account, news), limit=TITLE_BYTES),
        mood=worst_of(map(mood_of, news)),
        subject=f"job:{account}:{only.job_id.lower()}" if only else f"jobs:{account}",
        over=all(item.kind is NewsKind.RESOLVED for item in news),
        account=account,
        about=only.job_id if only else "jobs",
        since=min((since for item in news if (since := _since(item))), default=None),
        sections=_sections(account, shown, some, whole=only is not None),
        left_out=len(news) - len(shown),
        dashboard=links.get("dashboard"),
        kind=f"job.{news[0].kind.value}",
        details=_details(account, shown),
    )


def _details(account: str, news: Sequence[News]) -> dict[str, object]:
    """What a pager's rules and people can read of the jobs, under the same keys whatever has happened to them."""
    known = [(item, item.head) for item in news if item.head is not None]
    causes = [cause for item, _ in known for cause in item.causes]
    phases = [(head, phase) for item, head in known if (phase := item.phase) is not None]
    facts = [each for item, head in known for each in _failure_facts(item, head)]
    nodes = [node_id for item, head in known for _, node_id in _named_nodes(item)]
    advised = [what for cause in causes if (what := advice(cause.code)) is not None]
    since = [since for item in news if (since := _since(item)) is not None]
    details = {
        "why": [cause_words(cause) for cause in causes][:SHOWN_CAUSES],
        "since": time_text(min(since)) if since else None,
        "do": [*dict.fromkeys(advised)][:SHOWN_CAUSES],
        "account": account,
        "pool": [*dict.fromkeys(head.pool_id for _, head in known if head.pool_id)][:SHOWN_NODES],
        "code": [*dict.fromkeys(one_line(cause.code, limit=NAME_BYTES) for cause in causes)][:SHOWN_CAUSES],
        "jobs": [item.job_id for item in news],
        "nodes": sum(_number(head, phase) for head, phase in phases),
        "nodeIds": [*dict.fromkeys(nodes)][:SHOWN_NODES],
        "preparation": [words for name, words in facts if name == "Preparation"],
        "release": [words for name, words in facts if name == "Release"],
        "stuckSince": [time_text(head.stuck_since) for _, head in known if head.stuck_since is not None],
        "command": list(_commands(account, news[0], known[0][1])) if len(news) == 1 and known else [],
    }
    return {name: value for name, value in details.items() if value not in (None, [])}


def _sections(account: str, news: Sequence[News], max_nodes: int, *, whole: bool) -> tuple[Section, ...]:
    """A section for each job; what several have in common, a cause in a pool with its remedy, stands in the first."""
    sections: list[Section] = []
    said: set[str] = set()
    for item in news:
        groups = groups_of(item)
        if groups and groups <= said and item.kinds == (NewsKind.FAILED,) and item.head is not None:
            title = one_line(title_of(item), limit=TITLE_BYTES)
            sections.append(Section(title=title, facts=tuple(_failure_facts(item, item.head))))
        else:
            sections.append(_section(account, item, max_nodes, whole=whole))
        said |= groups
    return tuple(sections)


def _section(account: str, news: News, max_nodes: int, *, whole: bool) -> Section:
    head = news.head
    commands: tuple[str, ...] = ()
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
        commands = _commands(account, news, head) if whole else ()
    return Section(title=one_line(title_of(news), limit=TITLE_BYTES), facts=tuple(facts), commands=commands)


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
    facts = [fact("Not seen", f"since {since_when(trouble.since, _now(news))}: {trouble.code}: {trouble.message}")]
    if NewsKind.UNREACHABLE in news.kinds:
        facts += [fact("Request id", trouble.request_id)] if trouble.request_id else []
        facts.append(("Until then", "what fails there is not seen, and is told as soon as it is"))
        facts.append(("What to do", sight_remedy(trouble)))
    return facts


def _sight_facts(news: News, head: JobHead) -> list[tuple[str, str]]:
    since = news.before.unreachable_since
    if NewsKind.REACHABLE not in news.kinds or since is None:
        return []
    if not is_looked_at(head):
        return [("Why", _ENDS[head.closed] if head.closed else "the job is not watched any more")]
    return [("In sight again", f"it could not be looked at since {since_when(since, _now(news))}")]


def _failure_facts(news: News, head: JobHead) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    if news.preparation:
        facts.append(("Preparation", f"{_new(news.preparation)}, {_still_failed(head)}"))
    elif news.kind is NewsKind.UNREACHABLE and head.preparation.open:
        facts.append(("Preparation", f"{held_up(head, 'were')} when it was last seen"))
    elif news.kind is NewsKind.REACHABLE and is_looked_at(head):
        facts.append(("Preparation", held_up(head)))
    if news.release:
        failed = head.release.failed
        where = f"{failed} of {head.nodes} nodes in all" if failed else "before the job began anew"
        facts.append(("Release", f"{_new(news.release)}, {where}"))
    return facts


def _standing_facts(news: News, head: JobHead, max_nodes: int) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    if news.kind is NewsKind.RESOLVED:
        facts.append(("Why", _why_over(news, head)))
    if NewsKind.RESUMED in news.kinds and news.before.stuck_since is not None:
        facts.append(("Moves again", f"it was stuck since {since_when(news.before.stuck_since, _now(news))}"))
    facts += standing_facts(head, _now(news))
    facts += [each for cause in news.causes for each in _cause_facts(cause)]
    if news.names_causes:
        facts += _node_facts(news, head, max_nodes)
    if (since := _first_failure(head)) is not None and news.kind not in _ABOUT_SIGHT:
        facts.append(("Since", _since_words(news, head, since)))
    return facts


def _cause_facts(cause: Cause) -> list[tuple[str, str]]:
    facts = [(f"Why {cause.phase.value} failed", cause_words(cause))]
    if (what := advice(cause.code)) is not None:
        facts.append(("What to do", what))
    return facts


def _commands(account: str, news: News, head: JobHead) -> tuple[str, ...]:
    """What helps with the first cause: to read what the task wrote, or to be rid of its nodes if all are known."""
    phase, causes = news.phase, news.causes
    if phase is None or not causes or not news.names_causes:
        return ()
    cause = causes[0]
    nodes = _named_nodes(news) or [cause.example]
    pool_id, node_id = nodes[0]
    pool = Pool(account=account, pool_id=pool_id)
    if (command := printed_command(pool, node_id, head.job_id, cause)) is not None:
        return (command,)
    of_pool = [node for owner, node in nodes if owner == pool_id]
    if is_of_the_node(cause.code) and len(of_pool) == cause.nodes == _number(head, phase):
        return (remove_nodes(pool, of_pool),)
    return ()


def _number(head: JobHead, phase: Phase) -> int:
    return head.preparation.open if phase is Phase.PREPARATION else head.release.failed


def _node_facts(news: News, head: JobHead, limit: int) -> list[tuple[str, str]]:
    phase = news.phase
    if phase is None:
        return []
    number = _number(head, phase)
    names = [_name(node, head, whole=number <= _FEW_NODES) for node in _named_nodes(news)[:limit]]
    if not names:
        return []
    more = max(0, number - len(names))
    name, text = fact("Nodes", ", ".join(names), _NODES_BYTES)
    return [(name, f"{text} and {more} more" if more else text)]


def _named_nodes(news: News) -> list[tuple[str, str]]:
    """Pool and node id of those that can be named: the newest failures, or where nobody has looked an example."""
    phase = news.phase
    examples = tuple(cause.example for cause in news.causes if cause.phase is phase)
    return list(dict.fromkeys(news.nodes or examples)) if phase is not None else []


def _name(node: tuple[str, str], head: JobHead, *, whole: bool) -> str:
    """What a node is called, without the pool that the job runs in; a long id without its middle unless `whole`."""
    pool_id, node_id = node
    shown = node_id if whole or len(node_id) <= _LONG_ID else f"{node_id[:_ID_BEGINS]}…{node_id[-_ID_ENDS:]}"
    return one_line(shown if pool_id == head.pool_id else f"{pool_id}/{shown}", limit=NAME_BYTES)


def _since(news: News) -> datetime | None:
    head = news.head
    if head is None or news.kind in {NewsKind.RESOLVED, NewsKind.REACHABLE, NewsKind.GONE}:
        return None
    if news.kind is NewsKind.UNREACHABLE and head.trouble is not None:
        return head.trouble.since
    return _first_failure(head)


def _since_words(news: News, head: JobHead, since: datetime) -> str:
    # How long it took until it was over is not known from when it began alone.
    stands = head.preparation.open > 0
    return since_when(since, _now(news)) if stands else clock_time(since, _now(news))


def _now(news: News) -> datetime:
    """When the message is decided on; what the webhook knows after it is known since then."""
    return news.told.at or news.wanted_at


def _first_failure(head: JobHead) -> datetime | None:
    return min((cause.first_seen for cause in head.causes if cause.first_seen), default=None)


def _why_over(news: News, head: JobHead) -> str:
    if head.closed is not None:
        return _ENDS[head.closed]
    if news.begins_anew:
        return "the job was created or tracked again, and no node is held up since"
    return "no node is held up any more"


def _still_failed(head: JobHead) -> str:
    failed = head.preparation.failed
    if head.closed is not None and failed:
        return f"{failed} of {head.nodes} nodes had failed in the end"
    return "over with the job" if head.closed is not None else held_up(head)


def _new(number: int) -> str:
    return f"{number} newly failed"
