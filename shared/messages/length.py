"""How long a message is on a phone, and how it is made to fit: nobody reads more than 25 lines at night.

Owns that number and the estimate. Does not own bytes (`messages.teams`, `messages.slack`). Pure. Widths are those that
Microsoft's card renderer has at 320 pixels: a line holds so many ordinary letters, of which wide signs take two.
"""

from unicodedata import east_asian_width

from shared.messages.notices import SHORT_BYTES, SHORTEST_BYTES, Notice, Section

MAX_LINES = 25
_HEADING, _TEXT, _COMMAND = 26, 35, 27
"""Letters on a line of 288 pixels: 18 pixels high and bold, 14 pixels high, and of a fixed width."""
_BROAD = "mwMW@%"


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
        notice.without_lesser()
        or notice.without_minor()
        # Who is awake wants to know how many are concerned, not each by its name.
        or notice.with_fewer_names()
        or notice.in_short(SHORT_BYTES)
        or notice.listed()
        or notice.with_fewer_lines()
        or notice.without_commands()
        or notice.in_short(SHORTEST_BYTES)
        or notice.without_means()
        or notice.with_fewer_facts()
    )


def lines_of(notice: Notice) -> int:
    """How many lines of a phone it takes, rather too many than too few."""
    lines = _wrapped(notice.signed_heading, _HEADING) + bool(notice.rest) * 2 + bool(notice.dashboard)
    return lines + sum(_lines(section, notice.heading) for section in notice.sections)


def _lines(section: Section, said: str) -> int:
    title = 0 if section.title == said else _wrapped(section.title, _TEXT)
    facts = sum(_wrapped(f"{name}: {value}", _TEXT) for name, value in section.facts)
    entries = sum(_wrapped(entry.label + entry.text, _TEXT) for entry in section.entries)
    return title + facts + entries + sum(_wrapped(command, _COMMAND) for command in section.commands)


def _wrapped(text: str, width: int) -> int:
    wide = sum(east_asian_width(letter) in "WF" for letter in text)
    broad = sum(map(text.count, _BROAD))
    return max(1, -(-(len(text) + wide + broad // 2) // width))
