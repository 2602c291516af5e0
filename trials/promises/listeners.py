"""Watches what each chat and pager webhook is told about jobs, message by message, and says what breaks a promise.

Owns the rules about chat and pager that hold at every moment: who is told how often, what a mute holds back, which
incidents open and end, and that nobody is told of more failures than there were. What must hold in the end is in
`checks_told`. Knows what a person reads and what is recorded as told, and none of the app's own rules.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.messages.events import EventType
from shared.ports import Clock
from shared.state.telling import Incidents
from shared.webhook import Webhook
from trials.promises.mutes import StandingMutes
from trials.promises.paces import Mornings, length_of_series
from trials.promises.reading import PHASES, KnownCauses, KnownPools, Reading
from trials.simulation.scheduler import Owner

_PAUSES = tuple(timedelta(minutes=minutes) for minutes in (5, 10, 20, 40, 60))
_CLOCKS = timedelta(seconds=10)
_LASTS = timedelta(minutes=10)
"""How long nothing of an incident must have gone on before it ends."""
_ON_ITS_WAY = timedelta(seconds=90)
"""How old a decision may be when its message begins to be sent: a cycle ends in between, pages follow one another."""


@dataclass(slots=True, kw_only=True)
class Message:
    """A message that was read; not `accepted` when the app never learnt of it, `excused` when a fault may hide that."""

    at: datetime
    owner: Owner
    reading: Reading
    accepted: bool
    recorded: bool = False
    excused: bool = False


@dataclass(slots=True, kw_only=True)
class Incident:
    """An incident's lives, each from when to when (None: it is open), and the jobs that were named in the last."""

    lives: list[tuple[datetime, datetime | None]] = field(default_factory=list)
    jobs: set[str] = field(default_factory=set)

    @property
    def is_open(self) -> bool:
        """Whether somebody is paged for it now."""
        return bool(self.lives) and self.lives[-1][1] is None


