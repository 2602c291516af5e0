"""What a person makes of a chat message or a page, by the words in them.

Owns what the words mean. Does not own the formats that they come in (`promises.bodies`) or what should have been said
(`promises.listeners`).
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

PHASES = ("preparation", "release")
_OF_POOLS = re.compile(r":(pool\||further-pools)|[Nn]odes|only node|[Tt]he start task|[Nn]o active job|[Pp]ools? ")
_PLACE = re.compile(r"\S+/\S+")
_NEWLY = re.compile(r"(\d+) newly failed")
_TAKE_NONE = re.compile(r"(nodes?|still) (takes?|took)\b.* none of the job's tasks|tasks run there all the same")
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
EVENT_KEYS = ("prepwatch:account:", "prepwatch:webhook:", "prepwatch:ping:")
"""What the keys of pages begin with that tell an event by itself."""
LEFT_OUT = "not named here"
"""Said of the jobs and pools for which there was no room."""
_NAMED = re.compile(r": ([\w:-]+), [\w-]+/|([\w:-]+) of [\w-]+/\S+ stands still")
_DAILY = "Not over yet: "
_STILL = re.compile(r"stands? still")
_OVER = re.compile(
    r"reparation works again|odes that failed have left|oves again after|egun anew, and|othing is known of it any more|"
    r"(?:while it stood still|it stood still until then|and nothing was mended)(?!;)"
)
_TAKES_LONG = re.compile(r": preparation takes |^\W*Preparation takes ")
_STANDS = re.compile(r"reparation takes |Prepwatch can't read")
"""Titles of what goes on, though why is said under them."""
_NODES = r"(?:all \d+ nodes|\d+ of \d+ nodes|the only node) of ([^\s,;:]+)"
_UNABLE = re.compile(
    rf"(?:on|use|with|start of) {_NODES}|{_NODES} can't work|\d+ pools? with nodes that can't work", re.IGNORECASE
)
"""That nodes of a pool can't work, or of pools that are only counted."""
_ABLE_AGAIN = re.compile(
    r"odes? of \S+ works? again|could not work have left |Pool \S+ is not watched any more|No active job uses "
)
"""That this is over, or that nobody waits for them."""
_FORGOTTEN = timedelta(days=1) - timedelta(seconds=10)
"""After so long a cause may be told as one never heard of; clocks are off."""
_CUT = re.compile(r"…( \[cut\])?$")
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
        pool = dict(self.facts).get("Job", "").partition(", pool ")[2].partition(", account")[0]
        if not pool and (place := _PLACE.search(self.title)):
            pool = place[0].partition("/")[2].rstrip(",:")
        causes = [(found[1], _ON_NODES.sub("", said)) for name, said in self.facts if (found := _WHY.match(name))]
        return frozenset((pool, *cause) for cause in causes)

    @property
    def of_a_pool(self) -> bool:
        """Whether it tells that nodes of a pool can't work, be it in a line."""
        return "Pool" in dict(self.facts) or _UNABLE.search(self.title) is not None

    @property
    def ends_a_pool(self) -> bool:
        """Whether it tells that nodes of a pool work again, or that nobody waits for them any more."""
        return _ABLE_AGAIN.search(self.title) is not None

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
        # What merely takes too long moves, whatever was said before; a line has no room for what else holds it up.
        if _TAKES_LONG.search(self.title) and not self.is_cut:
            return said is not None and _TAKE_NONE.search(said) is not None
        return None if said is None else _TAKE_NONE.search(said) is not None

    @property
    def goes_on(self) -> bool:
        """Whether it says that something lasts, whatever else is over: nobody sees how the job fares."""
        return "Not seen" in dict(self.facts)

    @property
    def out_of_sight(self) -> bool | None:
        """Whether nobody sees how the job fares; None when a line has no room for that, though it may tell an end."""
        if self.goes_on or "an't be read" in self.title:
            return True
        return None if self.is_cut and "be read" not in self.title else False

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
            return self.parts[0].title if self.parts and self.incident.startswith(EVENT_KEYS) else None
        return event_of(self.headline)

    @property
    def is_cut(self) -> bool:
        """Whether there was no room for all that there was to tell."""
        return self.leaves_out or any(part.is_cut for part in self.parts)

    @property
    def leaves_out(self) -> bool:
        """Whether there was no room for some jobs or pools at all."""
        return bool(self.parts) and LEFT_OUT in self.parts[-1].title

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
    def pools_in_trouble(self) -> frozenset[str]:
        """The pools of which its heading says that nodes can't work; an empty name for what it only counts, or cuts."""
        named = [found[1] or found[2] or "" for found in _UNABLE.finditer(self.headline)]
        return frozenset([*named, ""] if _CUT.search(self.headline) else named)

    @property
    def about_jobs(self) -> bool:
        """Whether it tells how jobs stand."""
        return not self.incident.startswith(EVENT_KEYS) if self.incident else self.event_type is None


@dataclass(slots=True)
class KnownPools:
    """What a chat's readers know of pools: those `told`, and those that a heading named, with when.

    Where there is no room for all that is to be told, the heading names the pool, or counts the pools: only of those of
    `told` that `stand` as well is it sure that their end was not among it.
    """

    told: set[str] = field(default_factory=set)
    stand: set[str] = field(default_factory=set)
    _named: dict[str, datetime] = field(default_factory=dict)

    def hear(self, reading: Reading, at: datetime) -> None:
        """They have read a message."""
        if reading.leaves_out:
            self.stand.clear()
        for part in reading.parts:
            if part.of_a_pool:
                self.told.add(part.pool)
                self.stand.add(part.pool)
            elif part.ends_a_pool:
                self.told.discard(part.pool)
                self.stand.discard(part.pool)
                self._named.pop(part.pool, None)
        self._named.update(dict.fromkeys(reading.pools_in_trouble, at))

    def has(self, pool: str, since: datetime) -> bool:
        """Whether they were told that nodes of a pool can't work, or that those of some pools can't, since then."""
        named = [name for name, at in self._named.items() if at >= since]
        return any(not name or name.endswith(f"/{pool}") for name in (*self.told, *named))


@dataclass(slots=True, kw_only=True)
class KnownCauses:
    """When a chat's readers last heard of each cause in a pool.

    Beside other jobs there may be no room to say in which pool a job is: it is one of its `pools`, by job.
    """

    pools: Mapping[str, Collection[str]]
    _heard: dict[tuple[str, ...], datetime] = field(default_factory=dict)

    def hear(self, part: Part, at: datetime) -> None:
        """They have read of a job."""
        self._heard |= {found[0]: at for found in self._found(part) if len(found) == 1}

    def may_be_news(self, part: Part, at: datetime) -> bool:
        """Whether they may not have heard within a day of one of the causes that it names."""
        before = at - _FORGOTTEN
        return any(self._heard.get(cause, before) <= before for found in self._found(part) for cause in found)

    def _found(self, part: Part) -> list[list[tuple[str, ...]]]:
        """Each cause, in every pool in which it may be."""
        return [[(each, *cause) for each in ([pool] if pool else self.pools[part.job])] for pool, *cause in part.about]


@lru_cache  # every event that there was is compared with each message
def event_of(headline: str) -> str | None:
    """The type of the event that a heading tells by itself, None for how jobs and pools stand."""
    if _DAILY in headline:
        return None
    return next((kind for words, kind in _EVENTS.items() if re.search(words, headline)), None)
