"""One act of the app in a process of its own, which dies at a point.

Owns how it dies: by SIGKILL, which nothing can catch or tidy up after.
"""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context

from shared.adapters.http_transport import HttpTransport
from shared.composition import compose
from shared.ports import Operation
from trials.faults.people import PEOPLE
from trials.faults.pools import POOLS, STANDSTILL
from trials.faults.story import CYCLES, TROUBLE
from trials.soak.effects import watched
from trials.soak.place import PATIENCE, Place, SerialLanes, SetClock

_STORIES = {story.name: story for story in (CYCLES, PEOPLE, TROUBLE, POOLS, STANDSTILL)}

HttpTransport()  # reads the certificate authorities, which is half of what a process here would do
_processes = get_context("forkserver")
# The server imports once; each process is forked from it, which is fifty times as fast as a fresh interpreter.
_processes.set_forkserver_preload([__name__])


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One act of a chapter of the story of that name; `dies_at` is the number of the point (from 1)."""

    place: Place
    story: str
    chapter: int
    now: datetime
    dies_at: int


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

    story = _STORIES[run.story]
    outside = run.place.outside(SetClock(run.now), SerialLanes(), storage_patience=PATIENCE)
    with story.limits():
        story.chapters[run.chapter].act(compose(run.place.settings(), watched(outside, tell)))
