"""How standstills are shown: one of a job, and all in a sentence for each reason.

Owns this translation. Does not own the shapes (`api.job_views`) or the words for a reason (`state.standstill_words`).
"""

from collections import Counter
from collections.abc import Sequence

from shared.api.job_views import CauseTextView, StuckView
from shared.messages.remedies import standstill_remedy
from shared.messages.sentences import STANDS_STILL, of_jobs
from shared.state.jobs import JobHead
from shared.state.standstill_words import nodes_in_words, why_in_words


def stuck_view(account: str, head: JobHead) -> StuckView | None:
    """A job's standstill as the summary shows it; None while nothing says that the job's tasks can't run."""
    standstill = head.standstill
    if standstill is None:
        return None
    cause, remedy = standstill.cause, standstill_remedy(account, head, standstill)
    return StuckView(
        since=standstill.since,
        reason=standstill.reason,
        why=why_in_words(standstill.why),
        pool_id=standstill.pool_id or None,
        nodes=dict(standstill.by_state),
        standing=nodes_in_words(standstill.by_state),
        cause=None if cause is None else CauseTextView(code=cause.code, message=cause.message),
        tasks=standstill.tasks,
        remedy=remedy.words,
        command=remedy.command,
        afterwards=remedy.afterwards,
    )


def standstills_in_words(heads: Sequence[JobHead]) -> list[str]:
    """How many jobs stand still, a sentence for each reason, the most frequent first."""
    reasons = Counter(why_in_words(head.standstill.why) for head in heads if head.standstill is not None)
    return [f"{of_jobs(STANDS_STILL, jobs)}: {why}" for why, jobs in reasons.most_common()]
