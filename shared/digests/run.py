"""Tells chat and pager how the jobs of one account stand.

Owns the walk of a digest and its lease. Does not own what is news and when it is told (`digests.rules`), the words
(`digests.job_notices`), or how a webhook fares (`delivery.health`). Of several who try, only the holder of the
webhook's lease sends:

    news? --claim (ETag)--> read rows, then heads --> render, send --> merge `told` (ETag of the lease)
                                                                         ^
                           a crash before this line repeats the message, and never loses one
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from threading import Lock

from msgspec import Struct, field
from msgspec.structs import replace

from shared.batch.model import Phase
from shared.batch.outcomes import ended_at, has_failed
from shared.delivery.attempts import LEASE, Verdict, attempt_of, is_held, judge
from shared.delivery.faring import waits
from shared.delivery.run import Deliverer, DeliveryRun
from shared.delivery.sending import send_notice
from shared.delivery.waiting import Waiting
from shared.digests.job_notices import SHOWN_NODES, jobs_notice
from shared.digests.mutes import read_mutes
from shared.digests.pace import HOLD, after_failing, after_sending
from shared.digests.rows import read_known, refusal, telling
from shared.digests.rules import DigestPlan, News, decide, tried_at
from shared.digests.titles import concerned, names_nodes
from shared.errors import StoreError, UnreadableRowError
from shared.journal import write_line
from shared.messages.events import Origin, links_of
from shared.messages.formats import format_of
from shared.messages.notices import Notice
from shared.moments import as_utc
from shared.ports import MAX_ROWS, Insert, Operation, Replace, Row
from shared.state.chunks import decode_chunk, decode_record
from shared.state.jobs import JobHead, NodeRecord
from shared.state.rows import chunk_key, from_row, pace_key, to_columns, unpack
from shared.state.telling import Pace, WebhookState
from shared.webhook import Webhook

_JOBS_WITH_NODES = 5
_CHUNKS_READ = 8  # of each such job; after that the examples of the causes have to do


class DigestRun:
    """Tells everybody who has to be told, each webhook in its own lane beside a run of deliveries."""

    def __init__(self, origin: Origin, deliveries: DeliveryRun) -> None:
        self._origin = origin
        self._deliveries = deliveries
        self._lock = Lock()
        self._wake_at: list[datetime] = []

    @property
    def wake_at(self) -> datetime | None:
        """When something may have to be told next, None when more has to happen first; right after the run's end."""
        with self._lock:
            return min(self._wake_at, default=None)

    def due_soon(self) -> datetime | None:
        """When what is only held back for its like may be told; None when nothing is, or when that takes longer."""
        wake_at = self.wake_at
        return wake_at if wake_at is not None and wake_at - self._deliveries.deliverer.clock() <= HOLD else None

    def start(self) -> None:
        """Begin to tell; the run of deliveries waits for the end."""
        for webhook in self._deliveries.deliverer.webhooks.values():
            if webhook.enabled and format_of(webhook).tells_state:
                self._submit(webhook)

    def _submit(self, webhook: Webhook) -> None:
        self._deliveries.submit(webhook.name, partial(self._tell, webhook), account=self._origin.account)

    def _tell(self, webhook: Webhook, *, probe: bool = False) -> None:
        digest = _WebhookDigest(webhook=webhook, origin=self._origin, deliveries=self._deliveries)
        try:
            if self._deliveries.is_failing(webhook.name) and not probe:
                self._wait(digest)
                return
            wake_at = digest.tell(probe=probe)
        except (StoreError, UnreadableRowError) as error:
            # Whatever was sent and not recorded is sent again when the lease has expired.
            write_line("digest-postponed", webhook=webhook.name, account=self._origin.account, error=str(error))
            return
        self._deliveries.expect(webhook.name, self._origin.partition, wake_at)
        if wake_at is not None:
            with self._lock:
                self._wake_at.append(wake_at)

    def _wait(self, digest: "_WebhookDigest") -> None:
        """Keep what a failing webhook is to be told for its probe, or for after it."""
        webhook = digest.webhook
        tried = digest.tried_at()
        if tried is not None:
            probe, resume = partial(self._tell, webhook, probe=True), partial(self._submit, webhook)
            self._deliveries.put_off(webhook.name, Waiting(tried=tried, probe=probe, resume=resume))


