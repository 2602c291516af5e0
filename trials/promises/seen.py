"""What an event says of itself, and which message tells it.

Owns which runs an event tells of, and what it is the end of. Does not own what must hold of them (`monitor`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from local.batch_simulator.filters import parse_time
from trials.promises.reading import Reading
from trials.promises.truth import Incarnation, Occurrence

OPPOSITES = {
    "account.reachable": "account.unreachable",
    "webhook.recovered": "webhook.failing",
    "webhook.enabled": "webhook.disabled",
    "job.reachable": "job.unreachable",
    "job.resumed": "job.stuck",
}
"""Which trouble each end is the end of."""

_SLOW_AFTER, _SLOW_RETRIES = timedelta(minutes=30), 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEvent:
    """An event as it was first stored."""

    id: str
    type: str
    partition: str
    at: datetime
    body: bytes
    data: Mapping[str, Any]
    occurrences: tuple[Occurrence, ...]

    @property
    def pools(self) -> list[str]:
        """The pools that it is about."""
        return [self.data["poolId"]] if "poolId" in self.data else [occurrence.pool for occurrence in self.occurrences]


def is_told_by(event: SeenEvent, reading: Reading) -> bool:
    """Whether a message to chat or pager tells this event by itself."""
    if event.type != reading.event_type and not (reading.ends and event.type in OPPOSITES):
        return False
    about = str(event.data.get("webhook") or event.data.get("account") or "")
    if reading.ends:
        return reading.incident == f"prepwatch:{event.type.partition('.')[0]}:{about}"
    if about.partition(".")[0] not in reading.headline:
        return False
    since = f"{datetime.fromisoformat(event.data['since']):%H:%M} UTC"
    return any(since in value for part in reading.parts for _, value in part.facts)


def is_invented(event: SeenEvent, occurrence: Occurrence, failed: bool | None) -> bool:  # noqa: FBT001 - as it ended
    """Whether nothing is behind what an event tells of a run, which ended by failure, well, or (None) did not."""
    if event.type == "preparation.slow":
        node = next(node for node in event.data["nodes"] if occurrence_of(event.data, node) == occurrence)
        lasted = event.at - parse_time(node["runningSince"])
        return lasted < _SLOW_AFTER and node.get("retryCount", 0) < _SLOW_RETRIES
    # What has only left with its node did not end well.
    if event.data.get("reason") == "nodeLeft":
        return failed is False
    return failed is not event.type.endswith("failed")


def occurrence_of(data: Mapping[str, Any], node: Mapping[str, Any]) -> Occurrence:
    """Which run a node of an event's data is about."""
    created, started = data["jobCreationTime"], node.get("startTime")
    return Occurrence(
        Incarnation(data["jobId"].lower(), parse_time(created)),
        node["poolId"].lower(),
        node["nodeId"].lower(),
        data["phase"],
        parse_time(started) if started else None,
    )


def words_of(occurrence: Occurrence) -> str:
    """How people would say it."""
    job, created = occurrence.incarnation
    return (
        f"{occurrence.phase} of job {job} of {created:%H:%M:%S} on {occurrence.node[-12:]} "
        f"of {occurrence.started:%H:%M:%S}"
        if occurrence.started
        else f"{occurrence.phase} of job {job} on {occurrence.node}"
    )