@dataclass(slots=True, kw_only=True)
class Listener:
    """One chat or pager webhook; `failures` counts what it may be told of by job and phase, whoever was told of it.

    `unread` are jobs that there was no room for in some message: it says how many, and that the summary has them.
    """

    webhook: Webhook
    failures: Mapping[tuple[str, str], int]
    mutes: StandingMutes
    clock: Clock
    blame: Callable[[str], None]
    causes: KnownCauses
    messages: list[Message] = field(default_factory=list)
    counted: Counter[tuple[str, str]] = field(default_factory=Counter)
    believed: dict[str, bool] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    _in_flight: Owner | None = None
    _missed_one: bool = False
    _untaken: int = 0
    _may_be_probed: bool = False
    _tried: set[str] = field(default_factory=set)
    _stuck: set[str] = field(default_factory=set)
    _unseen: set[str] = field(default_factory=set)
    _pools: KnownPools = field(default_factory=KnownPools)
    _mornings: Mornings = field(default_factory=Mornings)

    @property
    def is_pager(self) -> bool:
        """Whether it hears of each job by itself."""
        return self.webhook.format == "pagerduty"

    def wants(self, kind: str, job: str, account: str) -> bool:
        """Whether its filters let something about a job pass."""
        return self.webhook.wants(kind, job_id=job, account=account)

    # --- on the way ---

    def sending(self, reading: Reading, owner: Owner) -> None:
        """A message is sent; until it is accepted, as far as anybody knows it is not."""
        if self._in_flight is not None and self._in_flight.alive:
            self._blame("is told twice at the same time")
        self._in_flight = owner
        self._may_be_probed, self._missed_one = self._missed_one or self._untaken > 0, True
        if reading.incident and not reading.ends:
            self._tried.add(reading.incident)
        known = self.incidents[reading.incident].jobs if reading.incident in self.incidents else ()
        for part in reading.parts:
            muted = self.mutes.holds(part.job, self.clock(), _ON_ITS_WAY) and part.job not in known
            ends = part.resolved or (part.vanished and self.last_word(part.job) is not None)
            if muted and part.tells_of_failures and not ends:
                self._blame(f"hears of {part.job}, which is muted: {part.title}")

    def sent(self) -> None:
        """The attempt has ended."""
        self._in_flight = None

    def event_sending(self) -> None:
        """An event that comes by itself is sent, or a ping: who takes none of them is probed, too."""
        self._untaken += 1

    def event_accepted(self) -> None:
        """It was taken."""
        self._untaken = max(0, self._untaken - 1)

    def received(self, reading: Reading, owner: Owner, *, accepted: bool) -> None:
        """A message has reached the receiver, who read it, whether or not the app learns of that."""
        if not reading.about_jobs:
            if reading.incident:
                self.page(reading)
            return
        for part in reading.parts:
            if part.resolved and not self._may_end(part.job):
                self._blame(f"hears that {part.job} is resolved, of which it knew nothing")
        message = Message(
            at=self.clock(), owner=owner, reading=reading, accepted=accepted, excused=not accepted or not owner.alive
        )
        if accepted:
            self._check_pace(message)
            self._missed_one, self._untaken = False, 0
        for part in reading.parts:
            if (fails := part.fails) is not None:
                self.believed[part.job] = fails
        if reading.incident:
            if reading.ends and not self._is_open(reading.incident):
                self._blame(f"hears that {reading.incident} is over, of which it knew nothing")
            self.page(reading)
        self.messages.append(message)

    def page(self, reading: Reading) -> None:
        """A page opens an incident, or ends it."""
        incident = self.incidents.setdefault(reading.incident, Incident())
        if reading.ends and incident.is_open:
            incident.lives[-1] = (incident.lives[-1][0], self.clock())
        elif not reading.ends:
            if not incident.is_open:
                incident.lives.append((self.clock(), None))
                incident.jobs.clear()
            incident.jobs.update(part.job for part in reading.parts if reading.about_jobs)

    def recorded(self, owner: Owner, jobs: Collection[str]) -> None:
        """The app records that it has told some jobs, or that it tells or has told something of pools (no job)."""
        message = next((each for each in reversed(self.messages) if each.owner is owner and each.accepted), None)
        if not jobs and (message is None or message.recorded or not message.reading.tells_of_pools):
            return
        if message is None or message.recorded:
            self._blame(f"is recorded as told of {', '.join(jobs)}, and was not")
            return
        message.recorded = True
        if self.is_pager:
            return
        parts = {part.job: part for part in message.reading.parts}
        self._remember(message)
        for job in jobs:
            if (part := parts.get(job)) is None:
                self.unread.add(job)
                continue
            for phase in PHASES:
                self.counted[job, phase] += part.newly_failed(phase)
                if self.counted[job, phase] > self.failures[job, phase]:
                    told, were = self.counted[job, phase], self.failures[job, phase]
                    self._blame(f"has heard of {told} {phase} failures of {job}, and there were {were}")

    def _remember(self, message: Message) -> None:
        """What a chat's readers know once they have read it."""
        for heard in message.reading.parts:
            self.causes.hear(heard, message.at)
            if heard.stuck or heard.resolved or not heard.is_cut:
                (self._stuck.add if heard.stuck else self._stuck.discard)(heard.job)
            if heard.out_of_sight is not None:
                (self._unseen.add if heard.out_of_sight else self._unseen.discard)(heard.job)
        self._pools.hear(message.reading, message.at)

    def recorded_open(self, owner: Owner, incidents: Incidents) -> None:
        """The app records which incidents it has open: what it has just ended is not among them."""
        message = next((each for each in reversed(self.messages) if each.owner is owner and each.accepted), None)
        open_now = {incident.key for incident in incidents.by_name.values()}
        self._tried |= open_now
        if message is not None and message.reading.ends and message.reading.incident not in open_now:
            message.recorded = True

    def recorded_tried(self, incident: str) -> None:
        """The app records, before it sends the page, that it may open an incident: it owes the end whatever follows."""
        self._tried.add(incident)

    def recorded_daily(self, owner: Owner, at: datetime | None) -> None:
        """The app records when it last looked into what still stands: it may have told that."""
        message = next((each for each in reversed(self.messages) if each.owner is owner and each.accepted), None)
        if self._mornings.looked_into(at) and message is not None and message.reading.daily:
            message.recorded = True
            self._mornings.told(message.at)

    def disturbed(self, owner: Owner) -> None:
        """A write of somebody who may just have told something went wrong, or he died."""
        for message in self.messages:
            message.excused |= message.owner is owner

    # --- rules ---

    def check_recorded(self) -> None:
        """Whatever was told is recorded, unless a fault was in the way."""
        last = next((each for each in reversed(self.messages) if each.accepted), None)
        if last is not None and not last.recorded and not last.excused:
            self._blame(f"was told at {last.at:%H:%M:%S}, and nobody has recorded that")

    def _check_pace(self, message: Message) -> None:
        self.check_recorded()
        if message.reading.daily:
            if self.is_pager or self._mornings.was_told(message.at):
                self._blame("is told once more what still stands")
            return
        told = [each for each in self.messages if each.recorded and not each.reading.daily]
        if self.is_pager:
            told = [
                each for each in told if each.reading.incident == message.reading.incident and not each.reading.ends
            ]
            incident = self.incidents.get(message.reading.incident)
            opened = incident.lives[-1:] if incident is not None else []
            since = opened[0][0] if opened and opened[0][1] is None else message.at
            told = [each for each in told if each.at >= since]
            least = _LASTS if message.reading.ends else _PAUSES[0]
        else:
            least = (
                _PAUSES[0]
                if self._tells_of_something_new(message)
                else _PAUSES[min(length_of_series([each.at for each in told]), len(_PAUSES)) - 1]
            )
        if self._may_be_probed and not self.is_pager:
            return  # what did not take the message before is probed by its own clock
        if told and message.at - told[-1].at < least - _ON_ITS_WAY:
            self._blame(f"is told again after {message.at - told[-1].at}, before {least} are over")

    def _tells_of_something_new(self, message: Message) -> bool:
        """Whether it may tell of a cause not told before, of a pool in trouble, or of a standstill or its end."""
        parts = message.reading.parts
        if message.reading.is_cut:
            return True
        # A job that an earlier message only counted may have been one that stood still.
        stood = any(part.stuck or part.job in self._stuck or part.job in self.unread for part in parts)
        # Who hears of no ends can't tell what begins anew from what goes on.
        hears_ends = self.webhook.wants(EventType.NODE_RECOVERED)
        breaks = any(part.of_a_pool and not (hears_ends and part.pool in self._pools.stand) for part in parts)
        return stood or breaks or any(self.causes.may_be_news(part, message.at) for part in parts)

    def _may_end(self, job: str) -> bool:
        """Whether the receiver knows of something about a job that can end, or may hear of its end once more."""
        last, may_go_on = self.last_word(job), job in self.unread | self._unseen
        if last is None or may_go_on:
            return may_go_on  # what has begun again since its last end may only have been counted
        was_an_end = all(part.resolved and not part.goes_on for part in last.reading.parts if part.job == job)
        return not was_an_end or (last.excused and not last.recorded)

    def last_word(self, job: str) -> Message | None:
        """The last message about a job, None when there was none."""
        return next((m for m in reversed(self.messages) if any(part.job == job for part in m.reading.parts)), None)

    def thinks_failing(self, job: str) -> bool:
        """Whether whoever has read everything takes a job for one that fails; a pager: whether he is paged for it."""
        if not self.is_pager:
            return self.believed.get(job, False)
        return any(incident.is_open and job in incident.jobs for incident in self.incidents.values())

    def knows_of_pool(self, pool: str, since: datetime) -> bool:
        """Whether it was told that nodes of a pool can't work, or may have been since then."""
        if self.is_pager:
            keys = [key for key, incident in self.incidents.items() if incident.is_open]
            still = f":standstill|{pool}|"  # a page that says of the nodes what a pool's own would
            ends = (f":pool|{pool}", ":further-pools", f"{still}startTaskFailed", f"{still}nodesUnable")
            return any(key.endswith(ends) for key in keys)
        return self._pools.has(pool, since)

    def _is_open(self, key: str) -> bool:
        """Whether an incident can end, may be open as far as its sender knows, or may be told its end once more."""
        incident = self.incidents.get(key)
        if key in self._tried or (incident is not None and incident.is_open):
            return True
        last = next((each for each in reversed(self.messages) if each.reading.incident == key), None)
        return last is not None and last.excused

    def _blame(self, what: str) -> None:
        self.blame(f"{self.webhook.name} {what}")
