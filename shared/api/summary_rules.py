"""How things stand, said from what is remembered.

Owns the summary's status and its reasons in words. Does not own reading (`api.summary`), the shape of the answer
(`api.job_views`) or how a job is shown in it (`api.shown_jobs`). Pure.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from shared.api.account_reasons import pools_unread
from shared.api.job_views import (
    AccountView,
    DeliveriesView,
    LastPollView,
    Status,
    SummaryView,
    TotalsView,
    WebhooksView,
)
from shared.api.pools.standstills import standstills_in_words
from shared.api.pools.views import PoolView, trouble_words, worst_pool_first
from shared.api.reasons import nodes_of_jobs, release_failures
from shared.api.shown_jobs import job_view, place_in_summary, trouble_view
from shared.api.untold import since_of
from shared.api.webhook_reasons import called_wrong, is_disabled, not_all_taken, taken_nothing, unmatched_events
from shared.api.webhook_views import UntoldView
from shared.messages.sentences import CANT_BE_READ, minute, of_jobs
from shared.polling.cycle_rules import is_stale
from shared.state.accounts import Cycle
from shared.state.jobs import JobHead, PhaseCounts, Tracking, Trouble
from shared.state.telling import WebhookState
from shared.webhook import Webhook, waiting_words

STALE_IN_GENERAL = "an account has not been read for too long: GET /api/summary names it"
UNHEARD_IN_GENERAL = "a webhook takes nothing: GET /api/summary names it"
NUDGES_IN_GENERAL = "the app can't write its own queue: GET /api/diagnostics says why"


class AccountState(Struct, frozen=True, kw_only=True):
    """What is remembered of one account; `cycle` is None before the first one.

    `trouble` is why nobody can tell how the last cycle went, None when the cycle itself says what is wrong.
    `unreadable` says of pools why nobody can tell which of their nodes can't work.
    """

    account: str
    url: str
    portal_url: str | None = None
    cycle: Cycle | None
    trouble: Trouble | None = None
    heads: tuple[JobHead, ...] = ()
    pools: tuple[PoolView, ...] = ()
    unreadable: tuple[str, ...] = ()
    due: int = 0
    dead: int = 0


class JobsPage(Struct, frozen=True, kw_only=True):
    """Which of the jobs are shown; `job` and `account` None for all."""

    job: str | None = None
    account: str | None = None
    skip: int = 0
    top: int


class Known(Struct, frozen=True, kw_only=True):
    """What was read, and what the settings say, when somebody asked how things stand."""

    accounts: Sequence[AccountState]
    webhooks: Sequence[WebhookState]
    switched_on: Sequence[Webhook]
    """The webhooks that the settings switch on."""
    configured: Sequence[str]
    """The names of all webhooks."""
    untold: Mapping[str, UntoldView]
    """What those should have been told by now, by their names."""
    silent: Mapping[str, str]
    """Why other webhooks are sent nothing, by name: nobody knows their health, or a setting can't be read yet."""
    own: DeliveriesView
    """The deliveries that concern no account, such as news of webhooks: they count whatever the page."""
    nudges: str | None
    """What is wrong with nudging, None when nothing is."""
    heartbeat_waits_for: str | None
    """The setting that keeps the heartbeat back, None when none does."""
    stale_after: timedelta


def build_summary(known: Known, page: JobsPage, now: datetime) -> tuple[SummaryView, bool]:
    """The summary, and whether jobs are left for another page."""
    views = tuple(_account(state, known.stale_after, now) for state in known.accounts)
    found = [
        (state.account, head)
        for state in known.accounts
        for head in state.heads
        if page.job is None or head.job_id.lower() == page.job.lower()
    ]
    found.sort(key=lambda item: place_in_summary(*item))
    heads = [head for _, head in found]
    pools = _pools(known.accounts, None if page.job is None else {(account, head.pool_key) for account, head in found})
    failing = {state.name: state for state in known.webhooks if state.failing_since and not state.disabled_since}
    webhooks = WebhooksView(
        failing=tuple(sorted({*failing, *_silent(known)})),
        disabled=tuple(sorted(state.name for state in known.webhooks if state.disabled_since)),
    )
    deliveries = DeliveriesView(
        due=known.own.due + sum(state.due for state in known.accounts),
        dead=known.own.dead + sum(state.dead for state in known.accounts),
        oldest_due_since=since_of(known.untold.values()),
    )
    stale = [_not_read(view) for view in views if view.stale]
    degraded = [
        *(f"{view.account}: {view.error.code}: {view.error.message}" for view in views if view.error),
        *_pool_troubles(known, now),
        *_job_troubles(heads),
        *release_failures(heads, now),
        *(
            taken_nothing(webhook, failing[webhook.name], known.untold.get(webhook.name))
            for webhook in sorted(known.switched_on, key=lambda one: one.name)
            if webhook.name in failing
        ),
        *_webhook_troubles(known, webhooks),
        *([_given_up(deliveries.dead)] if deliveries.dead else []),
        *([known.nudges] if known.nudges else []),
        *([] if known.switched_on else [_nobody(known)]),
    ]
    wrong = [*_failures(heads), *(trouble_words(view) for view in pools if view.in_trouble)]
    summary = SummaryView(
        status=_status(stale, degraded, wrong),
        reasons=(*wrong, *stale, *degraded),
        generated_at=now,
        accounts=views,
        totals=_totals(heads, pools),
        value=tuple(job_view(account, head) for account, head in found[page.skip : page.skip + page.top]),
        pools=tuple(pools[: page.top]),
        deliveries=deliveries,
        webhooks=webhooks,
    )
    return summary, page.skip + page.top < len(found)


