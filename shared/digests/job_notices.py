"""What people are told in chat and by pager about how jobs stand.

Owns the facts, and how much is said. Does not own titles and severities (`digests.job_titles`), what a message is made
of (`messages.notices`), what is news (`digests.chat_rules`), when it is told (`digests.chat_timing`), or the advice on
failures (`batch.advice`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from shared.batch.advice import advice
from shared.batch.model import Phase
from shared.digests.chat_rules import News, NewsKind
from shared.digests.chat_timing import groups_of
from shared.digests.job_titles import heading_of, held_up, is_looked_at, line_of, mood_of, title_of
from shared.digests.short_names import cause_words, node_name, of_all
from shared.digests.standstill_facts import sight_remedy, slow_facts, standing_facts
from shared.messages.notices import JOB, LESSER, TITLE_BYTES, Notice, Section, fact, worst_of
from shared.messages.remedies import cause_command, slow_remedy, standstill_remedy
from shared.messages.sentences import account_name, clock_time, since_when, waiting
from shared.redaction import one_line
from shared.state.jobs import JobEnd, JobHead, Tracking

MAX_JOBS = 8
ALIKE = "The same in"
"""Over the jobs of which there is no more to say than how many nodes."""
SHOWN_NODES = 5
"""What a person reads; the link leads to all."""

_WHOLE_SECTIONS = 2
_COUNTED = {(NewsKind.FAILED,), (NewsKind.STUCK,), (NewsKind.STUCK, NewsKind.FAILED)}
_NODES_BYTES = 400
_FEW_NODES = 2  # that few can be looked up by their ids as they are
_ENDS = {
    JobEnd.ENDED: "the job has ended",
    JobEnd.GONE: "the job is gone",
    JobEnd.REPLACED: "a new job has taken its id",
    JobEnd.UNTRACKED: "the job is not watched any more",
}
_NOT_OF_FAILURES = frozenset({NewsKind.UNREACHABLE, NewsKind.REACHABLE, NewsKind.IN_TIME})


def jobs_notice(account: str, news: Sequence[News], links: Mapping[str, str]) -> Notice:
    """The notice that tells how jobs stand, the first ones in full."""
    shown = news[:MAX_JOBS]
    only = news[0] if len(news) == 1 else None
    heading = one_line(heading_of(account, news), limit=TITLE_BYTES)
    return Notice(
        heading=heading,
        severity=worst_of(map(mood_of, news)),
        subject=f"job:{account}:{only.job_id.lower()}" if only else f"jobs:{account}",
        over=all(item.kind is NewsKind.RESOLVED for item in news),
        account=account,
        about=only.job_id if only else "jobs",
        since=min((since for item in news if (since := _since(item))), default=None),
        sections=_sections(account, shown, heading),
        left_out=len(news) - len(shown),
        dashboard=links.get("dashboard"),
        kind=f"job.{news[0].kind.value}",
    )


def _sections(account: str, news: Sequence[News], heading: str) -> tuple[Section, ...]:
    """A section for each job; whatever is told of one before, a cause in a pool, is only counted for the others."""
    sections: list[Section] = []
    alike: list[tuple[str, str]] = []
    said, only = set[str](), len(news) == 1
    for item in news:
        groups = groups_of(item)
        if groups and groups <= said and item.head is not None and _is_counted(item):
            alike.append((item.job_id, _in_numbers(item, item.head)))
        elif item.kind is NewsKind.RESOLVED and not (item.preparation or item.release or item.tells_of_slow or only):
            # That it is over, and how, is all that there is to say.
            sections.append(Section(title=one_line(title_of(item), limit=TITLE_BYTES)))
        else:
            some = SHOWN_NODES if not sections else 1
            made = _section(account, item, some, whole=only, heading=heading if only else None)
            brief = tuple(each for each in made.facts if each[0] not in LESSER)
            sections.append(made if len(sections) < _WHOLE_SECTIONS else replace(made, facts=brief))
        said |= groups
    if alike:
        sections.append(Section(title=ALIKE, facts=_together(alike), lists=True))
    return tuple(sections)


def _is_counted(news: News) -> bool:
    """Whether numbers say all of it: nodes that hold the job up now or tasks that wait, and nothing else."""
    holds = news.head is not None and (news.head.preparation.open > 0 or NewsKind.STUCK in news.kinds)
    return news.kinds in _COUNTED and holds and not news.release


def _together(jobs: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The jobs with equal numbers on one line."""
    by_numbers: dict[str, list[str]] = {}
    for job_id, numbers in jobs:
        by_numbers.setdefault(numbers, []).append(job_id)
    return tuple((", ".join(names), numbers) for numbers, names in by_numbers.items())


def _in_numbers(news: News, head: JobHead) -> str:
    if NewsKind.STUCK in news.kinds and head.stuck is not None:
        still = f"stands still, {waiting(head.stuck.tasks, 'task')}"
        return f"{_new(news.preparation)}; {still}" if news.preparation else still
    phase = news.phase or Phase.PREPARATION
    new = news.preparation if phase is Phase.PREPARATION else news.release
    return f"{_new(new)}, {of_all(_number(head, phase), head.nodes)}"


def _section(account: str, news: News, max_nodes: int, *, whole: bool, heading: str | None) -> Section:
    """What is told of a job; under `heading`, which says already what has happened, if it is the only one."""
    head = news.head
    command = _command(account, news, head) if whole and head is not None else None
    if head is None:
        facts = [("Why", "nothing is stored of the job any more"), _job_fact(account, news)]
    else:
        facts = [
            *_vanished_facts(news, head),
            *_trouble_facts(news, head),
            *_sight_facts(news, head),
            *_end_facts(news, head),
            *_failure_facts(news, head),
            _job_fact(account, news),
            *_standing_facts(account, news, head),
            *_node_facts(news, head, max_nodes),
        ]
    title = heading or one_line(title_of(news), limit=TITLE_BYTES)
    return Section(title=title, facts=tuple(facts), commands=(command,) if command else (), line=line_of(news))


