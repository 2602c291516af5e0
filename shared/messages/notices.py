"""What a message to people is made of: a heading, how bad it is, and sections of facts in plain words.

Owns the values and the caps on their texts. Does not own what is said about jobs (`digests.jobs.notices`) or of an
event (`messages.event_notices`), nor how a service wants it written (`messages.teams`, `messages.slack`,
`messages.pagerduty`). All text is plain and cleaned: no control characters, no secrets, one line, bounded.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from shared.redaction import one_line

TITLE_BYTES = 400
VALUE_BYTES = 600
NAME_BYTES = 160
JOB = "Job"
"""The fact that has the whole ids."""
LESSER = ("Nodes", "Nodes of the pool", "Until then", "Request id", "Since", "What to do")
"""Facts that a message can do without, in the order in which they are left out where there is no room."""
ALSO = "Also"
"""Over what is told in a line each, because there was no room for more."""
MORE = ("More", "on the dashboard")
"""Where there was no room for all facts of a job."""
_FEW_SECTIONS, _LEAST_FACTS = 2, 3
_SHORT_BYTES = (200, 100)
"""How much of a fact is said where there is less and less room; whole ids are never cut."""


class Severity(StrEnum):
    """How bad what a notice tells is."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    GOOD = "good"


def worst_of(severities: Iterable[Severity]) -> Severity:
    """The worst of several, at least one."""
    return min(severities, key=list(Severity).index)


SIGNS: Mapping[Severity, str] = {
    Severity.CRITICAL: "\N{POLICE CARS REVOLVING LIGHT}",
    Severity.ERROR: "\N{LARGE RED CIRCLE}",
    Severity.WARNING: "\N{LARGE YELLOW CIRCLE}",
    Severity.INFO: "\N{LARGE BLUE CIRCLE}",
    Severity.GOOD: "\N{LARGE GREEN CIRCLE}",
}
"""What a heading begins with, so that nobody needs its colour to see how bad it is."""


class Section(Struct, frozen=True, kw_only=True):
    """Something that a notice tells, the most important facts first; each a name and a value.

    `commands` are to be copied as they stand: they are shown in a fixed font, and never cut. One that `lists` has
    entries for facts, whose names are those of one thing or several, so that those without room are counted. `line` is
    the section as such an entry, None where a line can't say it.
    """

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    commands: tuple[str, ...] = ()
    lists: bool = False
    line: tuple[str, str] | None = None

    def in_short(self, limit: int) -> "Section":
        """The section with at most `limit` bytes of each text; ids stay whole."""
        if self.lists:
            return self
        facts = tuple((name, text if name == JOB else one_line(text, limit=limit)) for name, text in self.facts)
        return replace(self, facts=facts)


