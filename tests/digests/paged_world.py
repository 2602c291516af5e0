"""Jobs that fail for causes which they share, and what a pager was told of them."""

from datetime import timedelta

from shared.batch.model import Phase
from shared.state.jobs import Cause, PhaseCounts
from shared.state.pools import Standstill, StandstillCause, StandstillReason
from tests.digests.told_world import Sent, World

MINUTE = timedelta(minutes=1)
POOL = "pool-cpu"


def cause(
    world: World,
    code: str = "BlobAccessDenied",
    *,
    nodes: int = 3,
    node: str = "tvm-1",
    phase: Phase = Phase.PREPARATION,
) -> Cause:
    """A cause as a head keeps it."""
    message = "The task exited with exit code 1." if code == "FailureExitCode" else "Access is denied."
    return Cause(
        phase=phase,
        code=code,
        message=message,
        nodes=nodes,
        example=(POOL, node),
        first_seen=world.now,
        last_seen=world.now,
    )


def stands_still(world: World, reason: StandstillReason = StandstillReason.PREPARATION_FAILED) -> Standstill:
    """A standstill that was confirmed now."""
    cause = StandstillCause(code="BlobAccessDenied", message="Access is denied.")
    return Standstill(since=world.now, confirmed=True, reason=reason, pool_id=POOL, cause=cause, tasks=12)


def fail(world: World, job: str, *causes: Cause, pool: str = POOL) -> None:
    """Let preparation of a job fail for these causes, on as many more nodes as they say."""
    opened = sum(each.nodes for each in causes)
    before = world.job(job)[1]
    world.change(
        job,
        pool_id=pool,
        nodes=40,
        causes=causes,
        preparation=PhaseCounts(failed=opened, open=opened),
        preparation_failed_ever=(before.preparation_failed_ever if before else 0) + opened,
        closed=None,
    )


def mend(world: World, job: str) -> None:
    """Let preparation succeed wherever it had failed."""
    world.change(job, causes=(), preparation=PhaseCounts(succeeded=40))


def incidents(world: World) -> dict[str, list[str]]:
    """What was done with each incident, by key."""
    done: dict[str, list[str]] = {}
    for sent in world.told("pagerduty"):
        done.setdefault(str(sent.body["dedup_key"]), []).append(str(sent.body["event_action"]))
    return done


def page(sent: Sent) -> dict[str, object]:
    """What a page says."""
    payload = sent.body["payload"]
    assert isinstance(payload, dict)
    return payload
