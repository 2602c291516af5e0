"""What people are told beside its title of what keeps a job from going on.

Owns these facts. Does not own when a job stands still (`pools.standstill_rules`) or is slow
(`changes.slow_preparations`), or the words for reasons (`state.standstill_words`).
"""

from datetime import datetime

from shared.batch.model import UNREADABLE
from shared.digests.chat_rules import SlowRuns
from shared.digests.jobs.titles import held_up
from shared.messages.notices import VALUE_BYTES, fact
from shared.messages.remedies import standstill_remedy
from shared.messages.sentences import counted, lasted, since_when, waiting
from shared.redaction import one_line
from shared.state.jobs import UNREADABLE_ROW, JobHead, Trouble
from shared.state.pools import Standstill
from shared.state.standstill_words import nodes_in_words


def standing_facts(account: str, head: JobHead, now: datetime) -> list[tuple[str, str]]:
    """What keeps a job from going on: a standstill with its reason, and preparations that take too long."""
    facts: list[tuple[str, str]] = []
    if (still := head.standstill) is not None:
        tasks = f"; {waiting(still.tasks, 'task')}, none runs" if still.tasks else ""
        facts.append(("Stands still", f"since {since_when(still.since, now)}{tasks}"))
        facts += _standstill(account, head, still)
    if head.preparation.slow:
        facts.append(("Slow", f"preparation goes on for too long on {counted(head.preparation.slow, 'node')}"))
    return facts


def slow_facts(head: JobHead, runs: SlowRuns | None, now: datetime) -> list[tuple[str, str]]:
    """What is known of preparations that take too long: nothing of why, so how others fared and what they print.

    `runs` is None when nobody has looked at all of them.
    """
    said = ["not known while it runs"]
    if head.longest is not None:
        said.append(f"the slowest success took {lasted(head.longest)}")
    if runs is not None and runs.retried:
        times = "once" if runs.retries == 1 else f"{runs.retries} times"
        where = f" on {runs.retried} of them, up to" if head.preparation.slow > 1 else ""
        said.append(f"retried{where} {times}")
    # It has failed on others, which readers know; that some are slow mends nothing there.
    facts = [("Preparation", held_up(head))] if head.preparation.open else []
    facts.append(("Why", "; ".join(said)))
    if runs is not None and runs.first is not None:
        facts.append(("Since", since_when(runs.first, now)))
    return facts


def unreachable_remedy(trouble: Trouble) -> str:
    """What to do about what keeps a job from being looked at."""
    if trouble.code == "DeadlineExceeded":  # our own limit; OperationTimedOut is that of Batch
        return "Raise POLL_BUDGET_SECONDS: listing the job takes longer than a cycle has."
    if trouble.code == UNREADABLE_ROW:
        return "Deploy the newest version that has run here: a row of the state was written by it, or is damaged."
    support = "quote the request id to Azure support" if trouble.request_id else "run the diagnostics"
    support = "update Prepwatch, or report what it can't read" if trouble.code == UNREADABLE else support
    return f"Prepwatch tries again in every cycle. If it stays so, {support}."


def _standstill(account: str, head: JobHead, standstill: Standstill) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    if standing := nodes_in_words(standstill.by_state):
        facts.append(fact("Nodes of the pool", standing))
    cause = standstill.cause
    # What failed preparations have in common is told with every failure.
    if cause is not None and standstill.why.is_of_pool:
        said = f"{cause.code}: {cause.message}" if cause.message else cause.code
        facts.append(fact("Cause", one_line(said, limit=VALUE_BYTES)))
    facts.append(("What to do", standstill_remedy(account, head, standstill).words))
    return facts
