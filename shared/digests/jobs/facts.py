"""What people are told of a job below its title: each fact by its name.

Owns the facts. Does not own which jobs are told, and how much of each (`digests.jobs.notices`), those of a standstill
(`digests.jobs.standstill_facts`), or the advice on failures (`batch.advice`).
"""

from datetime import datetime

from shared.batch.advice import advice
from shared.batch.model import Phase
from shared.batch.outcomes import is_active
from shared.digests.chat_rules import News, NewsKind
from shared.digests.jobs.standstill_facts import slow_facts, standing_facts, unreachable_remedy
from shared.digests.jobs.titles import ENDS, has_succeeded_since, held_up, is_looked_at, unmended_end
from shared.digests.short_names import cause_words, node_name, of_all
from shared.messages.notices import JOB, fact
from shared.messages.remedies import slow_remedy
from shared.messages.sentences import account_name, clock_time, lasted_from, since_when
from shared.state.jobs import JobEnd, JobHead, Tracking

_NODES_BYTES = 400
_FEW_NODES = 2  # that few can be looked up by their ids as they are
_NOT_OF_FAILURES = frozenset({NewsKind.UNREACHABLE, NewsKind.REACHABLE, NewsKind.IN_TIME})


def facts_of(account: str, news: News, max_nodes: int, *, heading: str | None = None) -> tuple[tuple[str, str], ...]:
    """The facts of a job, with at most so many of its nodes by name; what its `heading` says of it is left out."""
    head = news.head
    if head is None:
        return (("Why", "nothing is stored of the job any more"), _job_fact(account, news))
    return (
        *_vanished_facts(news, head),
        *_trouble_facts(news, head),
        *_unreachable_facts(news, head),
        *_end_facts(news, head),
        *_failure_facts(news, head),
        *(() if heading is not None and _is_said(account, news, head, heading) else (_job_fact(account, news),)),
        *_standing_facts(account, news, head),
        *_node_facts(news, head, max_nodes),
    )


def _job_fact(account: str, news: News) -> tuple[str, str]:
    """The whole ids: in headings they are shortened."""
    head, name = news.head, account_name(account)
    if head is None:
        return fact(JOB, f"{news.job_id}, account {name}")
    state = head.state or "of unknown state"
    if not {NewsKind.GONE, NewsKind.UNREACHABLE}.isdisjoint(news.kinds):
        state = f"last seen {state}"
    return fact(JOB, f"{news.job_id}, {state}, pool {head.pool_id or 'unknown'}, account {name}")


def _is_said(account: str, news: News, head: JobHead, heading: str) -> bool:
    """Whether a heading has the whole ids, and the state is what everybody takes it for."""
    if not is_active(head.state) or not {NewsKind.GONE, NewsKind.UNREACHABLE}.isdisjoint(news.kinds):
        return False
    place = f"{account_name(account)}/{head.pool_id}"
    return heading.endswith(f": {news.job_id}, {place}") or heading.startswith(f"{news.job_id} of {place} ")


def _vanished_facts(news: News, head: JobHead) -> list[tuple[str, str]]:
    if NewsKind.GONE not in news.kinds:
        return []
    before = "Batch does not know the job any more"
    failed = head.preparation.failed
    if failed:
        before += f"; preparation had failed on {failed} of {head.nodes} nodes"
    return [
        ("Vanished", f"{before}."),
        ("What to do", "Ask whoever deletes jobs here whether that was meant. Nothing is left to mend in the job."),
    ]


def _trouble_facts(news: News, head: JobHead) -> list[tuple[str, str]]:
    trouble = head.trouble
    if trouble is None or news.kind is NewsKind.REACHABLE:
        return []
    facts = [fact("Not seen", f"since {since_when(trouble.since, _now(news))}: {trouble.code}: {trouble.message}")]
    if NewsKind.UNREACHABLE in news.kinds:
        facts += [fact("Request id", trouble.request_id)] if trouble.request_id else []
        facts.append(("Until then", "what fails there is not seen, and is told as soon as it is"))
        facts.append(("What to do", unreachable_remedy(trouble)))
    return facts


def _unreachable_facts(news: News, head: JobHead) -> list[tuple[str, str]]:
    since = news.before.unreachable_since
    if NewsKind.REACHABLE not in news.kinds or since is None:
        return []
    if not is_looked_at(head):
        has_none = head.tracking is Tracking.NO_PREPARATION_TASK
        return [("Why", "the job has no preparation task" if has_none else ENDS[head.closed or JobEnd.UNTRACKED])]
    return [("In sight again", f"it could not be read for {lasted_from(since, news.wanted_at, _now(news))}")]


def _end_facts(news: News, head: JobHead) -> list[tuple[str, str]]:
    if news.kind is NewsKind.RESOLVED:
        return [("Why", _why_over(news, head))]
    if news.kind is NewsKind.IN_TIME:
        return [("Ended", "each has succeeded or failed, or its node has left")]
    if NewsKind.RESUMED in news.kinds and news.before.stuck_since is not None:
        stood = f"for {lasted_from(news.before.stuck_since, news.wanted_at, _now(news))}"
        moves = unmended_end(news, head) is None
        return [("Moves again", f"it stood still {stood}") if moves else ("Stood still", stood)]
    return []


