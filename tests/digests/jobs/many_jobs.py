"""Jobs that fare alike, as chat is told of many of them at once."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from shared.batch.model import Phase
from shared.digests.chat_rules import News
from shared.digests.jobs.notices import jobs_notice
from shared.messages.length import MAX_LINES, fitted, lines_of
from shared.messages.notices import Notice
from shared.state.jobs import Cause, JobHead, PhaseCounts
from shared.state.pools import Standstill, StandstillCause, StandstillReason
from shared.state.telling import Told
from tests.support.told_jobs import ACCOUNT, LINKS, NOW, news

NODE = "tvmps_03c1a2b94be0f7d1c5e88b0f2a9d47e6c1a50042d8f3b7e9_d"
DENIED = (
    "Access for one of the specified Azure Blob(s) is denied: contosotools.blob.core.windows.net/setup/tools.tar.gz"
)


def cause(code: str = "BlobAccessDenied", text: str = DENIED, *, nodes: int = 38, release: bool = False) -> Cause:
    """A cause of a phase, by default the one that all of them have."""
    phase = Phase.RELEASE if release else Phase.PREPARATION
    return Cause(
        phase=phase, code=code, message=text, nodes=nodes, example=("pool-cpu", NODE), first_seen=NOW, last_seen=NOW
    )


EXIT = cause("FailureExitCode", "The task exited with exit code 1.", nodes=1)


def job_of(job_id: str, *causes: Cause, pool: str = "pool-cpu", **state: Any) -> JobHead:
    """A job of forty nodes whose failures these causes are."""
    failed = {phase: sum(cause.nodes for cause in causes if cause.phase is phase) for phase in Phase}
    job = JobHead(
        job_id=job_id,
        first_seen_at=NOW,
        state="active",
        pool_id=pool,
        nodes=40,
        causes=causes,
        preparation=PhaseCounts(failed=failed[Phase.PREPARATION], open=failed[Phase.PREPARATION]),
        release=PhaseCounts(failed=failed[Phase.RELEASE]),
        preparation_failed_ever=failed[Phase.PREPARATION],
        release_failed_ever=failed[Phase.RELEASE],
        generation=1,
    )
    return replace(job, **state)


def over(job_id: str, *, failed: int = 3, minutes: int = 6, **state: Any) -> News:
    """The end of what was told of a job."""
    head = job_of(job_id, preparation_failed_ever=failed, **state)
    since = NOW - timedelta(minutes=minutes)
    known = Told(job_id=job_id, counted_from=NOW, standing=True, preparation=failed, since=since, at=NOW)
    known = known if failed else replace(known, stuck_since=since)
    return news(head, told=known)


def told(*items: News) -> Notice:
    """What chat is told of these jobs, as it fits a phone."""
    notice = fitted(jobs_notice(ACCOUNT, items, LINKS))
    assert lines_of(notice) <= MAX_LINES
    return notice


def still(reason: StandstillReason, code: str = "Quota") -> Standstill:
    """A standstill of the pool."""
    cause = StandstillCause(code=code, message="no more")
    return Standstill(since=NOW, confirmed=True, reason=reason, pool_id="pool-cpu", cause=cause, tasks=88)
