"""What people are told in chat about how jobs stand.

Owns how much is said of how many jobs. Does not own headings, titles and severities (`digests.jobs.headings`,
`digests.jobs.titles`), the facts below them (`digests.jobs.facts`, of several jobs `digests.jobs.groups`), what is news
(`digests.chat_rules`) or when it is told (`digests.chat_plan`).
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from shared.digests.chat_rules import News, NewsKind
from shared.digests.jobs.facts import facts_of, failing_nodes, nodes_to_name
from shared.digests.jobs.groups import group_section, grouped
from shared.digests.jobs.headings import heading_of
from shared.digests.jobs.titles import line_of, severity_of, title_of
from shared.messages.notices import LESSER, TITLE_BYTES, Notice, Section, worst_of
from shared.messages.remedies import cause_command, slow_remedy, standstill_remedy
from shared.redaction import one_line
from shared.state.jobs import JobHead

MAX_JOBS = 8
"""Of so many things that have happened is more said than that there were, and of so many jobs of the worst the name."""
SHOWN_NODES = 5
"""What a person reads; the link leads to all."""

_NAMED_JOBS = 3
_WHOLE_SECTIONS = 2


def jobs_notice(account: str, news: Sequence[News], links: Mapping[str, str]) -> Notice:
    """The notice that tells how jobs stand, the first ones in full."""
    heading = one_line(heading_of(account, news), limit=TITLE_BYTES)
    sections = _sections(account, news, heading)
    return Notice(
        heading=heading,
        severity=worst_of(map(severity_of, news)),
        sections=sections,
        left_out=len(news) - sum(section.named for section in sections),
        dashboard=links.get("dashboard"),
    )


def _sections(account: str, news: Sequence[News], heading: str) -> tuple[Section, ...]:
    """A section for each job, or for all that fare alike, the worst first."""
    groups = grouped(news)
    sections: list[Section] = []
    for group in groups[:MAX_JOBS]:
        first, only, lead = not sections, len(groups) == 1, group[0]
        if len(group) > 1:
            made = group_section(account, group, names=MAX_JOBS if first else _NAMED_JOBS, whole=only)
        elif lead.kind is NewsKind.RESOLVED and not (lead.preparation or lead.release or lead.tells_of_slow or only):
            # That it is over, and how, is all that there is to say.
            made = Section(title=one_line(title_of(lead), limit=TITLE_BYTES), line=line_of(lead))
        else:
            made = _section(account, lead, SHOWN_NODES if first else 1, whole=only, heading=heading if only else None)
        if len(sections) >= _WHOLE_SECTIONS:
            made = replace(made, facts=tuple(each for each in made.facts if each[0] not in LESSER))
        sections.append(made)
    return tuple(sections)


def _section(account: str, news: News, max_nodes: int, *, whole: bool, heading: str | None) -> Section:
    """What is told of a job; under `heading`, which says already what has happened, if it is the only one."""
    head = news.head
    command = _command(account, news, head) if whole and head is not None else None
    title = heading or one_line(title_of(news), limit=TITLE_BYTES)
    return Section(
        title=title,
        facts=facts_of(account, news, max_nodes, heading=heading),
        commands=(command,) if command else (),
        line=line_of(news),
    )


def _command(account: str, news: News, head: JobHead) -> str | None:
    """What shows what is slow, or helps with a standstill, else with the first cause."""
    if news.kind is NewsKind.SLOW:
        return slow_remedy(account, head, news.nodes).command
    if head.standstill is not None and news.names_causes:
        command = standstill_remedy(account, head, head.standstill).command
        if command:
            return command
    phase, causes = news.phase, news.causes
    if phase is None or not causes or not news.names_causes:
        return None
    cause, named = causes[0], nodes_to_name(news)
    all_known = len(named) == cause.nodes == failing_nodes(head, phase)
    return cause_command(account, head.job_id, cause, named, all_known=all_known)
