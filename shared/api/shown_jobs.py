"""How a job is shown: its body, since when something is wrong with it, and its place among the others.

Owns how what is remembered of a job fills its body. Does not own the body's shape (`api.job_views`). Pure.
"""

from datetime import datetime

from shared.api.job_views import CauseView, JobView, KeyValue, TroubleView
from shared.api.pools.standstills import stuck_view
from shared.batch.model import Phase
from shared.messages.remedies import cause_command
from shared.moments import as_utc
from shared.state.jobs import JobHead, Tracking, Trouble


def job_view(account: str, head: JobHead) -> JobView:
    """A job, as it is shown."""
    return JobView(
        account=account,
        job_id=head.job_id,
        pool_id=head.pool_id,
        state=head.state,
        tracking=head.tracking,
        nodes=head.nodes,
        preparation=head.preparation,
        release=head.release,
        stuck=stuck_view(account, head),
        since=_trouble_since(head),
        causes=tuple(
            CauseView(phase=cause.phase, code=cause.code, message=cause.message, nodes=cause.nodes, command=command)
            for cause, command in ((cause, cause_command(account, head.job_id, cause)) for cause in head.causes)
        ),
        changed_at=head.changed_at,
        error=trouble_view(head.trouble),
    )


def trouble_view(trouble: Trouble | None) -> TroubleView | None:
    """An error as answers show it, None for none."""
    if trouble is None:
        return None
    return TroubleView(
        code=trouble.code,
        message=trouble.message,
        request_id=trouble.request_id,
        values=tuple(KeyValue(key=key, value=value) for key, value in trouble.values),
    )


def _trouble_since(head: JobHead) -> datetime | None:
    """When the worst of what is wrong with a job began, in the order in which jobs are listed.

    Failures begin with the first run that had one of the causes that stand. None when nothing is wrong, or when it is
    not known since when: a row that can't be read does not say, and Batch may give a run no times.
    """
    # Nothing of the job runs.
    if head.stuck_since is not None:
        return head.stuck_since
    # Some of its nodes are held up.
    if head.preparation.open:
        return _first_failed(head, Phase.PREPARATION)
    # Nobody can see whether any are.
    if head.trouble is not None:
        return head.trouble.since if head.trouble.times else None
    return _first_failed(head, Phase.RELEASE)


def _first_failed(head: JobHead, phase: Phase) -> datetime | None:
    times = [cause.first_seen for cause in head.causes if cause.phase is phase and cause.first_seen is not None]
    return min(map(as_utc, times), default=None)


def place_in_summary(account: str, head: JobHead) -> tuple[object, ...]:
    """What sorts jobs so that the worst comes first."""
    return (
        head.stuck_since is None,
        -head.preparation.open,
        head.trouble is None,
        -head.release.failed,
        head.tracking in {Tracking.SETTLED, Tracking.NO_PREPARATION_TASK, Tracking.STOPPED, Tracking.GONE},
        account,
        head.job_id.lower(),
    )
