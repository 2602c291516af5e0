"""Faults around a running app, one after another, drawn from a seed.

Owns which faults there are and how often. Does not own the parts that they happen to.
"""

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess

from local.batch_simulator.server import Simulator
from trials.soak.fault_proxy import FaultProxy, ProxyFault
from trials.soak.place import WEBHOOKS
from trials.soak.recorder import ScriptedAnswer
from trials.soak.worker import Duty, start_worker

BAD_REPLIES = (
    ScriptedAnswer(status=500),
    ScriptedAnswer(status=503, headers={"Retry-After": "20"}),
    ScriptedAnswer(status=429, headers={"Retry-After": "20"}),
    ScriptedAnswer(silence_seconds=4),
)
BATCH_FAULTS = ((429, "TooManyRequests"), (500, "InternalError"), (503, "ServerBusy"))

_START_LIMIT_SECONDS = 60


class WorkerDefectError(Exception):
    """A worker ended though nobody killed it: what it printed says why."""


@dataclass(slots=True, kw_only=True)
class Chaos:
    """What breaks; `counts` says what happened how often."""

    seed: int
    proxy: FaultProxy
    simulator: Simulator
    duties: list[Duty]
    counts: Counter[str] = field(default_factory=Counter)
    _answers: dict[str, list[ScriptedAnswer]] = field(default_factory=lambda: {webhook: [] for webhook in WEBHOOKS})
    _workers: list[BaseProcess] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    def answer(self, webhook: str) -> ScriptedAnswer:
        """The receiver's answer to the next message."""
        try:
            return self._answers[webhook].pop()
        except IndexError:
            return ScriptedAnswer()

    def run(self, seconds: float) -> None:
        """Let the workers work and faults happen for so long, then end both; afterwards all is well.

        Raises:
            WorkerDefectError: A worker ended by itself, or none began.
        """
        chance = random.Random(self.seed)
        self._workers = [start_worker(duty) for duty in self.duties]
        try:
            self._wait_for_workers()
            threading.Timer(seconds, self._ended.set).start()
            while not self._ended.wait(chance.uniform(0.1, 0.8)):
                chance.choices((self._break_writes, self._kill, self._refuse, self._fail_batch), (6, 2, 4, 1))[0](
                    chance
                )
        finally:
            self._calm()

    def _wait_for_workers(self) -> None:
        limit = time.monotonic() + _START_LIMIT_SECONDS
        while not self.simulator.requests:
            if time.monotonic() > limit:
                raise WorkerDefectError(f"No worker asked Batch within {_START_LIMIT_SECONDS} s.")
            time.sleep(0.05)

    def _break_writes(self, chance: random.Random) -> None:
        self.proxy.heal()
        fault = chance.choice(list(ProxyFault))
        self.proxy.break_write(fault, nth=chance.randint(1, 4), times=chance.randint(1, 2))
        self.counts[fault.value] += 1

    def _kill(self, chance: random.Random) -> None:
        number = chance.randrange(len(self._workers))
        self._end(self._workers[number])
        self._workers[number] = start_worker(self.duties[number])
        self.counts["killed"] += 1

    def _refuse(self, chance: random.Random) -> None:
        self._answers[chance.choice(WEBHOOKS)].extend([chance.choice(BAD_REPLIES)] * chance.randint(1, 3))
        self.counts["refused"] += 1

    def _fail_batch(self, chance: random.Random) -> None:
        status, code = chance.choice(BATCH_FAULTS)
        asked = chance.choice(("/jobs", "/jobs", "/pools", "/nodecounts"))
        self.simulator.inject(asked, status, code, times=chance.randint(1, 2), cut=chance.random() < 0.3)
        self.counts["batch failed"] += 1

    def _calm(self) -> None:
        try:
            for worker in self._workers:
                self._end(worker)
        finally:
            self.proxy.heal()
            self.simulator.faults.clear()
            for answers in self._answers.values():
                answers.clear()

    @staticmethod
    def _end(worker: BaseProcess) -> None:
        if worker.exitcode is not None:
            raise WorkerDefectError(f"A worker ended by itself with exit code {worker.exitcode}.")
        worker.kill()
        worker.join()
