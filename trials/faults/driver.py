"""One act of the app in a process of its own, which dies at a point.

Owns how it dies: by SIGKILL, which nothing can catch or tidy up after.
"""

import gc
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection

import shared.route_composition  # noqa: F401 - imported at the first request, else in each process anew
from shared.composition import compose
from shared.ports import Operation
from trials.faults.people import PEOPLE
from trials.faults.pools import POOLS, STANDSTILL
from trials.faults.story import CYCLES, TROUBLE
from trials.soak.effects import watched
from trials.soak.place import PATIENCE, Place, SerialLanes, SetClock, close_connections

_STORIES = {story.name: story for story in (CYCLES, PEOPLE, TROUBLE, POOLS, STANDSTILL)}
_processes = get_context("spawn")  # the test's own process has threads, and must not be forked


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One act of a chapter of the story of that name; `dies_at` is the number of the point (from 1), None for none."""

    place: Place
    story: str
    chapter: int
    now: datetime
    dies_at: int | None = None


@contextmanager
def run_in_process(rehearsal: Run) -> Iterator[Callable[[Run], int]]:
    """Give what does a run in a process of its own, and says its exit code, negative for a signal.

    All are forked from one process that has done the *rehearsal*: most of what a fresh interpreter does for an act is
    to import, to compile expressions and the like.
    """
    ours, theirs = _processes.Pipe()
    process = _processes.Process(target=_serve, args=(theirs, rehearsal), daemon=True)
    process.start()
    theirs.close()

    def do(run: Run) -> int:
        ours.send(run)
        return int(ours.recv())

    try:
        assert ours.recv() == 0
        yield do
    finally:
        ours.close()
        process.join()


def _serve(asked: Connection, rehearsal: Run) -> None:
    _act(rehearsal)
    close_connections()  # two processes must not share one
    gc.freeze()  # or the collector of each child would touch, and so copy, all that they share
    asked.send(0)
    with suppress(EOFError):
        while True:
            run = asked.recv()
            child = os.fork()
            if not child:
                _act(run)
                os._exit(0)
            asked.send(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _act(run: Run) -> None:
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