class Notice(Struct, frozen=True, kw_only=True):
    """A message for people; `subject` is what it is about (a job, an account, a webhook), the same for its end.

    `over` says that it ends what was told of the subject, however good or bad its words are: an incident closes by
    that alone. `left_out` counts the sections that there was no room for; `since` is None when nobody knows.
    `kind` is what it tells, in a word that rules of a pager can go by, and `details` what they can read, under keys
    that are always the same. `incident` is the key of what is told as an incident, None if `subject` makes it.
    `dashboard` is where people see more, None when nobody has said where the app is.
    """

    heading: str
    severity: Severity
    over: bool = False
    subject: str
    account: str
    about: str
    since: datetime | None = None
    sections: tuple[Section, ...] = ()
    left_out: int = 0
    dashboard: str | None = None
    kind: str = ""
    details: Mapping[str, object] = {}
    incident: str | None = None

    @property
    def signed_heading(self) -> str:
        """The heading behind the sign of how bad it is."""
        return f"{SIGNS[self.severity]} {self.heading}"

    def under(self, lead: str) -> "Notice":
        """The notice with words before its heading, also where that is the title of its only section."""
        heading = one_line(f"{lead}{self.heading}", limit=TITLE_BYTES)
        sections = tuple(replace(one, title=heading) if one.title == self.heading else one for one in self.sections)
        return replace(self, heading=heading, sections=sections)

    @property
    def rest(self) -> str:
        """What to say about the sections left out, empty for none."""
        return f"and {self.left_out} more; the dashboard has them all" if self.left_out else ""

    @property
    def text(self) -> str:
        """The whole in lines of plain text."""
        lines = [self.signed_heading]
        for section in self.sections:
            lines += [section.title] if section.title != self.heading else []
            lines += [*(f"{name}: {value}" for name, value in section.facts), *section.commands]
        for name, value in self.details.items() if not self.sections else ():
            lines.append(f"{name}: {', '.join(map(str, value)) if isinstance(value, list) else value}")
        return "\n".join([*lines, *([self.rest] if self.rest else [])])

    def slimmer(self) -> "Notice | None":
        """The notice without one kind of its lesser facts, without its commands, or in shorter texts; None at the end.

        What it tells of stays: every section with why, and every entry of one that lists. Where there are few sections,
        of each the first facts.
        """
        if (less := self.without_lesser()) is not None:
            return less
        shorter = (tuple(section.in_short(limit) for section in self.sections) for limit in _SHORT_BYTES)
        if (sections := next((made for made in shorter if made != self.sections), None)) is not None:
            return replace(self, sections=sections)
        if len(self.sections) <= _FEW_SECTIONS:
            for number, section in enumerate(self.sections):
                facts = tuple(each for each in section.facts if each != MORE)
                if len(facts) > _LEAST_FACTS and not section.lists:
                    fewer = replace(section, facts=(*facts[:-1], MORE))
                    return replace(self, sections=(*self.sections[:number], fewer, *self.sections[number + 1 :]))
        return None

    def without_lesser(self) -> "Notice | None":
        """The notice without one kind of its lesser facts, or without its commands; None when it has none of them."""
        for name in LESSER:
            if any(name == fact_name for section in self.sections for fact_name, _ in section.facts):
                kept = (
                    replace(each, facts=tuple(one for one in each.facts if one[0] != name)) for each in self.sections
                )
                return replace(self, sections=tuple(kept))
        if any(section.commands for section in self.sections):
            return replace(self, sections=tuple(replace(section, commands=()) for section in self.sections))
        return None

    def listed(self) -> "Notice | None":
        """The notice with one section less in full, an entry of the list at its end instead; None when none is left."""
        found = [section for section in self.sections[1:] if section.line is not None]
        if not found or found[-1].line is None:
            return None
        *others, last = (section for section in self.sections if section is not found[-1])
        if last.title != ALSO:
            others, last = [*others, last], Section(title=ALSO, lists=True)
        last = replace(last, facts=(found[-1].line, *last.facts))
        return replace(self, sections=(*others, last))

    def shorter(self) -> "Notice":
        """The notice without its last entry or section; of a single one that is left, without commands or last fact."""
        *others, last = self.sections
        # Of a list, one entry goes.
        if last.lists and len(last.facts) > 1:
            dropped = last.facts[-1][0].count(", ") + 1
            sections = (*others, replace(last, facts=last.facts[:-1]))
            return replace(self, sections=sections, left_out=self.left_out + dropped)
        # Others are left, or this one is only a heading: it goes as a whole.
        if others or not (last.facts or last.commands):
            counted = sum(name.count(", ") + 1 for name, _ in last.facts) if last.lists else 1
            return replace(self, sections=tuple(others), left_out=self.left_out + counted)
        # The only one says what has happened before it says what to type.
        if last.commands:
            return replace(self, sections=(replace(last, commands=()),))
        return replace(self, sections=(replace(last, facts=last.facts[:-1]),))

    def least(self) -> "Notice":
        """The notice in one line of plain letters: what a service that calls the whole wrong may still take."""
        heading = self.heading.encode("ascii", "replace").decode()
        return replace(self, heading=heading, since=None, sections=(), left_out=0, dashboard=None, details={})


def join_notices(about: Notice, *parts: Notice) -> Notice:
    """What several notices tell, one after the other, as one; all else that a notice has is that of `about`."""
    return replace(
        about,
        heading=one_line("; ".join(part.heading for part in parts), limit=TITLE_BYTES),
        severity=worst_of(part.severity for part in parts),
        sections=tuple(section for part in parts for section in part.sections),
        left_out=sum(part.left_out for part in parts),
    )


def fact(name: str, text: str, limit: int = VALUE_BYTES) -> tuple[str, str]:
    """A fact in words that may be somebody else's, cleaned and cut to `limit` bytes."""
    return name, one_line(text, limit=limit)