def _job_fact(account: str, news: News) -> tuple[str, str]:
    """The whole ids: in headings they are shortened."""
    head, name = news.head, account_name(account)
    if head is None:
        return fact(JOB, f"{news.job_id}, account {name}")
    state = head.state or "of unknown state"
    if not {NewsKind.GONE, NewsKind.UNREACHABLE}.isdisjoint(news.kinds):
        state = f"last seen {state}"
    return fact(JOB, f"{news.job_id}, {state}, pool {head.pool_id or 'unknown'}, account {name}")


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
        has_none = head.tracking is Tracking.NO_PREPARATION_TASK
        return [("Why", "the job has no preparation task" if has_none else _ENDS[head.closed or JobEnd.UNTRACKED])]
    return [("In sight again", f"it could not be read since {since_when(since, _now(news))}")]


def _end_facts(news: News, head: JobHead) -> list[tuple[str, str]]:
    if news.kind is NewsKind.RESOLVED:
        return [("Why", _why_over(news, head))]
    if NewsKind.RESUMED in news.kinds and news.before.stuck_since is not None:
        return [("Moves again", f"it stood still since {since_when(news.before.stuck_since, _now(news))}")]
    return []


def _failure_facts(news: News, head: JobHead) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    if news.preparation:
        facts.append(("Preparation", f"{_new(news.preparation)}; {_still_failed(head)}"))
    elif news.kind is NewsKind.UNREACHABLE and head.preparation.open:
        facts.append(("Preparation", f"{held_up(head, 'were')} when it was last seen"))
    elif news.kind is NewsKind.REACHABLE and is_looked_at(head):
        facts.append(("Preparation", held_up(head)))
    if news.release:
        failed = head.release.failed
        where = f"{of_all(failed, head.nodes)} in all" if failed else "before the job began anew"
        facts.append(("Release", f"{_new(news.release)}, {where}"))
    return facts


def _standing_facts(account: str, news: News, head: JobHead) -> list[tuple[str, str]]:
    if news.kind is NewsKind.SLOW:
        remedy = slow_remedy(account, head, news.nodes)
        return [*slow_facts(head, news.slow, _now(news)), ("What to do", remedy.words)]
    facts = standing_facts(account, head, _now(news))
    facts += [(f"Why {cause.phase.value} failed", cause_words(cause)) for cause in news.causes]
    if (since := _first_failure(head)) is not None and news.kind not in _NOT_OF_FAILURES:
        facts.append(("Since", _since_words(news, head, since)))
    advised = dict.fromkeys(what for cause in news.causes if (what := advice(cause.code)) is not None)
    facts += [("What to do", what) for what in advised]
    return facts


def _command(account: str, news: News, head: JobHead) -> str | None:
    """What shows what is slow, or helps with a standstill, else with the first cause."""
    if news.kind is NewsKind.SLOW:
        return slow_remedy(account, head, news.nodes).command
    if head.stuck is not None and head.stuck.confirmed and news.names_causes:
        command = standstill_remedy(account, head, head.stuck).command
        if command:
            return command
    phase, causes = news.phase, news.causes
    if phase is None or not causes or not news.names_causes:
        return None
    cause, named = causes[0], _named_nodes(news)
    all_known = len(named) == cause.nodes == _number(head, phase)
    return cause_command(account, head.job_id, cause, named, all_known=all_known)


def _number(head: JobHead, phase: Phase) -> int:
    return head.preparation.open if phase is Phase.PREPARATION else head.release.failed


def _node_facts(news: News, head: JobHead, limit: int) -> list[tuple[str, str]]:
    if news.kind is NewsKind.SLOW:
        number = head.preparation.slow
    elif news.phase is not None and news.names_causes:
        number = _number(head, news.phase)
    else:
        return []
    names = [node_name(node, head.pool_id, whole=number <= _FEW_NODES) for node in _named_nodes(news)[:limit]]
    if not names:
        return []
    more = max(0, number - len(names))
    name, text = fact("Nodes", ", ".join(names), _NODES_BYTES)
    return [(name, f"{text} and {more} more" if more else text)]


def _named_nodes(news: News) -> list[tuple[str, str]]:
    """Pool and node id of those that can be named: the newest failures, or where nobody has looked an example."""
    examples = tuple(cause.example for cause in news.causes if cause.phase is news.phase)
    return list(dict.fromkeys(news.nodes or examples))


def _since(news: News) -> datetime | None:
    head = news.head
    if head is None or news.kind in {NewsKind.RESOLVED, NewsKind.REACHABLE, NewsKind.GONE, NewsKind.IN_TIME}:
        return None
    if news.slow is not None:
        return news.slow.first
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
        return "the job was created or tracked again, and no node has failed since"
    if not (news.before.preparation or head.preparation_failed_ever):
        return "nothing keeps the job's tasks from running any more"
    return "preparation has succeeded on every node that had failed"


def _still_failed(head: JobHead) -> str:
    failed = head.preparation.failed
    if head.closed is not None and failed:
        return f"it had failed on {of_all(failed, head.nodes)} in the end"
    return "over with the job" if head.closed is not None else held_up(head)


def _new(number: int) -> str:
    return f"{number} newly failed"
