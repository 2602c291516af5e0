"""Answers how things stand in numbers, all from the table, so that they are true with many instances of the app.

Owns which metrics there are and what they count. Does not own their text form (`api.openmetrics`) or the counting
itself.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import TypeVar

from msgspec import Struct

from shared.api.openmetrics import Family, MetricType, Sample
from shared.api.untold import UntoldReader
from shared.batch.model import Outcome, Phase
from shared.delivery.failing_rules import takes_nothing
from shared.digests.silence import states_as_heard
from shared.errors import UnreadableRowError
from shared.journal import write_line
from shared.moments import as_utc
from shared.nudges.nudger import Nudger
from shared.pools.states import classes_of
from shared.ports import Clock, Row, Table
from shared.state.accounts import Cycle
from shared.state.jobs import JobHead
from shared.state.pools import PoolMemory, StandstillReason
from shared.state.rows import CYCLE, OWN, from_row, range_of
from shared.state.telling import Delivery, DeliveryState
from shared.webhook import Webhook

_MAX_COUNTED = 10_000
"""Deliveries of one state and account are counted up to this, so that a scrape's cost is bounded."""

_T = TypeVar("_T", bound=Struct)
_RESULTS = {DeliveryState.DUE: "pending", DeliveryState.DONE: "delivered", DeliveryState.DEAD: "dead"}


class MeasuredPartition(Struct, frozen=True, kw_only=True):
    """What was read of one partition; `oldest_due` is when the oldest waiting delivery was made, None without any."""

    account: str
    cycle: Cycle | None
    heads: tuple[JobHead, ...]
    deliveries: Mapping[tuple[str, str], int]
    oldest_due: datetime | None


class MeasuredWebhook(Struct, frozen=True, kw_only=True):
    """Whether a webhook takes nothing, and since when the oldest news waits for it, None without any."""

    takes_nothing: bool
    untold_since: datetime | None = None


class Metrics(Struct, frozen=True, kw_only=True):
    """Measures all accounts; deliveries that belong to no account are counted under an empty one.

    `webhooks` are those that the settings switch on, `configured` the names of all: what was given up of others is no
    fault, and nobody can do anything about it.
    """

    table: Table
    clock: Clock
    accounts: Sequence[str]
    webhooks: Sequence[Webhook]
    configured: Collection[str]
    untold: UntoldReader
    nudger: Nudger

    def run(self) -> tuple[Family, ...]:
        """The metrics as of now.

        Raises:
            StoreError: The table can't be read.
        """
        measured = [self._measure(account) for account in (*self.accounts, OWN)]
        states = states_as_heard(self.table, self.accounts, self.webhooks)
        untold = self.untold.read(self.webhooks)
        webhooks = {
            name: MeasuredWebhook(takes_nothing=takes_nothing(state), untold_since=untold[name].since)
            for name, state in states.items()
        }
        return families(measured, webhooks, self._nudges_refused(), self.clock())

    def _nudges_refused(self) -> int:
        try:
            return self.nudger.health().refused
        except UnreadableRowError as error:
            write_line("row-unreadable", error=str(error))
            return 0

    def _measure(self, partition: str) -> MeasuredPartition:
        cycle = self.table.get(partition, CYCLE)
        deliveries: Counter[tuple[str, str]] = Counter()
        made: list[datetime] = []
        for state, result in _RESULTS.items():
            for row in islice(self.table.query(partition, *range_of(state.value)), _MAX_COUNTED):
                webhook = row.key.split("|")[1]
                if state is DeliveryState.DEAD and webhook not in self.configured:
                    continue
                deliveries[webhook, result] += 1
                if state is DeliveryState.DUE and (delivery := _readable(row, Delivery)):
                    made.append(delivery.created_at)
        heads = self.table.query(partition, *range_of("job"))
        return MeasuredPartition(
            account="" if partition == OWN else partition,
            cycle=_readable(cycle, Cycle) if cycle else None,
            heads=tuple(head for row in heads if (head := _readable(row, JobHead))),
            deliveries=deliveries,
            oldest_due=min(map(as_utc, made), default=None),
        )


