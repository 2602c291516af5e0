"""How long a message is on a phone, and how it is made to fit: nobody reads more than 25 lines at night.

Owns that number, the estimate, and what is left out first. Does not own bytes (`messages.teams`, `messages.slack`).
Pure. Widths are those that Microsoft's card renderer has at 320 pixels: a line holds so many ordinary letters, of which
wide signs take two.
"""

from collections.abc import Collection
from unicodedata import east_asian_width

from msgspec.structs import replace

from shared.messages.notices import CAUSES, FEW, JOB, LESSER, MINOR, REMEDY, Notice, Section

MAX_LINES = 25
_HEADING, _TEXT, _COMMAND = 26, 35, 27
"""Letters on a line of 288 pixels: 18 pixels high and bold, 14 pixels high, and of a fixed width."""
_BROAD = "mwMW@%"
ALSO = "Also"
"""Over what is told in a line each, because there was no room for more."""
MORE = ("More", "on the dashboard")
"""Where there was no room for all facts of a job."""
_SHORT_BYTES, _SHORTEST_BYTES = 200, 100
"""How much of a fact is said where there is less and less room; ids and what to do are never cut."""
_FEW_SECTIONS, _LEAST_FACTS = 2, 3


def fitted(notice: Notice) -> Notice:
    """The notice with less and less of each job, so that MAX_LINES hold it: lesser facts, a line, only its number.

    The worst, which stands first, is the last to lose anything: of it people can read why, and what to do.
    """
    while lines_of(notice) > MAX_LINES and notice.sections and (smaller := _smaller(notice)) is not None:
        notice = smaller
    while lines_of(notice) > MAX_LINES and notice.sections:
        notice = notice.shorter()
    return notice


def _smaller(notice: Notice) -> Notice | None:
    """The notice with what matters least left out, None when all of that is."""
    return (
        _without_lesser(notice)
        or _without_minor(notice)
        # Who is awake wants to know how many are concerned, not each by its name.
        or _with_fewer_names(notice)
        or _in_short(notice, _SHORT_BYTES)
        or _listed(notice)
        or _with_fewer_lines(notice, alike=FEW, also=FEW)
        or _without_commands(notice)
        # Of jobs that fare alike one shows how; what else there is shall be named as long as it can.
        or _with_fewer_lines(notice, alike=1, also=FEW)
        or _without_known_jobs(notice)
        or _in_short(notice, _SHORTEST_BYTES)
        or _with_fewer_lines(notice, alike=1, also=1)
        or _without_means(notice)
        or _with_fewer_facts(notice)
    )


def _without_lesser(notice: Notice) -> Notice | None:
    """The notice without one kind of the lesser facts of all but the first section, or without their commands.

    None when they have none of them left.
    """
    first, *others = notice.sections
    for name in LESSER:
        if any(name == fact_name for section in others for fact_name, _ in section.facts):
            return replace(notice, sections=(first, *(section.without(name) for section in others)))
    if any(section.commands for section in others):
        return replace(notice, sections=(first, *(replace(section, commands=()) for section in others)))
    return None


def _without_minor(notice: Notice) -> Notice | None:
    """The notice without one kind of its minor facts, None when it has none of them left."""
    for name in MINOR:
        if any(name == fact_name for section in notice.sections for fact_name, _ in section.facts):
            return replace(notice, sections=tuple(section.without(name) for section in notice.sections))
    return None


def _with_fewer_names(notice: Notice) -> Notice | None:
    """The notice with one name less, and that counted; None when no line of it has more than a few."""
    for number, section in reversed([*enumerate(notice.sections)]):
        if (fewer := section.with_fewer_names()) is not None:
            sections = (*notice.sections[:number], fewer, *notice.sections[number + 1 :])
            return replace(notice, sections=sections, left_out=notice.left_out + 1)
    return None


def _in_short(notice: Notice, limit: int) -> Notice | None:
    """The notice with at most `limit` bytes of each fact, None when it has no longer one."""
    sections = tuple(section.in_short(limit) for section in notice.sections)
    return replace(notice, sections=sections) if sections != notice.sections else None


