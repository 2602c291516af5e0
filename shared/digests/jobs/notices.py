"""What people are told in chat and by pager about how jobs stand.

Owns how much is said of how many jobs. Does not own titles and severities (`digests.jobs.titles`), the facts below them
(`digests.jobs.facts`), what a message is made of (`messages.notices`), what is news (`digests.chat_rules`) or when it
is told (`digests.chat_plan`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from shared.batch.model import Phase
from shared.digests.chat_plan import groups_of
from shared.digests.chat_rules import News, NewsKind
from shared.digests.jobs.facts import facts_of, failing_nodes, first_failure, newly_failed, nodes_to_name
from shared.digests.jobs.titles import heading_of, line_of, severity_of, title_of
from shared.digests.short_names import of_all
from shared.messages.notices import LESSER, TITLE_BYTES, Notice, Section, worst_of
from shared.messages.remedies import cause_command, slow_remedy, standstill_remedy
from shared.messages.sentences import waiting
from shared.redaction import one_line
from shared.state.jobs import JobHead

MAX_JOBS = 8
ALIKE = "The same in"
"""Over the jobs of which there is no more to say than how many nodes."""
SHOWN_NODES = 5
"""What a person reads; the link leads to all."""

_WHOLE_SECTIONS = 2
_COUNTED = {(NewsKind.FAILED,), (NewsKind.STUCK,), (NewsKind.STUCK, NewsKind.FAILED)}


def jobs_notice(account: str, news: Sequence[News], links: Mapping[str, str]) -> Notice:
    """The notice that tells how jobs stand, the first ones in full."""
    shown = news[:MAX_JOBS]
    only = news[0] if len(news) == 1 else None
    heading = one_line(heading_of(account, news), limit=TITLE_BYTES)
    return Notice(
        heading=heading,
        severity=worst_of(map(severity_of, news)),
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
        return f"{newly_failed(news.preparation)}; {still}" if news.preparation else still
    phase = news.phase or Phase.PREPARATION
    new = news.preparation if phase is Phase.PREPARATION else news.release
    return f"{newly_failed(new)}, {of_all(failing_nodes(head, phase), head.nodes)}"


def _section(account: str, news: News, max_nodes: int, *, whole: bool, heading: str | None) -> Section:
    """What is told of a job; under `heading`, which says already what has happened, if it is the only one."""
    head = news.head
    command = _command(account, news, head) if whole and head is not None else None
    title = heading or one_line(title_of(news), limit=TITLE_BYTES)
    return Section(
        title=title,
        facts=facts_of(account, news, max_nodes),
        commands=(command,) if command else (),
        line=line_of(news),
    )


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
    cause, named = causes[0], nodes_to_name(news)
    all_known = len(named) == cause.nodes == failing_nodes(head, phase)
    return cause_command(account, head.job_id, cause, named, all_known=all_known)


def _since(news: News) -> datetime | None:
    head = news.head
    if head is None or news.kind in {NewsKind.RESOLVED, NewsKind.REACHABLE, NewsKind.GONE, NewsKind.IN_TIME}:
        return None
    if news.slow is not None:
        return news.slow.first
    if news.kind is NewsKind.UNREACHABLE and head.trouble is not None:
        return head.trouble.since
    return first_failure(head)