def _failure_facts(news: News, head: JobHead) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    if news.preparation:
        facts.append(("Preparation", f"{newly_failed(news.preparation)}; {_still_failed(head)}"))
    elif news.kind is NewsKind.UNREACHABLE and head.preparation.open:
        facts.append(("Preparation", f"{held_up(head, 'were')} when it was last seen"))
    # That some are slow no more, or can be seen again, is not all that there is to know of its nodes.
    elif head.preparation.open if news.kind is NewsKind.IN_TIME else _is_seen_again(news, head):
        facts.append(("Preparation", held_up(head)))
    if news.release:
        failed = head.release.failed
        where = f"{of_all(failed, head.nodes)} in all" if failed else "before the job began anew"
        facts.append(("Release", f"{newly_failed(news.release)}, {where}"))
    return facts


def _is_seen_again(news: News, head: JobHead) -> bool:
    return news.kind is NewsKind.REACHABLE and is_looked_at(head)


def standing_facts_of(account: str, news: News) -> tuple[tuple[str, str], ...]:
    """What keeps a job from going on: why, since when and what to do; empty when nothing is stored of it any more."""
    return tuple(_standing_facts(account, news, news.head)) if news.head is not None else ()


def _standing_facts(account: str, news: News, head: JobHead) -> list[tuple[str, str]]:
    if news.kind is NewsKind.SLOW:
        remedy = slow_remedy(account, head, news.nodes)
        return [*slow_facts(head, news.slow, _now(news)), ("What to do", remedy.words)]
    facts = standing_facts(account, head, _now(news))
    facts += [(f"Why {cause.phase.value} failed", cause_words(cause)) for cause in news.causes]
    if (since := first_failure(head)) is not None and news.kind not in _NOT_OF_FAILURES:
        facts.append(("Since", _since_words(news, head, since)))
    advised = dict.fromkeys(what for cause in news.causes if (what := advice(cause.code)) is not None)
    facts += [("What to do", what) for what in advised]
    return facts


def failing_nodes(head: JobHead, phase: Phase) -> int:
    """On how many nodes a phase has failed, and still counts."""
    return head.preparation.open if phase is Phase.PREPARATION else head.release.failed


def _node_facts(news: News, head: JobHead, limit: int) -> list[tuple[str, str]]:
    if news.kind is NewsKind.SLOW:
        number = head.preparation.slow
    elif news.phase is not None and news.names_causes:
        number = failing_nodes(head, news.phase)
    else:
        return []
    names = [node_name(node, head.pool_id, whole=number <= _FEW_NODES) for node in nodes_to_name(news)[:limit]]
    if not names:
        return []
    more = max(0, number - len(names))
    name, text = fact("Nodes", ", ".join(names), _NODES_BYTES)
    return [(name, f"{text} and {more} more" if more else text)]


def nodes_to_name(news: News) -> list[tuple[str, str]]:
    """Pool and node id of those that can be named: the newest failures, or where nobody has looked an example."""
    examples = tuple(cause.example for cause in news.causes if cause.phase is news.phase and cause.example[1])
    return list(dict.fromkeys(news.nodes or examples))


def _since_words(news: News, head: JobHead, since: datetime) -> str:
    # How long it took until it was over is not known from when it began alone.
    stands = head.preparation.open > 0
    return since_when(since, _now(news)) if stands else clock_time(since, _now(news))


def _now(news: News) -> datetime:
    """When the message is decided on; what the webhook knows after it is known since then."""
    return news.after.at or news.wanted_at


def first_failure(head: JobHead) -> datetime | None:
    """When the first run failed that has one of the causes that stand; None when none stands."""
    return min((cause.first_seen for cause in head.causes if cause.first_seen), default=None)


def _why_over(news: News, head: JobHead) -> str:
    if head.closed is not None:
        return f"preparation had succeeded before, and {ENDS[head.closed]}" if head.mended else ENDS[head.closed]
    if news.begins_anew:
        return "the job was created or tracked again, and no node has failed since"
    if unmended_end(news, head) is not None:
        return "nothing was mended: whatever waits there next may stand still again"
    if not (news.before.preparation or head.preparation_failed_ever):
        return "nothing keeps the job's tasks from running any more"
    if head.left and not has_succeeded_since(head):
        return "nothing was mended: the nodes that failed have left the job's pool, and the next ones will show"
    if head.left:
        return f"preparation has succeeded since; {_of_failed(head.left)} the job's pool"
    return "preparation has succeeded on every node that had failed"


def _of_failed(left: int) -> str:
    return f"of the nodes that had failed, {left} {'has' if left == 1 else 'have'} left"


def _still_failed(head: JobHead) -> str:
    failed = head.preparation.failed
    if head.mended and head.closed is not None:
        return "mended before the job ended"
    if head.closed is not None and failed:
        return f"it had failed on {of_all(failed, head.nodes)} in the end"
    return "over with the job" if head.closed is not None else held_up(head)


def newly_failed(number: int) -> str:
    """So many nodes in which a phase has failed since the last message."""
    return f"{number} newly failed"
