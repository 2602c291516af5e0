"""Compares what was true, what was received and who held what: the judge of every test under faults.

Owns what lost, phantom, duplicate, two ids, two bodies and overlapping mean. Knows nothing of how the app works: it
reads the simulator's truth, the receiver's log and the log of claims, after the event.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import pairwise

FAILED = {"prepwatch.preparation.failed", "prepwatch.release.failed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One message that reached a webhook; `status` is what it was answered, 0 when the sender saw no answer."""

    webhook: str
    id: str
    body: str
    status: int
    verified: bool

    @property
    def accepted(self) -> bool:
        """Whether the receiver took it over and said so."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One claim of a delivery: from when until when nobody else may attempt it.

    `until` is when the lease ends or the outcome began to be written, whichever is first; `delivered` says that it is
    known to be recorded as delivered.
    """

    place: str
    at: datetime
    until: datetime
    delivered: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Occurrence:
    """One failed run as both sides know it."""

    job: str
    created: datetime
    pool: str
    node: str
    phase: str
    started: datetime | None

    def __str__(self) -> str:
        return f"{self.phase} of {self.job} ({self.created:%H:%M:%S}) on {self.node} from {self.started}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is wrong, a line each; all empty when all is well."""

    lost: tuple[str, ...] = ()
    phantom: tuple[str, ...] = ()
    duplicate: tuple[str, ...] = ()
    two_ids: tuple[str, ...] = ()
    two_bodies: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()
    overlapping: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join(f"{name.replace('_', ' ')} {len(lines)}" for name, lines in self.all())

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not any(lines for _, lines in self.all())

    @property
    def good_but_for_duplicates(self) -> bool:
        """Whether nothing is wrong but messages that came twice."""
        return not any(lines for name, lines in self.all() if name != "duplicate")

    def all(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each kind of wrong with its lines."""
        for field in fields(self):
            yield field.name, getattr(self, field.name)


def check(
    truth: Iterable[Mapping[str, str | None]],
    receipts: Sequence[Receipt],
    webhooks: Sequence[str],
    *,
    holds: Sequence[Hold] = (),
    excused: Mapping[tuple[str, str], int] | None = None,
    promised: Collection[Occurrence] | None = None,
) -> Verdict:
    """Judge a finished story: every delivery has ended, each of *webhooks* wants every failure.

    *excused* says how often a message (webhook, id) may have been taken over once more than needed, *promised* which
    failures had to be told (None: all).
    """
    failures = {true_occurrence(line) for line in truth}
    owed = failures if promised is None else failures & set(promised)
    told: dict[str, dict[Occurrence, set[str]]] = defaultdict(lambda: defaultdict(set))
    bodies: dict[str, set[str]] = defaultdict(set)
    taken: Counter[tuple[str, str]] = Counter()
    for receipt in receipts:
        bodies[receipt.id].add(receipt.body)
        if receipt.accepted:
            taken[receipt.webhook, receipt.id] += 1
            for occurrence in told_by(receipt.body):
                told[receipt.webhook][occurrence].add(receipt.id)
    spare = excused or {}
    return Verdict(
        lost=tuple(f"{webhook}: {failure}" for webhook in webhooks for failure in sorted(owed - set(told[webhook]))),
        phantom=tuple(
            sorted({f"{webhook}: {unknown}" for webhook in webhooks for unknown in set(told[webhook]) - failures})
        ),
        duplicate=tuple(
            f"{webhook}: {message}, {times} times"
            for (webhook, message), times in taken.items()
            if times > 1 + spare.get((webhook, message), 0)
        ),
        two_ids=tuple(
            f"{webhook}: {occurrence}: {sorted(ids)}"
            for webhook in webhooks
            for occurrence, ids in told[webhook].items()
            if len(ids) > 1
        ),
        two_bodies=tuple(message for message, some in bodies.items() if len(some) > 1),
        unverified=tuple(receipt.id for receipt in receipts if not receipt.verified),
        overlapping=tuple(_overlaps(holds)),
    )


def told_by(body: str) -> list[Occurrence]:
    """The failures that an event tells; none when it tells of something else."""
    event = json.loads(body)
    if event["type"] not in FAILED:
        return []
    data = event["data"]
    return [
        Occurrence(
            data["jobId"].lower(),
            datetime.fromisoformat(data["jobCreationTime"]),
            node["poolId"].lower(),
            node["nodeId"],
            data["phase"],
            _moment(node["startTime"]),
        )
        for node in data["nodes"]
    ]


def read_holds(lines: Iterable[str]) -> list[Hold]:
    """The holds of a log of claims: JSON lines `claimed`, `ending` and `recorded`, each naming its lease."""
    holds: dict[str, Hold] = {}
    for line in lines:
        entry = json.loads(line)
        lease, at = entry["lease"], datetime.fromisoformat(entry["at"])
        if entry["what"] == "claimed":
            holds[lease] = Hold(place=entry["place"], at=at, until=datetime.fromisoformat(entry["until"]))
            continue
        hold = holds[lease]
        delivered = entry["what"] == "recorded" and entry["delivered"]
        holds[lease] = Hold(place=hold.place, at=hold.at, until=min(at, hold.until), delivered=delivered)
    return list(holds.values())


def excuses(holds: Iterable[Hold], receipts: Iterable[Receipt]) -> Counter[tuple[str, str]]:
    """How often each message may have been taken over once more than needed.

    That is its attempts of which the table does not say that they delivered, nor the receiver that it refused: whoever
    made them died, or an answer was lost.
    """
    unsettled: Counter[tuple[str, str]] = Counter()
    for hold in holds:
        _, webhook, message = hold.place.split("|")
        unsettled[webhook, message] += not hold.delivered
    for receipt in receipts:
        unsettled[receipt.webhook, receipt.id] -= receipt.status >= 300
    return +unsettled


def true_occurrence(line: Mapping[str, str | None]) -> Occurrence:
    """The failure of a line of the simulator's truth."""
    return Occurrence(
        str(line["job"]).lower(),
        datetime.fromisoformat(str(line["creationTime"])),
        str(line["pool"]).lower(),
        str(line["node"]),
        str(line["phase"]),
        _moment(line["startTime"]),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _overlaps(holds: Sequence[Hold]) -> Iterator[str]:
    places: dict[str, list[Hold]] = defaultdict(list)
    for hold in holds:
        places[hold.place].append(hold)
    for place, its in places.items():
        for earlier, later in pairwise(sorted(its, key=lambda hold: hold.at)):
            if later.at < earlier.until:
                yield f"{place}: held until {earlier.until}, claimed again at {later.at}"
