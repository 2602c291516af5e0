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
REMEDY = "What to do"
CAUSES = ("Cause", "Why preparation failed", "Why release failed")
"""The facts that say why, one for each cause."""
MINOR = ("Nodes", "Nodes of the pool", "Until then", "Request id", "Node", "Tasks")
"""Facts that a message can do without, in the order in which they are left out where there is no room."""
LESSER = (*MINOR, "Since", "Lasted", REMEDY)
"""Those, and what only the worst that a message tells of keeps."""
FEW = 3
"""Names on a line, and lines of a list, which are left where there is little room."""


class Severity(StrEnum):
    """How bad what a notice tells is."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    GOOD = "good"

    @property
    def rank(self) -> int:
        """Its place among the others, the worst first."""
        return list(Severity).index(self)


def worst_of(severities: Iterable[Severity]) -> Severity:
    """The worst of several, at least one."""
    return min(severities, key=lambda severity: severity.rank)


SIGNS: Mapping[Severity, str] = {
    Severity.CRITICAL: "\N{POLICE CARS REVOLVING LIGHT}",
    Severity.ERROR: "\N{LARGE RED CIRCLE}",
    Severity.WARNING: "\N{LARGE YELLOW CIRCLE}",
    Severity.INFO: "\N{LARGE BLUE CIRCLE}",
    Severity.GOOD: "\N{LARGE GREEN CIRCLE}",
}
"""What a heading begins with, so that nobody needs its colour to see how bad it is."""


class ListEntry(Struct, frozen=True, kw_only=True):
    """A line of a list: what is so of the jobs or pools that it names; without names, of what its text says."""

    names: tuple[str, ...] = ()
    text: str

    @property
    def label(self) -> str:
        """What stands before the text, empty without names."""
        return f"{', '.join(self.names)}: " if self.names else ""


class Section(Struct, frozen=True, kw_only=True):
    """Something that a notice tells, the most important facts first; each a name and a value.

    `entries` are what it tells of, a line for all that is alike, so that those without room can be counted. `commands`
    are to be copied as they stand: they are shown in a fixed font, and never cut. `line` is the section as an entry,
    None where a line can't say it.
    """

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    entries: tuple[ListEntry, ...] = ()
    commands: tuple[str, ...] = ()
    line: ListEntry | None = None

    @property
    def named(self) -> int:
        """How many jobs or pools it tells of by name."""
        return sum(len(entry.names) for entry in self.entries) if self.entries else 1

    def in_short(self, limit: int) -> "Section":
        """The section with at most `limit` bytes of each text; ids stay whole, and so does what to do."""
        kept = {JOB, REMEDY}
        facts = tuple((name, text if name in kept else one_line(text, limit=limit)) for name, text in self.facts)
        return replace(self, facts=facts)

    def without(self, name: str) -> "Section":
        """The section without the facts of this name."""
        return replace(self, facts=tuple(each for each in self.facts if each[0] != name))

    def with_fewer_names(self) -> "Section | None":
        """The section without its last name, None where no line of it has more than a few."""
        long = [number for number, entry in enumerate(self.entries) if len(entry.names) > FEW]
        if not long:
            return None
        entry = self.entries[long[-1]]
        fewer = replace(entry, names=entry.names[:-1])
        return replace(self, entries=(*self.entries[: long[-1]], fewer, *self.entries[long[-1] + 1 :]))


class PageDetails(Struct, frozen=True, kw_only=True):
    """What a pager needs beside a heading: which incident it is about, and what rules and people can go by.

    `over` says that it ends the incident of this `key`, however good or bad its words are. `since` is None when nobody
    knows. `kind` is what it tells, in the words of events, and `details` stand under keys that are always the same.
    """

    key: str
    over: bool = False
    account: str
    about: str
    since: datetime | None = None
    kind: str
    details: Mapping[str, object] = {}


class Notice(Struct, frozen=True, kw_only=True):
    """A message for people.

    `left_out` counts the jobs and pools that there was no room to name. `dashboard` is where people see more, None when
    nobody has said where the app is. `page` is None in what only chat is told.
    """

    heading: str
    severity: Severity
    sections: tuple[Section, ...] = ()
    left_out: int = 0
    dashboard: str | None = None
    page: PageDetails | None = None

    @property
    def signed_heading(self) -> str:
        """The heading behind the sign of how bad it is."""
        return f"{SIGNS[self.severity]} {self.heading}"

    def says(self, section: Section) -> bool:
        """Whether its heading has the title of one of its sections, alone or before what else there is to tell."""
        begins = section is self.sections[0] and self.heading.startswith(f"{section.title}; ")
        return begins or section.title == self.heading

    def under(self, lead: str) -> "Notice":
        """The notice with words before its heading, also where that is the title of its only section."""
        heading = one_line(f"{lead}{self.heading}", limit=TITLE_BYTES)
        sections = tuple(replace(one, title=heading) if one.title == self.heading else one for one in self.sections)
        return replace(self, heading=heading, sections=sections)

    @property
    def rest(self) -> str:
        """What to say about the sections left out, empty for none."""
        return f"{self.left_out} not named here; the dashboard has them all" if self.left_out > 0 else ""

    @property
    def text(self) -> str:
        """The whole in lines of plain text."""
        lines = [self.signed_heading]
        for section in self.sections:
            lines += [section.title] if not self.says(section) else []
            lines += [f"{name}: {value}" for name, value in section.facts]
            lines += [*(entry.label + entry.text for entry in section.entries), *section.commands]
        details = self.page.details if self.page is not None and not self.sections else {}
        for name, value in details.items():
            lines.append(f"{name}: {', '.join(map(str, value)) if isinstance(value, list) else value}")
        return "\n".join([*lines, *([self.rest] if self.rest else [])])

    def shorter(self) -> "Notice":
        """The notice without its last name or section; of a single one that is left, without commands or last fact."""
        *others, last = self.sections
        # Of a list, one name goes, or a line that has one at most.
        if len(last.entries) > 1 or last.named > 1:
            *kept, entry = last.entries
            fewer = [replace(entry, names=entry.names[:-1])] if len(entry.names) > 1 else []
            sections = (*others, replace(last, entries=(*kept, *fewer)))
            return replace(self, sections=sections, left_out=self.left_out + bool(entry.names))
        # Others are left, or this one is only a heading: it goes as a whole.
        if others or not (last.facts or last.commands):
            return replace(self, sections=tuple(others), left_out=self.left_out + last.named)
        # The only one says what has happened before it says what to type.
        if last.commands:
            return replace(self, sections=(replace(last, commands=()),))
        return replace(self, sections=(replace(last, facts=last.facts[:-1]),))

    def paging(self, *, over: bool) -> "Notice":
        """The notice as one that ends the incident that it is about, or does not."""
        return replace(self, page=replace(self.page, over=over)) if self.page is not None else self

    def least(self) -> "Notice":
        """The notice in one line of plain letters: what a service that calls the whole wrong may still take."""
        heading = self.heading.encode("ascii", "replace").decode()
        page = replace(self.page, since=None, details={}) if self.page is not None else None
        return replace(self, heading=heading, sections=(), left_out=0, dashboard=None, page=page)


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
