"""A process of the simulated app, and what people ask it to do."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.composition import App
from shared.nudges.nudge import DELIVERIES_QUEUE
from shared.polling.cycle import CycleReport
from shared.web.http import Request
from trials.simulation.batch import BASE


@dataclass(slots=True, eq=False)
class Process:
    """One instance of the Functions app; `skew` is how far its clock is off."""

    name: str
    skew: timedelta = timedelta(0)
    alive: bool = False
    app: App | None = None
    polling: int = 0
    reports: list[CycleReport] = field(default_factory=list)


class AnsweredQueues:
    """A `shared.ports.QueueService` whose nudges for deliveries are answered when they may be seen."""

    def __init__(self, answer: Callable[[timedelta], None]) -> None:
        self._answer = answer

    def put(self, queue: str, text: str, *, delay: timedelta) -> None:
        """Have it answered."""
        if queue == DELIVERIES_QUEUE:
            self._answer(delay)


def summary_request(max_age: int | None) -> Request:
    """A request for the summary; None leaves its age to the app."""
    query = {} if max_age is None else {"maxAge": str(max_age)}
    return Request(url=f"{BASE}/api/summary", query=query)


def mute_request(name: str, globs: Sequence[str], starts: datetime, ends: datetime) -> Request:
    """A request to mute jobs."""
    body = {
        "jobs": globs,
        "startsAt": starts.isoformat(),
        "endsAt": ends.isoformat(),
        "createdBy": "somebody",
        "comment": "quiet",
    }
    return Request(url=f"{BASE}/api/mutes/{name}", route={"name": name}, body=json.dumps(body).encode())