def _pools(accounts: Sequence[AccountState], used: Collection[tuple[str, str]] | None) -> list[PoolView]:
    """The pools, the worst first; only those `used` by the job that somebody asks about, None for all."""
    pools = [view for state in accounts for view in state.pools]
    pools = [view for view in pools if used is None or (view.account, view.pool_id.lower()) in used]
    return sorted(pools, key=worst_pool_first)


def _totals(heads: Sequence[JobHead], pools: Sequence[PoolView]) -> TotalsView:
    return TotalsView(
        jobs=len(heads),
        nodes=sum(head.nodes for head in heads),
        preparation=_sum(head.preparation for head in heads),
        release=_sum(head.release for head in heads),
        pools=len(pools),
    )


def _webhook_troubles(known: Known, shown: WebhooksView) -> list[str]:
    """What is not told, or may never be, but for the webhooks that take nothing."""
    untold = known.untold
    return [
        *(not_all_taken(name, untold[name]) for name in _late(untold, {*shown.failing, *shown.disabled})),
        *(called_wrong(name, untold[name]) for name in sorted(untold) if untold[name].refused),
        *(
            f"webhook {name} is not told everything: {why}"
            for name in sorted(untold)
            if (why := untold[name].unreadable)
        ),
        *(f"webhook {name} is sent nothing: {what}" for name, what in sorted(_silent(known).items())),
        *(is_disabled(state) for state in sorted(known.webhooks, key=lambda one: one.name) if state.disabled_since),
        *(words for webhook in known.switched_on if (words := unmatched_events(webhook)) is not None),
        *([f"no heartbeat is sent: {waiting_words(waits)}"] if (waits := known.heartbeat_waits_for) else []),
    ]


def _silent(known: Known) -> Mapping[str, str]:
    """Why webhooks are sent nothing, or nothing of the jobs of an account, by name."""
    of_jobs = {name: view.silent for name, view in known.untold.items() if view.silent is not None}
    return {**of_jobs, **known.silent}


def nudges_refused(reason: str, since: datetime) -> str:
    """What it means that the app's own queue refuses nudges."""
    return (
        f"nudges are refused since {since:%Y-%m-%dT%H:%M:%SZ}: {reason}; polls go on, what is due between them waits "
        "for the next, and GET /api/diagnostics says what to do"
    )


def _account(state: AccountState, stale_after: timedelta, now: datetime) -> AccountView:
    cycle = state.cycle
    last = None
    if cycle is not None:
        last = LastPollView(
            started_at=cycle.started_at,
            finished_at=cycle.finished_at,
            jobs=cycle.jobs,
            not_looked_at=cycle.not_looked_at,
            errors=cycle.errors,
        )
    return AccountView(
        account=state.account,
        url=state.url,
        portal_url=state.portal_url,
        last_good_poll=cycle.read_up_to if cycle else None,
        last_poll=last,
        stale=is_stale(cycle, stale_after, now),
        error=trouble_view(cycle.trouble if cycle else state.trouble),
        pools_error=cycle.pools_error if cycle else None,
        pools_error_since=cycle.pools_error_since if cycle else None,
    )


def _pool_troubles(known: Known, now: datetime) -> list[str]:
    found = (pools_unread(state.account, state.cycle, known.stale_after, now) for state in known.accounts)
    return [
        *filter(None, found),
        *(f"nodes of a pool are not watched: {why}" for state in known.accounts for why in state.unreadable),
    ]


def _job_troubles(heads: Sequence[JobHead]) -> list[str]:
    unreachable = sum(head.tracking is Tracking.UNREACHABLE for head in heads)
    return [of_jobs(CANT_BE_READ, unreachable)] if unreachable else []


def _failures(heads: Sequence[JobHead]) -> list[str]:
    nodes = [head.preparation.open for head in heads if head.preparation.open]
    words = standstills_in_words(heads)
    if nodes:
        words.append(f"preparation failed {nodes_of_jobs(nodes)}")
    return words


def _status(stale: Sequence[str], degraded: Sequence[str], wrong: Sequence[str]) -> Status:
    # What fails is never hidden behind a broken chat or a blind second account.
    if wrong:
        return Status.FAILING
    # Nobody knows how things stand now.
    if stale:
        return Status.STALE
    # What is known may not be all, or not reach everybody.
    return Status.DEGRADED if degraded else Status.OK


def _not_read(view: AccountView) -> str:
    upto = view.last_good_poll
    if upto is None:
        return f"{view.account} has never been read whole"
    return f"{view.account} has not been read since {minute(upto)}"


def _late(untold: Mapping[str, UntoldView], known: Collection[str]) -> list[str]:
    """The webhooks of which nothing else says that they have not been told in time."""
    return sorted(name for name, view in untold.items() if view.late and name not in known)


def _nobody(known: Known) -> str:
    why = "every webhook is switched off in the settings" if known.configured else "no webhook is configured"
    return f"{why}, so nobody is notified of failures"


def _given_up(number: int) -> str:
    what, them = ("1 message is", "it") if number == 1 else (f"{number} messages are", "them")
    mend = f"POST /api/redeliveries with state dead sends {them} again, POST /api/dismissals takes {them} off this list"
    return f"{what} undeliverable: {mend}"


def _sum(counts: Iterable[PhaseCounts]) -> PhaseCounts:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(msgspec.structs.asdict(one))
    return PhaseCounts(**total)
