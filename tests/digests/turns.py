"""The turns that a job takes: it fails, can't be read, stands still, vanishes, and gets over each of these."""

from collections.abc import Callable

from msgspec.structs import replace

from shared.batch.model import UNREADABLE
from shared.errors import BatchUnavailableError, HostileAnswerError, PrepwatchError, UnreadableRowError
from shared.polling.job_rules import Decision, change_standstill, close, end_as_gone, fail, recover, stop_listing
from shared.pools.standstill_rules import StandstillChange, StandstillDecision
from shared.state.jobs import JobEnd, JobHead, PhaseCounts, Tracking
from shared.state.pools import Standstill, StandstillReason
from tests.digests.told_world import World

ERROR = HostileAnswerError("InvalidAnswer", "Not JSON.", request_id="r-1")
Turn = Callable[[World], None]


def fails(world: World) -> None:
    """Three of its nodes fail."""
    world.fail(3)


def unreachable(world: World, error: PrepwatchError = ERROR) -> None:
    """Three cycles in a row can't read it, for this reason."""
    for _ in range(3):
        world.decide(lambda head: fail(world.origin, head, error, world.now))


def odd_entries(world: World) -> None:
    """Some entries of its listing can't be read."""
    unreachable(world, HostileAnswerError(UNREADABLE, "2 entries can't be read."))


def too_slow(world: World) -> None:
    """Its listing takes longer than a cycle has."""
    unreachable(world, BatchUnavailableError("DeadlineExceeded", "It took too long."))


def slow_batch(world: World) -> None:
    """Batch itself says that it took too long."""
    unreachable(
        world, BatchUnavailableError("OperationTimedOut", "The operation could not be completed.", request_id="r-2")
    )


def unreadable(world: World) -> None:
    """What is stored of it can't be read."""
    unreachable(world, UnreadableRowError("Row x has schema version 9."))


def reachable(world: World) -> None:
    """It is read again."""
    world.decide(lambda head: recover(world.origin, head, world.now))


def reachable_and_failed(world: World) -> None:
    """It is read again, and two of its nodes have failed meanwhile."""
    world.decide(lambda head: _with_failures(recover(world.origin, head, world.now), 2))


def _with_failures(decision: Decision, number: int) -> Decision:
    counts = PhaseCounts(failed=number, open=number)
    head = replace(decision.head, preparation=counts, preparation_failed_ever=number)
    return Decision(head=replace(head, generation=head.generation + 1), events=decision.events)


def stuck(world: World) -> None:
    """Preparation has failed on every node, and it stands still."""

    def rule(head: JobHead) -> Decision:
        failed = PhaseCounts(failed=head.nodes, open=head.nodes)
        standstill = Standstill(since=world.now, confirmed=True, reason=StandstillReason.PREPARATION_FAILED)
        decided = StandstillDecision(standstill=standstill, change=StandstillChange.BEGINS)
        return change_standstill(world.origin, replace(head, preparation=failed), decided, world.now)

    world.decide(rule)


def moves(world: World, left: int = 10) -> None:
    """It moves again, with so many nodes that still fail."""

    def rule(head: JobHead) -> Decision:
        moving = PhaseCounts(failed=left, open=left, succeeded=head.nodes - left)
        decided = StandstillDecision(standstill=None, change=StandstillChange.ENDS)
        return change_standstill(world.origin, replace(head, preparation=moving), decided, world.now)

    world.decide(rule)


def mended(world: World) -> None:
    """It moves again, and no node fails."""
    moves(world, left=0)


def asked_for(world: World) -> None:
    """Somebody asks to watch it."""
    world.change("nightly", requested=True)


def vanishes(world: World) -> None:
    """Batch does not know it any more."""
    world.decide(lambda head: end_as_gone(world.origin, head, world.now, world.now))


def left_alone(world: World) -> None:
    """The settings no longer name it."""

    def rule(head: JobHead) -> Decision:
        closing = close(world.origin, head, JobEnd.UNTRACKED, world.now, world.now)
        return Decision(head=stop_listing(closing.head, Tracking.SETTLED, world.now), events=closing.events)

    world.decide(rule)


def without_preparation(world: World) -> None:
    """It is read again, and has no preparation task."""

    def rule(head: JobHead) -> Decision:
        found = recover(world.origin, head, world.now)
        return replace(found, head=stop_listing(found.head, Tracking.NO_PREPARATION_TASK, world.now))

    world.decide(rule)


def without_preparation_and_able_nodes(world: World) -> None:
    """It is read again without a preparation task, and no node of its pool can work."""

    def rule(head: JobHead) -> Decision:
        standstill = Standstill(since=world.now, confirmed=True, reason=StandstillReason.NODES_UNABLE)
        decided = StandstillDecision(standstill=standstill, change=StandstillChange.BEGINS)
        return change_standstill(world.origin, head, decided, world.now)

    without_preparation(world)
    world.decide(rule)
