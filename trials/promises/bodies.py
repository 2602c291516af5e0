"""The bodies of the formats that tell how things stand, read back into what a person sees.

Owns the services' formats. Does not own what the words mean (`promises.reading`).
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from trials.promises.reading import EVENT_KEYS, LEFT_OUT, Part, Reading, event_of

_DETAILS = {
    "preparation": "Preparation",
    "release": "Release",
    "why": "Cause",
    "do": "What to do",
    "since": "Since",
    "code": "Code",
    "requestId": "Request id",
}
_MARKED = re.compile(r"\\([!-/:-@\[-`{-~])|\*\*")
_TITLE_ENDS = re.compile(r"\S+/\S+|: [\w:-]+, [\w-]+$")
"""What the title of a job or pool says at last: where it is."""
_ENTRY = re.compile(
    r"(?!Preparation: |Release: )([\w:-]+(?:, [\w:-]+)*): "
    r"(\d+ newly failed|\d+ tasks? waits?|(?:\d+ of \d+|all \d+) nodes|its only node|preparation works again|"
    r"moves again|ended|gone|replaced|not watched|begun anew|the nodes that failed|disabled|no task waits)"
)
"""Jobs that fare alike, and how."""
_ALSO = "Also"
_COUNTED = re.compile(r"\b\d+ jobs\b")
"""Jobs that a line or a title tells of together, and does not name."""


def read_message(webhook_format: str, body: bytes) -> Reading:
    """Read a request to a webhook of a format that tells how things stand."""
    document = json.loads(body)
    if webhook_format == "slack":
        return _slack(document)
    if webhook_format == "teams":
        return _teams(document)
    return _page(document)


def _slack(document: Mapping[str, Any]) -> Reading:
    header, *others = document["blocks"]
    headline = header["text"]["text"]
    sections = [block["elements"][0]["elements"] for block in others]
    groups = ["".join(item["text"] for item in section).split("\n") for section in sections]
    begins = sections[0][0] if sections else {}
    is_fact = begins.get("text", "").endswith(": ") or "style" not in begins
    return Reading(
        headline=headline,
        parts=_parts(headline, [group for group in groups if group != ["Dashboard"]], goes_on=is_fact),
    )


def _teams(document: Mapping[str, Any]) -> Reading:
    (attachment,) = document["attachments"]
    heading, *blocks = attachment["content"]["body"]
    groups: list[list[str]] = []
    for block in blocks:
        if "fontType" in block:
            continue  # a command to copy
        if not groups or block.get("separator") or "spacing" not in block:
            groups.append([])
        groups[-1].append(_text(block))
    headline = _text(heading)
    return Reading(headline=headline, parts=_parts(headline, groups, goes_on=bool(blocks) and "spacing" in blocks[0]))


def _parts(headline: str, groups: Sequence[Sequence[str]], *, goes_on: bool) -> tuple[Part, ...]:
    """The parts of a message; `goes_on` when the first has its title in the headline alone, behind a sign."""
    if event_of(headline) is not None:
        return tuple(_part(headline, *group) for group in groups)
    if groups and goes_on and LEFT_OUT not in groups[0][0]:
        groups = [[_first_title(headline) if len(groups) > 1 else headline, *groups[0]], *groups[1:]]
    return tuple(part for group in groups for part in _each(group))


def _first_title(headline: str) -> str:
    """The title with which a headline begins, which may have several clauses: it ends with where that is."""
    clauses = headline.split("; ")
    ends = next((number for number, clause in enumerate(clauses, 1) if _TITLE_ENDS.search(clause)), 1)
    return "; ".join(clauses[:ends])


def _each(group: Sequence[str]) -> Iterator[Part]:
    """The part of a group, or those of the jobs that it only counts, or tells of in a line."""
    if group[0] == _ALSO:
        yield from (_line(line) for line in group[1:] if not _COUNTED.search(line))
        return
    entries = [found for line in group[1:] if (found := _ENTRY.match(line))]
    if not entries and not _COUNTED.search(group[0]):
        yield _part(*group)
    for found in entries:
        numbers = found.string[found.start(2) :]
        for job in found[1].split(", "):
            yield _alike(job, numbers.removesuffix(" in each").removesuffix(" each"), _part(*group))


def _alike(job: str, numbers: str, together: Part) -> Part:
    """A job of several that fare alike: its numbers, and why all of them do."""
    if (over := Part(title=f"{job}: {numbers}")).resolved:
        return over
    about = sorted(together.about)
    why = [(f"Why {phase} failed", said) for _, phase, said in about]
    where = [("Job", f"{job}, pool {pool}, account") for pool in sorted({pool for pool, _, _ in about})]
    if "elease failed" in together.title:
        return Part(title=f"{job}: release failed", facts=(("Release", numbers), *why, *where))
    waits = re.search(r"\d+ tasks? waits?", numbers)
    name = "Stands still" if waits is not None and waits.start() == 0 else "Preparation"
    title = "stands still" if waits is not None else "preparation failed"
    return Part(title=f"{job}: {title}", facts=((name, f"{numbers} take none of the job's tasks"), *why, *where))


def _line(line: str) -> Part:
    """A job of which a line says what has happened, and of how many nodes that is news."""
    new = re.findall(r"(preparation|release): (\d+ newly failed)", line)
    if not new and (bare := re.search(r"\d+ newly failed", line)):
        new = [("release" if ": release failed" in line else "preparation", bare[0])]
    takes = "; nodes take none of the job's tasks" if "preparation failed on " in line and "mended" not in line else ""
    facts = [(phase.capitalize(), f"{number}{takes}" if phase == "preparation" else number) for phase, number in new]
    return Part(title=line, facts=(("More", line.partition(": ")[2]), *facts))


def _text(block: Mapping[str, Any]) -> str:
    text = block["items"][0]["text"] if block["type"] == "Container" else block["text"]
    return _MARKED.sub(r"\1", text)


def _page(document: Mapping[str, Any]) -> Reading:
    key, ends = document["dedup_key"], document["event_action"] == "resolve"
    if ends:
        return Reading(headline="resolved", parts=(), incident=key, ends=True)
    payload = document["payload"]
    details, summary = payload["custom_details"], payload["summary"]
    if key.startswith(EVENT_KEYS):
        part = Part(title=payload["class"], facts=tuple(_details(details)))
        return Reading(headline=summary, parts=(part,), incident=key)
    # Of a pool's incident they are named as those that use it.
    jobs = [str(line).rpartition(": ")[0] for line in details["jobs"] if ": " in str(line)]
    return Reading(headline=summary, parts=tuple(Part(title=f"{job}: {summary}") for job in jobs), incident=key)


def _details(details: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """A pager's details as named facts, a time as the chats say it."""
    for key, name in _DETAILS.items():
        for value in details[key] if isinstance(details.get(key), list) else [details.get(key)]:
            if value is not None:
                yield name, f"{datetime.fromisoformat(value):%H:%M} UTC" if key == "since" else str(value)


def _part(title: str, *facts: str) -> Part:
    return Part(title=title, facts=tuple((name, value) for name, _, value in (fact.partition(": ") for fact in facts)))
