"""What a person makes of a chat message or a page: the bodies of the formats that tell how things stand, read back.

Owns the reading, by the services' formats and the words in them. Does not own what should have been said (`listeners`).
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

PHASES = ("preparation", "release")
_OF_POOLS = re.compile(r":(pool\||further-pools)|[Nn]odes|only node|[Tt]he start task|[Nn]o watched job|[Pp]ools? ")
_PLACE = re.compile(r"\S+/\S+")
_NEWLY = re.compile(r"(\d+) newly failed")
_TAKE_NONE = re.compile(r"(nodes?|still) (takes?|took)\b.* none of the job's tasks")
_WHY = re.compile(r"Why (\w+) failed")
_ON_NODES = re.compile(r" on \d+ nodes?")
_EVENTS = {
    r"Prepwatch can't read": "account.unreachable",
    r"Prepwatch reads Batch account": "account.reachable",
    r"Webhook \S+ (does not take|refuses) what it is sent": "webhook.failing",
    r"Webhook \S+ works again": "webhook.recovered",
    r"Webhook \S+ (is|was) switched off": "webhook.disabled",
    r"Webhook \S+ is switched on again": "webhook.enabled",
    r"Prepwatch reaches you here": "ping",
}
"""By their headings, what tells an event by itself."""
_EVENT_KEYS = ("prepwatch:account:", "prepwatch:webhook:", "prepwatch:ping:")
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
_FACT = re.compile(
    r"(Preparation|Release|Vanished|Not seen|In sight again|Why|Moves again|Stands still|Slow|Job|Since): "
)
_NAMED = re.compile(r": ([\w:-]+), [\w-]+/|([\w:-]+) of [\w-]+/\S+ stands still")
_DAILY = "Not over yet: "
_ALIKE, _ALSO = "The same in", "Also"
_STILL = re.compile(r"stands? still")
_OVER = re.compile(r"reparation works again|oves again after|egun anew, and|othing is known of it any more")
_TAKES_LONG = re.compile(r": preparation takes |^\W*Preparation takes ")
_STANDS = re.compile(r"reparation takes |Prepwatch can't read")
"""Titles of what goes on, though why is said under them."""
_ENDED = re.compile(r": (ended|gone|replaced|not watched any more)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a message says about one thing: a title and named facts."""

    title: str
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def job(self) -> str:
        """The job that it is about, in lower case."""
        named = dict(self.facts).get("Job", "")
        if not named and (found := _NAMED.search(self.title)):
            named = found[1] or found[2]
        return (named.partition(",")[0] if named else self.title.partition(": ")[0]).lower()

    @property
    def resolved(self) -> bool:
        """Whether it says that what was wrong is over."""
        ended = set(dict(self.facts)) <= {"More"} and _ENDED.search(self.title) is not None
        why_over = "Why" in dict(self.facts) and _STANDS.search(self.title) is None
        return ended or _OVER.search(self.title) is not None or why_over

    @property
    def about(self) -> frozenset[tuple[str, ...]]:
        """The pools and causes that it names: pool, phase, and what was said, however many nodes it is on."""
        pool = dict(self.facts).get("Job", "").partition(", pool ")[2].partition(", account ")[0]
        causes = [(found[1], _ON_NODES.sub("", said)) for name, said in self.facts if (found := _WHY.match(name))]
        return frozenset((pool, *cause) for cause in causes)

    @property
    def of_a_pool(self) -> bool:
        """Whether it tells how the nodes of a pool are."""
        return "Pool" in dict(self.facts)

    @property
    def pool(self) -> str:
        """The pool whose nodes it tells of, that they can't work or that this is over; empty when it is of a job."""
        found = _PLACE.search(self.title)
        return found[0] if found is not None and "Job" not in dict(self.facts) else ""

    @property
    def is_cut(self) -> bool:
        """Whether there was no room for all of how the job stands: a line beside other jobs says what is new."""
        return "More" in dict(self.facts)

    @property
    def vanished(self) -> bool:
        """Whether it says that the job is not there any more."""
        return "anished before" in self.title

    @property
    def stuck(self) -> bool:
        """Whether it says that none of the job's tasks can run, whatever else it is named after."""
        return _STILL.search(self.title) is not None or "Stands still" in dict(self.facts)

    @property
    def tells_of_failures(self) -> bool:
        """Whether it says that something has gone wrong with the job's tasks."""
        # That a job moves again is an end, though it says which nodes still take none of its tasks.
        wrong = ("failed", "stands still", "stand still", "still fail")
        return any(map(self.newly_failed, PHASES)) or any(words in self.title for words in wrong)

    @property
    def fails(self) -> bool | None:
        """Whether whoever reads it takes the job for one that is held up now; None when it does not say."""
        if self.resolved or self.vanished:
            return False
        if _STILL.search(self.title):
            return True
        said = dict(self.facts).get("Preparation")
        # What merely takes too long moves, whatever was said before.
        if _TAKES_LONG.search(self.title):
            return said is not None and _TAKE_NONE.search(said) is not None
        return None if said is None else _TAKE_NONE.search(said) is not None

    @property
    def goes_on(self) -> bool:
        """Whether it says that something lasts, whatever else is over: nobody sees how the job fares."""
        return "Not seen" in dict(self.facts)

    def newly_failed(self, phase: str) -> int:
        """How many nodes it says have failed since the last message."""
        found = _NEWLY.match(dict(self.facts).get(phase.capitalize(), ""))
        return int(found[1]) if found else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A message as it is read; `incident` is a page's key and `ends` says that the page closes it."""

    headline: str
    parts: tuple[Part, ...]
    incident: str = ""
    ends: bool = False

    @property
    def event_type(self) -> str | None:
        """The type of the event that it tells by itself, None for how jobs stand and for the end of an incident."""
        if self.incident:
            return self.parts[0].title if self.parts and self.incident.startswith(_EVENT_KEYS) else None
        return _event_of(self.headline)

    @property
    def is_cut(self) -> bool:
        """Whether there was no room for all that there was to tell."""
        return bool(self.parts) and ("more" in self.parts[-1].title or any(part.is_cut for part in self.parts))

    @property
    def daily(self) -> bool:
        """Whether it only says once more what still stands."""
        return _DAILY in self.headline

    @property
    def tells_of_pools(self) -> bool:
        """Whether it tells how the nodes of pools are."""
        return (
            _OF_POOLS.search(self.incident or " ".join([self.headline, *(part.title for part in self.parts)]))
            is not None
        )

    @property
    def about_jobs(self) -> bool:
        """Whether it tells how jobs stand."""
        return not self.incident.startswith(_EVENT_KEYS) if self.incident else self.event_type is None


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
    sections = ["".join(item["text"] for item in block["elements"][0]["elements"]) for block in others]
    return Reading(
        headline=headline,
        parts=_parts(headline, [section.split("\n") for section in sections if section != "Dashboard"]),
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
    return Reading(headline=_text(heading), parts=_parts(_text(heading), groups))


def _parts(headline: str, groups: Sequence[Sequence[str]]) -> tuple[Part, ...]:
    """The parts of a message: the only job of one may have its title in the headline alone, behind a sign."""
    if _event_of(headline) is not None:
        return tuple(_part(headline, *group) for group in groups)
    if groups and (_FACT.match(groups[0][0]) or (len(groups) == 1 and _OF_POOLS.search(headline))):
        groups = [[headline, *groups[0]], *groups[1:]]
    return tuple(part for group in groups for part in _each(group))


def _each(group: Sequence[str]) -> Iterator[Part]:
    """The part of a group, or those of the jobs that it only counts, or tells of in a line."""
    if group[0] == _ALSO:
        yield from map(_line, group[1:])
        return
    if group[0] != _ALIKE:
        yield _part(*group)
        return
    for line in group[1:]:
        jobs, _, numbers = line.rpartition(": ")
        name = "Stands still" if numbers.startswith("stands still") else "Preparation"
        title = "stands still" if "stands still" in numbers else "preparation failed"
        for job in jobs.split(", "):
            yield Part(title=f"{job}: {title}", facts=((name, f"{numbers} take none of the job's tasks"),))


def _line(line: str) -> Part:
    """A job of which a line says what has happened, and of how many nodes that is news."""
    new = re.search(r"(\d+ newly failed)", line)
    takes = "; nodes take none of the job's tasks" if "preparation failed on " in line and "mended" not in line else ""
    phase = "Release" if ": release failed" in line else "Preparation"
    facts = [(phase, f"{new[1]}{takes}")] if new else []
    return Part(title=line, facts=(("More", line.partition(": ")[2]), *facts))


@lru_cache  # every event that there was is compared with each message
def _event_of(headline: str) -> str | None:
    if _DAILY in headline:
        return None
    return next((kind for words, kind in _EVENTS.items() if re.search(words, headline)), None)


def _text(block: Mapping[str, Any]) -> str:
    text = block["items"][0]["text"] if block["type"] == "Container" else block["text"]
    return _MARKED.sub(r"\1", text)


def _page(document: Mapping[str, Any]) -> Reading:
    key, ends = document["dedup_key"], document["event_action"] == "resolve"
    if ends:
        return Reading(headline="resolved", parts=(), incident=key, ends=True)
    payload = document["payload"]
    details, summary = payload["custom_details"], payload["summary"]
    if key.startswith(_EVENT_KEYS):
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
