"""One run of the app in a process of its own, which may die at a point.

Owns how it dies: by SIGKILL, which nothing can catch or tidy up after.
"""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context

from shared.composition import compose
from shared.ports import Operation
from tests.faults.effects import watched
from tests.faults.place import PATIENCE, Place, SerialLanes, SetClock
from tests.faults.story import CHAPTERS

_processes = get_context("forkserver")
# The server imports once; each process is forked from it, which is fifty times as fast as a fresh interpreter.
_processes.set_forkserver_preload([__name__])


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a chapter's app at a time; `dies_at` is the number of the point (from 1), None for never."""

    place: Place
    chapter: int
    now: datetime
    dies_at: int | None = None


def run_in_process(run: Run) -> int:
    """Do it; the exit code, negative for a signal."""
    process = _processes.Process(target=_run, args=(run,))
    process.start()
    process.join()
    return process.exitcode or 0


def _run(run: Run) -> None:
    points = 0

    def tell(_point: str, _operations: Sequence[Operation]) -> None:
        nonlocal points
        points += 1
        if points == run.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    outside = run.place.outside(SetClock(run.now), SerialLanes(), storage_patience=PATIENCE)
    CHAPTERS[run.chapter].run(compose(run.place.settings(), watched(outside, tell)))
