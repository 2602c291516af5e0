"""An app in memory that meets a trouble for a while, and what Azure Monitor would hold of that.

Owns the walk of time, the lines that the app logs meanwhile and how its functions end. Does not own the troubles.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from shared.nudges.nudge import DELIVERIES_QUEUE, POLLS_QUEUE, read_nudge
from tests.stack.alerts.rules import Rows
from tests.support.deployment import Deployment

Happen = Callable[[Deployment, int], None]
"""What happens to an app in that minute, before it polls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """How time passes: for how many minutes, polled every so many, and which functions the platform does not run."""

    minutes: int = 60
    every: int = 1
    asleep: frozenset[str] = frozenset()


def beginning(period: Period) -> datetime:
    """When a period has to begin so that it ends now: queries ask for the present moment."""
    return datetime.now(UTC) - timedelta(minutes=period.minutes)


def play(deployment: Deployment, period: Period, happen: Happen = lambda _deployment, _minute: None) -> Rows:
    """Let the app run through a period, and return what it and its host have written."""
    lines: list[tuple[datetime, str]] = []
    runs: list[tuple[datetime, str, bool]] = []
    queues = {DELIVERIES_QUEUE: "deliver", POLLS_QUEUE: "poll_account"}

    def run(name: str, work: Callable[[], object]) -> None:
        if name in period.asleep:
            return
        try:
            work()
        except Exception:  # noqa: BLE001 - whatever it is, the host says that the run failed
            runs.append((deployment.clock.now, name, False))
        else:
            runs.append((deployment.clock.now, name, True))

    with _listening(lambda line: lines.append((deployment.clock.now, line))):
        for minute in range(0, period.minutes, period.every):
            happen(deployment, minute)
            run("poll", deployment.app.polls.run)
            for queue, name in queues.items():
                for text in deployment.queues.take(queue):
                    nudge = read_nudge(text.encode())
                    if name == "deliver":
                        run(name, partial(deployment.deliver, nudge.account))
                    else:
                        run(name, partial(deployment.app.polls.take, nudge))
            if minute == 0:
                run("purge", deployment.app.purger.run)
            deployment.clock.advance(minutes=period.every)
    return Rows(now=deployment.clock.now, lines=lines, runs=runs)


@contextmanager
def _listening(tell: Callable[[str], None]) -> Iterator[None]:
    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            tell(record.getMessage())

    logger, handler = logging.getLogger("prepwatch"), Handler()
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
