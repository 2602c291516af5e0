"""What people are told of jobs that fare alike: what they have in common once, then a line for all that are equal.

Owns which jobs are told together, and what is told of them. Does not own their heading (`digests.jobs.headings`) or the
facts of a single one (`digests.jobs.facts`).
"""

from collections.abc import Hashable, Sequence

from msgspec.structs import replace

from shared.batch.model import Phase
from shared.digests.chat_plan import groups_of
from shared.digests.chat_rules import News, NewsKind
from shared.digests.jobs.facts import failing_nodes, first_failure, newly_failed, standing_facts_of
from shared.digests.jobs.headings import heading_of, sick_node
from shared.digests.jobs.titles import severity_of, what_happened
from shared.digests.short_names import of_all
from shared.messages.commands import PoolReference, remove_nodes
from shared.messages.notices import REMEDY, TITLE_BYTES, ListEntry, Section, fact
from shared.messages.remedies import standstill_remedy
from shared.messages.sentences import waiting
from shared.redaction import one_line
from shared.state.jobs import JobHead

_FAILING = {(NewsKind.FAILED,), (NewsKind.STANDING,), (NewsKind.STUCK,), (NewsKind.STUCK, NewsKind.FAILED)}
_BLOCKED = "these nodes take none of the jobs' tasks"
_RUN = "run on these nodes all the same (waitForSuccess is false)"
_OF_A_SICK_NODE = "Remove the node; an autoscale pool brings another, one of fixed size has to be resized."


def grouped(news: Sequence[News]) -> list[tuple[News, ...]]:
    """The news by what they have in common, in the order of the first of each."""
    groups: dict[Hashable, list[News]] = {}
    for number, item in enumerate(news):
        common = _in_common(item)
        groups.setdefault(number if common is None else common, []).append(item)
    return list(map(tuple, groups.values()))


def group_section(account: str, news: Sequence[News], *, names: int, whole: bool) -> Section:
    """What is told of several jobs that `grouped` put together, at most so many by name.

    Commands are told with the *whole* of a message only, and only those that help all of the jobs.
    """
    heading = one_line(heading_of(account, news), limit=TITLE_BYTES)
    section = Section(title=heading, entries=_entries(news, names), line=ListEntry(text=heading))
    if news[0].kind is NewsKind.RESOLVED:
        return section
    together = _together(news)
    facts = standing_facts_of(account, together)
    if news[0].phase is Phase.PREPARATION and NewsKind.STUCK not in news[0].kinds and together.head is not None:
        facts = (("Tasks", _RUN if together.head.wait_for_success is False else _BLOCKED), *facts)
    commands: tuple[str | None, ...] = ()
    if (node := sick_node(news)) is not None:
        facts = (fact("Node", node[1]), *(each for each in facts if each[0] != REMEDY), (REMEDY, _OF_A_SICK_NODE))
        commands = (remove_nodes(PoolReference(account=account, pool_id=node[0]), [node[1]]),)
    elif (head := together.head) is not None and (still := head.standstill) is not None and still.why.is_of_pool:
        commands = (standstill_remedy(account, head, still).command,)
    return replace(section, facts=facts, commands=tuple(filter(None, commands)) if whole else ())


def _in_common(news: News) -> Hashable | None:
    """What is equal in news that are told together; None for news that are told alone."""
    head = news.head
    # Nobody knows where it was, or how.
    if head is None:
        return None
    # That it is over, and how, is all that there is to say.
    if news.kind is NewsKind.RESOLVED:
        says_more = news.preparation or news.release or news.tells_of_slow
        return None if says_more or len(news.kinds) > 1 else (NewsKind.RESOLVED, severity_of(news), head.pool_key)
    # Where both phases failed, or release beside a standstill, or none any more, a line can't hold all there is to say.
    stands_still = NewsKind.STUCK in news.kinds
    both = news.release if stands_still or news.phase is Phase.PREPARATION else news.preparation
    if news.kinds not in _FAILING or both or (news.phase is None and not stands_still) or not groups_of(news):
        return None
    return news.kinds, news.phase, head.pool_key, groups_of(news), head.wait_for_success is False


def _together(news: Sequence[News]) -> News:
    """The first of them with the numbers of all: since when, and how many tasks wait."""
    lead, heads = news[0], [item.head for item in news if item.head is not None]
    if lead.head is None:
        raise AssertionError("news without a head are told alone")
    since = min(filter(None, map(first_failure, heads)), default=None)
    head = replace(
        lead.head,
        # On how many nodes at most is said by the heading.
        causes=tuple(replace(cause, nodes=0, first_seen=since) for cause in lead.head.causes),
        preparation=replace(lead.head.preparation, slow=0),
    )
    stills = [one.standstill for one in heads if one.standstill is not None]
    if head.stuck is not None and stills:
        began, tasks = min(still.since for still in stills), sum(still.tasks for still in stills)
        head = replace(head, stuck=replace(head.stuck, since=began, tasks=tasks))
    return replace(lead, head=head)


def _entries(news: Sequence[News], names: int) -> tuple[ListEntry, ...]:
    """The jobs with equal numbers, or the same end, on one line."""
    by_words: dict[str, list[str]] = {}
    for item in news[:names]:
        if item.head is not None:
            by_words.setdefault(_in_numbers(item, item.head), []).append(item.job_id)
    apart = "" if news[0].kind is NewsKind.RESOLVED else " in each" if NewsKind.STUCK in news[0].kinds else " each"
    return tuple(
        ListEntry(names=tuple(ids), text=f"{words}{apart if len(ids) > 1 else ''}") for words, ids in by_words.items()
    )


def _in_numbers(news: News, head: JobHead) -> str:
    if news.kind is NewsKind.RESOLVED:
        return what_happened(news)
    if NewsKind.STUCK in news.kinds and head.stuck is not None:
        still = waiting(head.stuck.tasks, "task")
        return f"{newly_failed(news.preparation)}; {still}" if news.preparation else still
    phase = news.phase or Phase.PREPARATION
    new = news.preparation if phase is Phase.PREPARATION else news.release
    nodes = of_all(failing_nodes(head, phase), head.nodes)
    return f"{newly_failed(new)}, {nodes}" if new else nodes
