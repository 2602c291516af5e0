"""A process that polls, or delivers, again and again, until somebody kills it.

Owns the logs of claims and of polls. Does not own what goes wrong around it (`chaos`).
"""

import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path

from shared.adapters.lanes import ThreadLanes
from shared.composition import App, compose
from shared.delivery.answer_rules import ATTEMPT_LEASE
from shared.errors import StoreError
from shared.polling.cycle import CycleReport
from shared.ports import Clock, Operation, Replace
from tests.support.defects import Defects
from trials.soak.effects import held_by, watched
from trials.soak.exposure import Poll
from trials.soak.place import FastClock, Place

STORAGE_PATIENCE = timedelta(seconds=1)
SEND_DEADLINE = timedelta(seconds=2)
_PAUSE_SECONDS = 0.2

_processes = get_context("forkserver")
_processes.set_forkserver_preload([__name__])


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """What a worker does, where, by which clock, and the folder that it writes its logs to."""

    place: Place
    clock: FastClock
    polls: bool
    folder: Path

    @property
    def claims(self) -> Path:
        """The log of claims."""
        return self.folder / "claims.jsonl"

    @property
    def well_polled(self) -> Path:
        """The log of the cycles that ended well."""
        return self.folder / "polls.jsonl"


def start_worker(duty: Duty) -> BaseProcess:
    """Start a worker; end it by killing it."""
    process = _processes.Process(target=_work, args=(duty,), daemon=True)
    process.start()
    return process


def run_once(app: App, *, polls: bool) -> CycleReport | None:
    """One cycle and how it went, or one go at what is due.

    Raises:
        StoreError: The table is away; on Azure this is a failed invocation.
    """
    ((account, poller),) = app.pollers.items()
    if polls:
        return poller.run()
    app.deliveries.run(account, timedelta(seconds=60))
    return None


def _work(duty: Duty) -> None:
    outside = duty.place.outside(
        duty.clock,
        ThreadLanes(),
        storage_patience=STORAGE_PATIENCE,
        send_deadline=SEND_DEADLINE,
        pause=duty.clock.pause,
    )
    app = compose(duty.place.settings(), watched(outside, ClaimLog(duty.claims, duty.clock).tell))
    log = PollLog(duty.well_polled, duty.clock)
    owner = parent_process()
    with Defects() as defects:
        while owner is not None and owner.is_alive() and not defects.lines:
            try:
                log.note(lambda: run_once(app, polls=duty.polls))
            except StoreError as error:
                print(f"a run failed: {error}")
            time.sleep(_PAUSE_SECONDS)
    print(*defects.lines)


class PollLog(logging.Handler):
    """Writes a line for each cycle that ended well; hears from the app's own log what it failed to see."""

    def __init__(self, path: Path, clock: Clock) -> None:
        super().__init__(logging.INFO)
        self._file = _open(path)
        self._clock = clock
        self._troubled: set[str] = set()
        self._troubled_pools: set[str] = set()
        self._pools_unread = False
        logger = logging.getLogger("prepwatch")
        logger.setLevel(logging.INFO)
        logger.addHandler(self)

    def note(self, run: Callable[[], CycleReport | None]) -> None:
        """Run a cycle and write it down, unless it failed, or left out jobs without naming them."""
        self._troubled.clear()
        self._troubled_pools.clear()
        self._pools_unread = False
        begun = self._clock()
        report = run()
        if report is not None and report.good and report.not_looked_at <= len(self._troubled):
            troubled_pools = None if self._pools_unread else frozenset(self._troubled_pools)
            poll = Poll(
                begun=begun, ended=self._clock(), troubled=frozenset(self._troubled), troubled_pools=troubled_pools
            )
            os.write(self._file, f"{poll.to_json()}\n".encode())

    def emit(self, record: logging.LogRecord) -> None:
        """Remember a job or a pool in trouble."""
        match record.args:
            case ("job-error", said):
                self._troubled.add(json.loads(str(said))["job"].lower())
            case ("pool-error", said):
                self._troubled_pools.add(json.loads(str(said))["pool"].lower())
            case ("pools-unread", _):
                self._pools_unread = True


class ClaimLog:
    """Writes a line for each claim and each record, which other processes' lines never tear apart."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._file = _open(path)
        self._clock = clock
        self._leases: dict[str, str] = {}

    def tell(self, point: str, operations: Sequence[Operation]) -> None:
        """Note what the effect at this point means for a delivery; most mean nothing."""
        if point == "claim:after" and isinstance(claim := operations[0], Replace):
            held = held_by(claim)
            if held is not None and held.leased_until is not None:
                self._leases[claim.key] = held.lease
                since = (held.leased_until - ATTEMPT_LEASE).isoformat()
                self._write("claimed", held.lease, place=claim.key, at=since, until=held.leased_until.isoformat())
        elif point.startswith("record:") and (lease := self._leases.get(operations[0].key)):
            what = "ending" if point == "record:before" else "recorded"
            delivered = any(operation.key.startswith("done|") for operation in operations)
            self._write(what, lease, at=self._clock().isoformat(), delivered=delivered)

    def _write(self, what: str, lease: str, **said: str | bool) -> None:
        os.write(self._file, (json.dumps({"what": what, "lease": lease, **said}) + "\n").encode())


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