def families(
    measured: Sequence[MeasuredPartition], webhooks: Mapping[str, MeasuredWebhook], nudges_refused: int, now: datetime
) -> tuple[Family, ...]:
    """The metrics of what was measured, and of how healthy the `webhooks` are. Pure."""
    accounts = [one for one in measured if one.account]
    cycles = [(one.account, one.cycle) for one in accounts if one.cycle is not None]
    jobs = Counter((one.account, head.tracking.value) for one in accounts for head in one.heads)
    return (
        _gauge(
            "prepwatch_jobs",
            "Jobs that are known, by how they are tracked.",
            [
                Sample(labels={"account": account, "tracking": tracking}, value=number)
                for (account, tracking), number in sorted(jobs.items())
            ],
        ),
        _gauge(
            "prepwatch_nodes",
            "Nodes of known jobs by what a phase has come to on them.",
            [
                Sample(
                    labels={"account": one.account, "phase": phase, "outcome": outcome},
                    value=sum(head.counts_of(phase).of(outcome) for head in one.heads),
                )
                for one in accounts
                for phase in Phase
                for outcome in Outcome
            ],
        ),
        _gauge(
            "prepwatch_open_failures",
            "Nodes that take none of their job's tasks because preparation failed.",
            [_of(one.account, sum(head.preparation.open for head in one.heads)) for one in accounts],
        ),
        _gauge(
            "prepwatch_stuck_jobs",
            "Jobs none of whose nodes can take their tasks.",
            [
                Sample(labels={"account": one.account, "reason": reason}, value=_stuck(one.heads, reason))
                for one in accounts
                for reason in StandstillReason
            ],
        ),
        _gauge(
            "prepwatch_slow_preparations",
            "Preparations that go on for too long, of those that run or are tried again.",
            [_of(one.account, sum(head.preparation.slow for head in one.heads)) for one in accounts],
        ),
        _counter(
            "prepwatch_failures",
            "Failures that were found on nodes, by pool, phase and code.",
            [
                Sample(
                    labels={"account": name, "pool": one.pool_id, "phase": one.phase, "code": one.code},
                    value=one.failures,
                )
                for name, cycle in cycles
                for one in cycle.failures
            ],
        ),
        _gauge(
            "prepwatch_pool_nodes",
            "Nodes of the pools that are counted by what they can do: able, unable, onTheWay, away.",
            [
                Sample(labels={"account": name, "pool": pool.pool_id, "class": class_}, value=number)
                for name, cycle in cycles
                for _, pool in sorted(cycle.pools.items())
                for class_, number in _classes(pool)
            ],
        ),
        _counter("prepwatch_cycles", "Cycles that ended.", [_of(name, cycle.cycles) for name, cycle in cycles]),
        _counter(
            "prepwatch_good_cycles",
            "Cycles that listed every job without an error of the whole account.",
            [_of(name, cycle.good_cycles) for name, cycle in cycles],
        ),
        _counter(
            "prepwatch_throttles",
            "Cycles that Batch ended by asking for patience.",
            [_of(name, cycle.throttled) for name, cycle in cycles],
        ),
        _counter(
            "prepwatch_batch_requests",
            "Requests to Batch by the status of the answer, none without one.",
            [
                Sample(labels={"account": name, "code": code}, value=number)
                for name, cycle in cycles
                for code, number in sorted(cycle.requests.items())
            ],
        ),
        _gauge(
            "prepwatch_deliveries",
            "Deliveries kept in the table by webhook and result.",
            [
                Sample(labels={"account": one.account, "webhook": webhook, "result": result}, value=number)
                for one in measured
                for (webhook, result), number in sorted(one.deliveries.items())
            ],
        ),
        _gauge(
            "prepwatch_webhook_failing",
            "1 for a webhook that takes nothing: failing, gone, or of which nobody can tell; else 0.",
            [Sample(labels={"webhook": name}, value=int(one.takes_nothing)) for name, one in sorted(webhooks.items())],
        ),
        _gauge(
            "prepwatch_oldest_untold_age_seconds",
            "How long the oldest news waits that a webhook should have been told, 0 without any.",
            [
                Sample(labels={"webhook": name}, value=_age(one.untold_since, now))
                for name, one in sorted(webhooks.items())
            ],
            unit="seconds",
        ),
        _gauge(
            "prepwatch_oldest_due_delivery_age_seconds",
            "How long ago the oldest delivery that still waits was made, 0 without any.",
            [_of(one.account, _age(one.oldest_due, now)) for one in measured],
            unit="seconds",
        ),
        _gauge(
            "prepwatch_last_good_poll_timestamp_seconds",
            "The moment up to which the account is read, 0 before the first whole reading.",
            [
                _of(
                    one.account,
                    as_utc(one.cycle.read_up_to).timestamp() if one.cycle and one.cycle.read_up_to else 0,
                )
                for one in accounts
            ],
            unit="seconds",
        ),
        _counter(
            "prepwatch_nudges_refused",
            "Nudges that the app's own queue did not take.",
            [Sample(labels={}, value=nudges_refused)],
        ),
        _gauge(
            "prepwatch_jobs_not_looked_at",
            "Jobs that the last cycle had no time for.",
            [_of(name, cycle.not_looked_at) for name, cycle in cycles],
        ),
    )


def _age(since: datetime | None, now: datetime) -> float:
    return (now - as_utc(since)).total_seconds() if since is not None else 0


def _classes(pool: PoolMemory) -> tuple[tuple[str, int], ...]:
    nodes = classes_of(pool.by_state)
    return (
        ("able", nodes.able),
        ("unable", nodes.unable),
        ("onTheWay", nodes.on_the_way),
        ("away", nodes.away),
    )


def _stuck(heads: Sequence[JobHead], reason: StandstillReason) -> int:
    return sum(head.standstill.why is reason for head in heads if head.standstill is not None)


def _gauge(name: str, words: str, samples: Iterable[Sample], unit: str = "") -> Family:
    return Family(name=name, kind=MetricType.GAUGE, help=words, unit=unit, samples=tuple(samples))


def _counter(name: str, words: str, samples: Iterable[Sample]) -> Family:
    return Family(name=name, kind=MetricType.COUNTER, help=words, samples=tuple(samples))


def _of(account: str, value: float) -> Sample:
    return Sample(labels={"account": account}, value=value)


def _readable(row: Row, kind: type[_T]) -> _T | None:
    """What a row holds, or None, with a line in the log, when it can't be read: the others still count."""
    try:
        return from_row(row, kind)
    except UnreadableRowError as error:
        write_line("row-unreadable", error=str(error))
        return None
