"""Any order of small steps: hypothesis looks for one that breaks a promise, and shrinks it.

SIMULATION_EXAMPLES=2000 tries so many instead of a few, drawn anew each time.
"""

import os
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from trials.promises.checks import check_calm, check_end
from trials.promises.checks_told import check_all_told
from trials.promises.monitor import BrokenPromiseError
from trials.simulation.batch import ACCOUNT
from trials.simulation.fault_rates import AccountState, Chance, FaultRates, ReceiverState, WriteFault
from trials.simulation.process import Process
from trials.simulation.scripts import FAILURE, RELEASE_FAILURE, add_job, begin, end, fail, release, succeed
from trials.simulation.system import System
from trials.simulation.told_mutants import MUTANTS

_EXAMPLES = int(os.environ.get("SIMULATION_EXAMPLES", "0"))
_MINUTE = timedelta(minutes=1)
_TOLD_WITHIN = 4  # rounds of two hours
_jobs = st.sampled_from(("left", "right"))
_nodes = st.sampled_from(("n1", "n2", "n3"))
_processes = st.sampled_from((0, 1))
_faults = st.sampled_from([fault for fault in WriteFault if fault is not WriteFault.REWIND])
_states = st.sampled_from([state for state in ReceiverState if state is not ReceiverState.GONE])


_PEOPLE = {"all": {}, "chat": {"format": "teams"}, "pager": {"format": "pagerduty"}}


class Machine(RuleBasedStateMachine):
    """Two processes, two jobs of three nodes each."""

    @initialize(seed=st.integers(0, 1000))
    def start(self, seed: int) -> None:
        """Two jobs begin, and have been seen."""
        chance = Chance(f"machine {seed}")
        self.system = System(chance, settings={"EVENT_MAX_NODES": "1"}, webhooks=_PEOPLE).__enter__()
        for job in ("left", "right"):
            add_job(self.system, job)
        self._poll_in_peace()

    @rule(job=_jobs, node=_nodes, step=st.sampled_from((begin, succeed)))
    def node_goes_on(self, job: str, node: str, step: object) -> None:
        """Preparation begins or succeeds on a node."""
        if self._is_active(job):
            (begin if step is begin else succeed)(self.system, job, node)

    @rule(job=_jobs, node=_nodes)
    def node_fails(self, job: str, node: str) -> None:
        """Preparation fails on a node."""
        if self._is_active(job):
            fail(self.system, job, node, FAILURE)

    @rule(job=_jobs, fails=st.booleans())
    def job_ends(self, job: str, fails: bool) -> None:  # noqa: FBT001 - hypothesis passes by name
        """Release runs where preparation did, and the job is completed."""
        if not self._is_active(job):
            return
        end(self.system, job, "terminating")
        known = self.system.world.job(job)
        for status in list(known.statuses.values()) if known else []:
            release(self.system, job, status.node, RELEASE_FAILURE if fails else None)
        end(self.system, job, "completed")

    @rule(job=_jobs)
    def job_is_created_again(self, job: str) -> None:
        """The job is deleted, and another of the same id begins."""
        self.system.world.delete_job(job)
        self.system.run_for(timedelta(seconds=10))
        add_job(self.system, job)

    @rule(which=_processes)
    def poll_begins(self, which: int) -> None:
        """A cycle begins; it may still be under way when the next rule runs."""
        self.system.poll(self._process(which))

    @rule(seconds=st.sampled_from((0.05, 0.2, 1, 15, 70, 600)))
    def time_passes(self, seconds: float) -> None:
        """Whatever is under way goes on for a while."""
        self.system.run_for(timedelta(seconds=seconds))

    @rule(which=_processes)
    def deliver(self, which: int) -> None:
        """Somebody nudges the deliveries."""
        self.system.deliver(self._process(which))

    @rule(which=_processes, max_age=st.sampled_from((None, 0)))
    def summary(self, which: int, max_age: int | None) -> None:
        """Somebody asks how things stand."""
        self.system.summary(self._process(which), max_age)

    @rule(after=st.integers(0, 5), fault=_faults)
    def write_will_fail(self, after: int, fault: WriteFault) -> None:
        """The n-th write from now goes wrong."""
        self.system.planned.plan(after, fault)

    @rule(name=st.sampled_from(tuple(_PEOPLE)), state=_states)
    def receiver_changes(self, name: str, state: ReceiverState) -> None:
        """A receiver goes down, becomes slow, or recovers."""
        self.system.receivers[name].state = state

    @rule(which=_processes, glob=st.sampled_from(("*", "left")), minutes=st.sampled_from((5, 90)))
    def mute(self, which: int, glob: str, minutes: int) -> None:
        """Somebody wants quiet, once more perhaps."""
        now = self.system.now
        self.system.put_mute(self._process(which), "quiet", [glob], now, now + minutes * _MINUTE)

    @rule(which=_processes)
    def unmute(self, which: int) -> None:
        """Somebody has had enough of it."""
        self.system.delete_mute(self._process(which), "quiet")

    @rule(state=st.sampled_from(AccountState), absent=st.booleans())
    def account_changes(self, state: AccountState, absent: bool) -> None:  # noqa: FBT001 - hypothesis passes by name
        """Batch refuses, throttles, fails, leaves nodes out, or is well again."""
        self.system.chance.rates = FaultRates(account=state, absent=0.3 if absent else 0, slow_batch=0.2)

    @invariant()
    def nothing_is_broken(self) -> None:
        """What holds at every moment held until now."""
        if hasattr(self, "system"):
            self.system.raise_what_broke()

    def teardown(self) -> None:
        """All is well again: then all that stands in the listing is known, and no delivery waits for ever."""
        if not hasattr(self, "system"):
            return
        try:
            system = self.system
            system.planned.planned.clear()
            system.chance.rates = FaultRates()
            for receiver in system.receivers.values():
                receiver.state = ReceiverState.WELL
            for _ in range(6):
                self._poll_in_peace()
            check_calm(system)
            for round_ in range(40):
                self._poll_in_peace()
                if round_ > _TOLD_WITHIN and not any(
                    True for partition in ("_", ACCOUNT) for _ in system.waiting(partition)
                ):
                    break
                system.run_for(timedelta(hours=2))
            check_end(system)
            check_all_told(system)
        finally:
            self.system.__exit__(None, None, None)

    def _poll_in_peace(self) -> None:
        self.system.poll(self._process(0))
        self.system.run_for(_MINUTE)

    def _process(self, which: int) -> Process:
        process = self.system.processes[which]
        if not process.alive:
            self.system.start(process)
        return self.system.processes[which]

    def _is_active(self, job: str) -> bool:
        known = self.system.world.job(job)
        return known is not None and known.state == "active"


TestAnyOrder = Machine.TestCase
TestAnyOrder.settings = settings(
    max_examples=_EXAMPLES or 25,
    stateful_step_count=25,
    derandomize=not _EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["delivered_before_it_was_accepted", "told_before_it_is_sent"],
)
def test_the_machine_finds_a_defect(name: str) -> None:
    """The machine fails when the app is wrong."""
    found = settings(TestAnyOrder.settings, phases=[Phase.generate], report_multiple_bugs=False, max_examples=200)
    with MUTANTS[name](), pytest.raises(BrokenPromiseError):
        run_state_machine_as_test(Machine, settings=found)
