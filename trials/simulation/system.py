"""The whole app in several processes over one table, one Batch account and its receivers, on virtual time.

Owns building the processes, their deaths and rebirths, and starting their functions. Does not own when what is started
(`seeded_run`, the state machine, the scenarios) or what must hold (`monitor`, `checks`).
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from types import TracebackType
from typing import Self
from unittest.mock import patch

from shared.api.refusals import RefusalError
from shared.composition import App, compose
from shared.delivery import webhook_states
from shared.errors import StoreError
from shared.parts import Outside
from shared.ports import Row
from shared.settings.settings import load_settings
from shared.state.rows import range_of
from shared.state.telling import DeliveryState
from shared.web.http import Answer, Request
from tests.support.defects import Defects
from tests.support.fake_table import FakeTable
from trials.promises.monitor import BrokenPromiseError, Monitor
from trials.promises.truth import TrueWorld
from trials.simulation.batch import ACCOUNT, BASE, SimulatedAccount, SimulatedBatch
from trials.simulation.fault_rates import Chance
from trials.simulation.process import AnsweredQueues, Process, mute_request, summary_request
from trials.simulation.receivers import Receiver, SimulatedSender
from trials.simulation.scheduler import Scheduler, SimulatedLanes, SimulatedLock, Stopped
from trials.simulation.table import PlannedFaults, SimulatedTable
from trials.simulation.webhooks import WEBHOOKS, Webhooks, environment

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
DELIVER_FOR = timedelta(seconds=60)


class System:
    """Everything; use it as a context, so that its threads end.

    Args:
        chance: Where every draw comes from.
        settings: App settings beside those that every system has.
        webhooks: The webhooks by name, each as `webhooks` has them; all have receivers.
        names: The processes, all started.
        skew: How far clocks may be off, either way.
        tell: Is handed every line of the trace; None for none.
    """

    def __init__(
        self,
        chance: Chance,
        *,
        settings: Mapping[str, str] | None = None,
        webhooks: Webhooks = WEBHOOKS,
        names: str = "AB",
        skew: timedelta = timedelta(0),
        page_size: int = 100,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.chance = chance
        self.scheduler = Scheduler(START)
        self.world = TrueWorld(now=START)
        self.account = SimulatedAccount(world=self.world, chance=chance, page_size=page_size)
        self.table = FakeTable()
        self.settings = load_settings(environment(webhooks, settings or {}))
        self.monitor = Monitor(world=self.world, clock=lambda: self.scheduler.now, webhooks=self.settings.webhooks)
        self.planned = PlannedFaults()
        self.receivers = {
            webhook.name: Receiver(webhook=webhook, secret=webhook.secrets[-1] if webhook.secrets else b"")
            for webhook in self.settings.webhooks
        }
        self.senders: dict[str, SimulatedSender] = {}
        self.processes = [Process(name, chance.between(-1, 1) * skew.total_seconds()) for name in names]
        self._tell = tell
        self._ids = count(1)
        self._lock = patch.object(webhook_states, "Lock", SimulatedLock)
        self._defects = Defects()
        for process in self.processes:
            self.start(process)

    def __enter__(self) -> Self:
        """Let the app's lock take part in the turns."""
        SimulatedLock.scheduler = self.scheduler
        self._lock.start()
        self._defects.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """End every process and thread."""
        for process in self.processes:
            process.alive = False
        self.scheduler.close()
        self._lock.stop()
        self._defects.__exit__()
        SimulatedLock.scheduler = None

    # --- time ---

    @property
    def now(self) -> datetime:
        """The true time."""
        return self.scheduler.now

    def run_for(self, duration: timedelta) -> None:
        """Let time pass.

        Raises:
            BrokenPromiseError: A promise was broken meanwhile, or the app has a defect.
        """
        self.run_until(self.now + duration)

    def run_until(self, moment: datetime) -> None:
        """Let time pass until a moment; raises as `run_for` does."""
        self.scheduler.run(moment, lambda: bool(self.monitor.broken or self.scheduler.failures or self._defects.lines))
        self.account.advance(self.now)
        self.raise_what_broke()

    def raise_what_broke(self) -> None:
        """Raise what the monitor saw, or a defect of the app."""
        if self.scheduler.failures:
            raise BrokenPromiseError("The app raised what it must not raise.") from self.scheduler.failures[0]
        if self._defects.lines:
            raise BrokenPromiseError(f"The app met a defect of its own: {self._defects.lines[0]}")
        if self.monitor.broken:
            raise BrokenPromiseError("; ".join(self.monitor.broken))

    def say(self, line: str) -> None:
        """Put a line into the trace."""
        self._teller("-")(line)

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts' partitions."""
        return tuple(account.label for account in self.settings.accounts)

    def waiting(self, partition: str) -> Iterator[Row]:
        """The deliveries that wait in a partition."""
        return self.table.query(partition, *range_of(DeliveryState.DUE.value))

    # --- processes ---

    def start(self, process: Process) -> None:
        """Let a process begin (again), with nothing in its memory; the dead one's tasks never go on."""
        born = Process(process.name, process.skew, alive=True)
        self.senders[born.name] = SimulatedSender(
            receivers=self.receivers,
            chance=self.chance,
            scheduler=self.scheduler,
            owner=born,
            watcher=self.monitor,
            crash=lambda why: self.crash(born, why),
            tell=self._teller(born.name),
        )
        outside = Outside(
            table=SimulatedTable(
                inner=self.table,
                scheduler=self.scheduler,
                chance=self.chance,
                owner=born,
                watcher=self.monitor,
                planned=self.planned,
                crash=lambda why: self.crash(born, why),
                tell=self._teller(born.name),
                can_rewind=self.account.shows_what_it_did,
            ),
            batch={
                ACCOUNT: SimulatedBatch(account=self.account, scheduler=self.scheduler, tell=self._teller(born.name))
            },
            sender=self.senders[born.name],
            lanes=SimulatedLanes(self.scheduler, born),
            clock=lambda: self.now + born.skew,
            queues=AnsweredQueues(self._answer_nudge),
            pause=self.scheduler.pause,
            new_id=lambda: f"{born.name}{next(self._ids)}",
        )
        born.app = compose(self.settings, outside)
        self.processes = [born if each.name == process.name else each for each in self.processes]

    def crash(self, process: Process, why: str) -> None:
        """Let a process die now; to be called by one of its own tasks.

        Raises:
            Stopped: Always, as the task is dead too.
        """
        self._teller(process.name)(f"dies {why}")
        process.alive = False
        self.monitor.crashed(process)
        raise Stopped

    def living(self) -> list[Process]:
        """The processes that run."""
        return [process for process in self.processes if process.alive]

    # --- functions ---

    def poll(self, process: Process, after: timedelta = timedelta(0)) -> None:
        """Let the timer fire on a process."""

        def work(app: App) -> None:
            process.polling += 1
            try:
                report = app.pollers[ACCOUNT].run()
            finally:
                process.polling -= 1
            process.reports.append(report)
            if report.nudge:
                self.deliver(process)
            else:
                app.polls.delayed.ask(ACCOUNT, report.wake_at)

        self._spawn(process, "poll", work, after)

    def deliver(self, process: Process, after: timedelta = timedelta(0)) -> None:
        """Let a process deliver what is due; what it then nudges for is done too."""
        self._spawn(process, "deliver", lambda app: app.deliveries.run(ACCOUNT, DELIVER_FOR), after)

    def purge(self, process: Process) -> None:
        """Let the daily timer fire on a process."""
        self._spawn(process, "purge", lambda app: app.purger.run(), timedelta(0))

    def summary(self, process: Process, max_age: int | None = None) -> None:
        """Ask a process for the summary; its status is judged, and its nudges followed."""

        def work(app: App) -> None:
            answer = app.routes.summary(summary_request(max_age))
            status = json.loads(answer.body)["status"]
            self._teller(process.name)(f"summary says {status}")
            self._judge_status(status)
            for _ in answer.nudges:
                self.deliver(process)

        self._spawn(process, "summary", work, timedelta(0))

    def put_mute(self, process: Process, name: str, globs: Sequence[str], starts: datetime, ends: datetime) -> None:
        """Ask a process to mute jobs."""
        request = mute_request(name, globs, starts, ends)
        self._spawn(process, f"mute {name}: {globs}", lambda app: app.routes.mutes.put_mute(request), timedelta(0))

    def delete_mute(self, process: Process, name: str) -> None:
        """Ask a process to end a mute; that there is none is an answer too."""
        request = Request(url=f"{BASE}/api/mutes/{name}", route={"name": name})

        def work(app: App) -> None:
            with contextlib.suppress(RefusalError):
                app.routes.mutes.delete_mute(request)

        self._spawn(process, f"end mute {name}", work, timedelta(0))

    def ask_summary(self) -> Mapping[str, object]:
        """The summary as a living process answers now."""
        answers: list[Answer] = []
        process = self.living()[0]
        app = process.app
        if app is None:
            raise RuntimeError("the process was never started")
        self.scheduler.call(lambda: answers.append(app.routes.summary(summary_request(86400))), process)
        self.raise_what_broke()
        body: Mapping[str, object] = json.loads(answers[0].body)
        return body

    def _answer_nudge(self, delay: timedelta) -> None:
        if self.living():
            self.deliver(self.chance.pick(self.living()), delay)

    def _spawn(self, process: Process, what: str, work: Callable[[App], object], after: timedelta) -> None:
        app = process.app

        def run() -> None:
            self._teller(process.name)(what)
            if app is not None:
                try:
                    work(app)
                except StoreError as error:
                    self._teller(process.name)(f"{what} ends: {error}")

        self.scheduler.spawn(run, owner=process, after=after)

    def _judge_status(self, status: str) -> None:
        last = self.monitor.read_up_to[-1][1] if self.monitor.read_up_to else START
        blind_for = self.now - last
        if blind_for > self.settings.stale_after + timedelta(seconds=10) and status == "ok":
            self.monitor.blame(f"the summary says {status} and the account has not been read for {blind_for}")

    def _teller(self, name: str) -> Callable[[str], None]:
        tell = self._tell
        if tell is None:
            return lambda _line: None
        return lambda line: tell(f"{self.now:%a %H:%M:%S.%f}"[:-3] + f" {name}  {line}")
