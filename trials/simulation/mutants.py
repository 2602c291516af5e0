"""Defects that somebody might bring in one day, each applied to the app as it is."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from msgspec.structs import asdict, replace

from shared.batch.model import NodeStatus, Outcome
from shared.batch.outcomes import outcome_of
from shared.changes import diff, event_grouping
from shared.changes.node_rules import Watch, decide_node
from shared.changes.slicing import plan_slices
from shared.delivery import dispatch
from shared.delivery.answer_rules import NextStep
from shared.delivery.attempt import Attempter
from shared.delivery.rows import record
from shared.errors import LostRaceError, RowConflictError, StoreError
from shared.ledger import transaction
from shared.ledger.job_transaction import Slice
from shared.ledger.ledger import Ledger
from shared.ledger.transaction import Pending
from shared.messages import cloudevents, job_events
from shared.messages.ids import event_id
from shared.messages.signing import signing_headers
from shared.nudges import turns
from shared.polling import cycle_rules, job_rules, known_jobs, node_updates
from shared.polling.job_rules import head_at_first_sight
from shared.state.chunks import Chunk
from shared.state.jobs import JobHead
from shared.state.nodes import NodeRecord
from shared.state.rows import job_key
from shared.state.telling import Delivery, DeliveryState

Mutant = Callable[[], AbstractContextManager[object]]
MUTANTS: dict[str, Mutant] = {}


def mutant(make: Mutant) -> Mutant:
    """Name a mutant after its function."""
    MUTANTS[make.__name__] = make
    return make


@mutant
def digests_kept_after_half_a_commit() -> AbstractContextManager[object]:
    """Every slice claims the whole listing, so whoever dies in between leaves the rest unseen."""

    def plan(layout: Any, steps: Any, pages: Any, *rest: Any) -> tuple[Slice, ...]:
        slices = plan_slices(layout, steps, pages, *rest)
        return tuple(replace(each, head=replace(each.head, page_fingerprints=pages)) for each in slices)

    return patch.object(node_updates, "plan_slices", plan)


@mutant
def one_commit_id_per_process() -> AbstractContextManager[object]:
    """A slice that was never written is taken for written, because the one before it bears the same id."""
    original = Ledger.commit_job

    def commit(self: Ledger, *arguments: Any) -> Any:
        return original(replace(self, new_id=lambda: "always the same"), *arguments)

    race = contextlib.ExitStack()
    race.enter_context(patch.object(turns, "CYCLE_LEASE", timedelta(0)))
    race.enter_context(patch.object(Ledger, "commit_job", commit))
    return race


@mutant
def loser_writes_over_the_winner() -> AbstractContextManager[object]:
    """Whoever loses a race reads the head's new ETag and writes what it had decided all the same.

    No lease keeps two cycles apart meanwhile, as when the one that holds it gives no sign of life.
    """
    original = Ledger.commit_job

    def commit(self: Ledger, row: Any, before: Any, step: Slice, now: datetime) -> Any:
        try:
            return original(self, row, before, step, now)
        except LostRaceError:
            return original(self, self.table.get(self.account, job_key(step.head.job_id)), before, step, now)

    race = contextlib.ExitStack()
    race.enter_context(patch.object(turns, "CYCLE_LEASE", timedelta(0)))
    race.enter_context(patch.object(Ledger, "commit_job", commit))
    return race


@mutant
def absent_node_forgotten() -> AbstractContextManager[object]:
    """What a listing leaves out is dropped from the snapshot."""
    original = diff.decide_updates

    def decide(items: Mapping[str, Any], chunk: Chunk, watch: Watch) -> Any:
        for key in [key for key in chunk if key not in items]:
            del chunk[key]
        return original(items, chunk, watch)

    return patch.object(node_updates, "decide_updates", decide)


@mutant
def open_mark_dropped_when_it_runs_again() -> AbstractContextManager[object]:
    """Resolution looks at the last outcome, so failed, running, succeeded resolves nothing."""

    def decide(before: NodeRecord | None, status: NodeStatus, watch: Watch) -> Any:
        record, changes = decide_node(before, status, watch)
        runs = record.preparation is not None and outcome_of(record.preparation.info) is Outcome.RUNNING
        return (replace(record, open=None) if runs else record), changes

    return patch.object(diff, "decide_node", decide)


@mutant
def delivered_before_it_was_accepted() -> AbstractContextManager[object]:
    """The row is moved to done, and then the request is sent."""
    original = Attempter.attempt

    def attempt(self: Attempter, webhook: Any, item: Pending, *, probe: bool = False) -> None:
        done = NextStep(state=DeliveryState.DONE, delivery=replace(item.delivery, ended_at=self.clock()))
        record(self.table, item, done)
        original(self, webhook, item, probe=probe)

    return patch.object(Attempter, "attempt", attempt)


@mutant
def lease_ignored() -> AbstractContextManager[object]:
    """Whatever is due by time is taken, whoever holds it."""

    def is_due(item: Delivery, now: datetime, _recovered_at: datetime | None = None) -> bool:
        return item.next_attempt_at <= now

    return patch.object(dispatch, "is_due", is_due)


@mutant
def ids_from_a_clock() -> AbstractContextManager[object]:
    """The same decision made again gets another id."""
    original = job_events.nodes_event

    def nodes_event(origin: Any, head: Any, changes: Any, entries: Any, now: datetime) -> Any:
        def identity(_at: datetime | None, *parts: str) -> str:
            return event_id(now, *parts, str(now))

        with patch.object(job_events, "event_id", identity):
            return original(origin, head, changes, entries, now)

    return patch.object(event_grouping, "nodes_event", nodes_event)


@mutant
def known_event_spoils_the_whole_transaction() -> AbstractContextManager[object]:
    """An event row that exists already makes the writer give up, now and for ever."""
    original = transaction._settle

    def settle(*arguments: Any) -> Any:
        error = arguments[-1]
        if isinstance(error, RowConflictError):
            error = RowConflictError(str(error), row_key=error.row_key, exists=False)
        return original(*arguments[:-1], error)  # type: ignore[call-arg]  # handed on as they came

    return patch.object(transaction, "_settle", settle)


class _Forgetful(Ledger, frozen=True):
    """Stores no head by itself."""

    def insert_jobs(self, heads: Sequence[JobHead]) -> list[Any]:
        return []


@mutant
def first_sight_not_stored() -> AbstractContextManager[object]:
    """A new job's head is first written with its nodes, so from when on failures are news is decided each time anew."""
    original = known_jobs.JobHeadStore.sight

    def sight(self: Any, choice: Any, read_up_to: datetime | None) -> Any:
        forgetful = _Forgetful(**asdict(self.ledger))
        found = original(replace(self, ledger=forgetful), choice, read_up_to)
        for due in choice.due:
            if due.known is None and due.job is not None:
                head = head_at_first_sight(
                    due.job, requested=False, read_up_to=read_up_to, first_sight=self.first_sight, now=self.clock()
                )
                found.ready[due.job_id.lower()] = cycle_rules.KnownJob(head=head, row=None)
        return found

    return patch.object(known_jobs.JobHeadStore, "sight", sight)