class _WebhookDigest(Struct, kw_only=True):
    """One webhook and one account: the pace's row as last read or written, and what is done at it."""

    webhook: Webhook
    origin: Origin
    deliveries: DeliveryRun
    row: Row | None = None
    pace: Pace = field(default_factory=Pace)

    @property
    def _deliverer(self) -> Deliverer:
        return self.deliveries.deliverer

    @property
    def _account(self) -> str:
        return self.origin.partition

    def tried_at(self) -> datetime | None:
        """When the webhook was last tried with what it is to be told, None when it is not to be told anything now."""
        plan = self._look(self._deliverer.clock(), probe=True)
        return min((tried_at(message, self.pace) for message in plan.messages), default=None) if plan else None

    def tell(self, *, probe: bool) -> datetime | None:
        """Send what is due, as a `probe` a single message whatever the time; when something may be due next."""
        plan = self._look(self._deliverer.clock(), probe=probe)
        if plan is None:
            return None
        now = self._deliverer.clock()
        if is_held(self.pace.leased_until, now):
            return self.pace.leased_until
        if not plan.messages:
            self._write(plan.pace)
            return plan.wake_at
        if now >= self.deliveries.deadline:
            return now
        state = self._state
        if state.disabled_since is not None or (waits(state, now) and not probe):
            return None
        # claim; what was decided before may have been told meanwhile
        self._write(replace(plan.pace, lease=self._deliverer.new_id(), leased_until=now + LEASE))
        return self._tell_claimed(probe=probe)

    def _tell_claimed(self, *, probe: bool) -> datetime | None:
        plan = self._look(self._deliverer.clock(), probe=probe)
        wake_at = plan.wake_at if plan else None
        messages = plan.messages if plan else ()
        if probe:
            messages = tuple(sorted(messages, key=lambda message: tried_at(message, self.pace))[:1])
        refused: set[str] = set()
        for message in messages:
            if self._deliverer.clock() >= self.deliveries.deadline:
                wake_at = self._deliverer.clock()
                break
            if len(message) == 1 and message[0].job_id in refused:  # the end of what could not be opened
                continue
            verdict = self._send(message, probe=probe)
            if verdict is Verdict.DEAD:
                refused.update(item.job_id for item in message)
            if verdict not in {Verdict.DELIVERED, Verdict.DEAD} or self.deliveries.is_failing(self.webhook.name):
                wake_at = self.pace.not_before
                break
        self._write(replace(self.pace, lease="", leased_until=None))
        return wake_at

    @property
    def _state(self) -> WebhookState:
        return self.deliveries.health.state(self.webhook.name)

    def _look(self, now: datetime, *, probe: bool) -> DigestPlan | None:
        """Gather and decide; None when nobody waits to be told anything, which costs one query."""
        known = read_known(self._deliverer.table, self._account, self.webhook.name, now)
        if not known:
            return None
        self.row = self._deliverer.table.get(self._account, pace_key(self.webhook.name))
        self.pace = from_row(self.row, Pace) if self.row else Pace()
        mutes = read_mutes(self._deliverer.table)
        return decide(
            self.webhook,
            self._account,
            known,
            self.pace,
            tuple(mutes.values()),
            now,
            recovered_at=self._state.recovered_at,
            probe=probe,
        )

    def _send(self, message: Sequence[News], *, probe: bool) -> Verdict:
        # render, send
        news = [self._with_nodes(item) if number < _JOBS_WITH_NODES else item for number, item in enumerate(message)]
        answers = send_notice(
            self._deliverer.sender, self.webhook, lambda: self._notice(news), probe=probe, account=self._account
        )

        # decide
        now = self._deliverer.clock()
        receiver = format_of(self.webhook)
        judged = [judge(receiver, answer, self.pace.tries + 1, now) for answer in answers]
        made = [attempt_of(*both, now, probe=probe) for both in zip(judged, answers, strict=True)]
        judgement = judged[-1]

        # record
        if judgement.verdict is Verdict.DELIVERED:
            self._record(message, after_sending(self.pace, now))
        elif judgement.verdict is Verdict.DEAD:
            refusals = [refusal(self.webhook.name, item, made[-1]) for item in message]
            self._write_all(replace(self.pace, tried_at=now), refusals)
        else:
            self._write(after_failing(self.pace, f"{self._account}/{self.webhook.name}", now))
        for both in zip(judged, made, strict=True):
            self.deliveries.follow(self.webhook.name, *both)
        write_line(
            "digest",
            webhook=self.webhook.name,
            account=self._account,
            jobs=len(news),
            verdict=judgement.verdict.value,
            reason=judgement.reason,
        )
        return judgement.verdict

    def _notice(self, news: Sequence[News]) -> Notice:
        links = links_of(self.origin, news[0].job_id if len(news) == 1 else None)
        return jobs_notice(self._account, news, links)

    def _record(self, message: Sequence[News], pace: Pace) -> None:
        self._write_all(pace, [telling(self.webhook.name, item) for item in message])

    def _write_all(self, pace: Pace, told: Sequence[Operation]) -> None:
        pace = replace(pace, leased_until=self._deliverer.clock() + LEASE)
        for start in range(0, len(told), MAX_ROWS - 1):
            self._write(pace, told[start : start + MAX_ROWS - 1])

    def _write(self, pace: Pace, others: Sequence[Operation] = ()) -> None:
        """Swap the pace's row, which shows that the lease is still ours, and do the rest with it."""
        if pace == self.pace and not others:
            return
        key, columns = pace_key(self.webhook.name), to_columns(pace)
        swap = (
            Insert(key=key, columns=columns)
            if self.row is None
            else Replace(key=key, columns=columns, etag=self.row.etag)
        )
        etags = self._deliverer.table.transact(self._account, [swap, *others])
        self.row, self.pace = Row(key=key, columns=columns, etag=etags[key]), pace

    def _with_nodes(self, news: News) -> News:
        phase = concerned(news)
        if news.head is None or phase is None or not names_nodes(news):
            return news
        try:
            return replace(news, nodes=self._nodes(news.head, phase))
        except UnreadableRowError as error:
            write_line("nodes-unreadable", account=self._account, job=news.job_id, error=str(error))
            return news

    def _nodes(self, head: JobHead, phase: Phase) -> tuple[tuple[str, str], ...]:
        """Some of the nodes that failed, the newest failures first."""
        found: list[NodeRecord] = []
        for prefix in head.chunks[:_CHUNKS_READ]:
            row = self._deliverer.table.get(self._account, chunk_key(head.job_id, head.filed_under, prefix))
            chunk = decode_chunk(unpack(row)) if row else {}
            records = (decode_record(entry) for entry in chunk.values())
            found.extend(record for record in records if _concerned(record, phase))
        by_name = sorted(found, key=lambda record: (record.pool_id, record.node_id))
        newest = sorted(by_name, key=lambda record: _failed_at(record, phase), reverse=True)
        return tuple((record.pool_id, record.node_id) for record in newest[:SHOWN_NODES])


def _concerned(record: NodeRecord, phase: Phase) -> bool:
    if phase is Phase.PREPARATION:
        return record.open is not None
    return record.release is not None and has_failed(record.release.info)


def _failed_at(record: NodeRecord, phase: Phase) -> datetime:
    if phase is Phase.PREPARATION:
        return as_utc(record.open.since if record.open else None)
    info = record.release.info if record.release else None
    return as_utc(ended_at(info) if info else None)
