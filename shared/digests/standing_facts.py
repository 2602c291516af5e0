"""What people are told beside its title of what keeps a job from going on.

Owns these facts. Does not own when a job stands still (`pools.standstill_rules`), or the words for reasons
(`state.standing`).
"""

from datetime import datetime

from shared.messages.notices import VALUE_BYTES, fact
from shared.messages.sentences import counted, since_when
from shared.redaction import one_line
from shared.state.jobs import JobHead
from shared.state.pools import Standstill
from shared.state.standing import nodes_in_words


def standing_facts(head: JobHead, now: datetime) -> list[tuple[str, str]]:
    """What keeps a job from going on: a standstill with its reason, and preparations that take too long."""
    facts: list[tuple[str, str]] = []
    if head.stuck is not None and head.stuck.confirmed:
        facts.append(("Stuck", f"no node can take the job's tasks, since {since_when(head.stuck.since, now)}"))
        facts += _standstill(head.stuck)
    if head.preparation.slow:
        facts.append(("Slow", f"preparation goes on for too long on {counted(head.preparation.slow, 'node')}"))
    return facts


def _standstill(standstill: Standstill) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    if standstill.tasks:
        facts.append(("Waiting", counted(standstill.tasks, "task")))
    if standing := nodes_in_words(standstill.by_state):
        facts.append(fact("Nodes of the pool", standing))
    cause = standstill.cause
    # What failed preparations have in common is told with every failure.
    if cause is not None and standstill.reason is not None and standstill.reason.is_of_pool:
        said = f"{cause.code}: {cause.message}" if cause.message else cause.code
        facts.append(fact("Cause", one_line(said, limit=VALUE_BYTES)))
    return facts