@mutant
def old_secret_not_signed_with() -> AbstractContextManager[object]:
    """Only the newest secret signs, so receivers must change at the same moment."""
    original = signing_headers

    def sign(*, secrets: Sequence[bytes], **rest: Any) -> dict[str, str]:
        return original(secrets=secrets[:1], **rest)

    return patch.object(cloudevents, "signing_headers", sign)


@mutant
def incarnation_not_asked_for_again() -> AbstractContextManager[object]:
    """Statuses of a job created again in the middle of a cycle are taken for those of the job before."""
    return patch.object(node_updates.NodeWatcher, "_was_created_again", lambda _self, _head, _deadline: False)


@mutant
def event_beside_its_transaction() -> AbstractContextManager[object]:
    """The snapshot is written first, and what is owed for it in a second write."""
    original = Ledger.commit_job

    def commit(self: Ledger, row: Any, before: Any, step: Slice, now: datetime) -> Any:
        written = original(self, row, before, replace(step, events=()), now)
        if not step.events:
            return written
        with contextlib.suppress(StoreError):
            return original(self, written.row, step.head, Slice(head=step.head, events=step.events), now)
        return written

    race = contextlib.ExitStack()
    race.enter_context(patch.object(turns, "CYCLE_LEASE", timedelta(0)))
    race.enter_context(patch.object(Ledger, "commit_job", commit))
    return race


@mutant
def trouble_of_a_lost_job_never_ends() -> AbstractContextManager[object]:
    """A job that is over while it can't be read leaves a job.unreachable without its end."""
    original = job_rules._end_trouble

    def end_trouble(origin: Any, head: JobHead, end: Any, now: datetime) -> Any:
        decision = original(origin, head, end, now)
        return decision if end is None else replace(decision, events=())

    return patch.object(job_rules, "_end_trouble", end_trouble)