def _listed(notice: Notice) -> Notice | None:
    """The notice with one section less in full, an entry of the list at its end instead; None when none is left."""
    found = [section for section in notice.sections[1:] if section.line is not None]
    if not found or (line := found[-1].line) is None:
        return None
    *others, last = (section for section in notice.sections if section is not found[-1])
    if last.title != ALSO:
        others, last = [*others, last], Section(title=ALSO)
    last = replace(last, entries=(line, *last.entries))
    left_out = notice.left_out + found[-1].named - len(line.names)
    return replace(notice, sections=(*others, last), left_out=left_out)


def _with_fewer_lines(notice: Notice, *, alike: int, also: int) -> Notice | None:
    """The notice with a line less where more than so many tell of jobs alike, or of what else there is; else None."""
    for number, section in reversed([*enumerate(notice.sections)]):
        if len(section.entries) > (also if section.title == ALSO else alike):
            *kept, entry = section.entries
            sections = (
                *notice.sections[:number],
                replace(section, entries=tuple(kept)),
                *notice.sections[number + 1 :],
            )
            return replace(notice, sections=sections, left_out=notice.left_out + len(entry.names))
    return None


def _without_known_jobs(notice: Notice) -> Notice | None:
    """The notice without the ids of a job whose title begins with its own; None where nothing is said twice."""
    told = [section.without(JOB) if section.title != notice.heading else section for section in notice.sections]
    return replace(notice, sections=tuple(told)) if tuple(told) != notice.sections else None


def _without_commands(notice: Notice) -> Notice | None:
    """The notice without its commands, None when it has none: what to do says more than what to type for it."""
    if not any(section.commands for section in notice.sections):
        return None
    return replace(notice, sections=tuple(replace(section, commands=()) for section in notice.sections))


def _without_means(notice: Notice) -> Notice | None:
    """The notice without since when it is so, with one thing less to do, or one cause less; None at the end.

    One thing to do outlasts all causes but the first.
    """
    return (
        _with_fewer(notice, {"Since"}, kept=0)
        or _with_fewer(notice, {REMEDY}, kept=1)
        or _with_fewer(notice, CAUSES, kept=1)
        or _with_fewer(notice, {REMEDY}, kept=0)
    )


def _with_fewer(notice: Notice, names: Collection[str], *, kept: int) -> Notice | None:
    """The notice without the last of these facts in a section that has more than so many of them, None for none."""
    for number, section in reversed([*enumerate(notice.sections)]):
        places = [place for place, (name, _) in enumerate(section.facts) if name in names]
        if len(places) > kept:
            facts = (*section.facts[: places[-1]], *section.facts[places[-1] + 1 :])
            # Who reads one cause of several is not to take it for the only one.
            facts = (*facts, MORE) if names == CAUSES and MORE not in facts else facts
            less = replace(section, facts=facts)
            return replace(notice, sections=(*notice.sections[:number], less, *notice.sections[number + 1 :]))
    return None


def _with_fewer_facts(notice: Notice) -> Notice | None:
    """The notice without the last fact of one section, None where sections are many or have few facts."""
    if len(notice.sections) > _FEW_SECTIONS:
        return None
    for number, section in enumerate(notice.sections):
        facts = tuple(each for each in section.facts if each != MORE)
        if len(facts) > _LEAST_FACTS:
            fewer = replace(section, facts=(*facts[:-1], MORE))
            return replace(notice, sections=(*notice.sections[:number], fewer, *notice.sections[number + 1 :]))
    return None


def lines_of(notice: Notice) -> int:
    """How many lines of a phone it takes, rather too many than too few."""
    lines = _wrapped(notice.signed_heading, _HEADING) + bool(notice.rest) * 2 + bool(notice.dashboard)
    return lines + sum(_lines(section, is_said=notice.says(section)) for section in notice.sections)


def _lines(section: Section, *, is_said: bool) -> int:
    title = 0 if is_said else _wrapped(section.title, _TEXT)
    facts = sum(_wrapped(f"{name}: {value}", _TEXT) for name, value in section.facts)
    entries = sum(_wrapped(entry.label + entry.text, _TEXT) for entry in section.entries)
    return title + facts + entries + sum(_wrapped(command, _COMMAND) for command in section.commands)


def _wrapped(text: str, width: int) -> int:
    wide = sum(east_asian_width(letter) in "WF" for letter in text)
    broad = sum(map(text.count, _BROAD))
    return max(1, -(-(len(text) + wide + broad // 2) // width))
