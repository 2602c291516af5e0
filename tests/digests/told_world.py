"""An account whose jobs fare as a test says, with chat and pager webhooks that are told of it, in virtual time."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from msgspec.structs import replace

from shared.delivery.dispatch import Deliverer
from shared.digests.dispatch import DigestRun
from shared.ledger.job_transaction import Slice
from shared.ledger.ledger import Ledger
from shared.messages.events import Origin
from shared.polling.job_rules import Decision
from shared.ports import Column, Put, Row
from shared.state.jobs import JobHead, PhaseCounts
from shared.state.rows import OWN, from_row, job_key
from shared.webhook import SendFailure, Webhook, WebhookAnswer, WebhookRequest
from tests.support.fake_table import FakeTable
from tests.support.fakes import InlineLanes
from tests.support.told_jobs import ACCOUNT, CHAT, NOW, head, webhook

ALL = (*CHAT, "pagerduty")
OK = {"teams": (202, b""), "slack": (200, b"ok"), "pagerduty": (202, b"{}")}


@dataclass(slots=True)
class Sent:
    """A request that reached a receiver."""

    at: datetime
    webhook: str
    body: dict[str, object]

    @property
    def text(self) -> str:
        """Everything it says."""
        return json.dumps(self.body, ensure_ascii=False)


@dataclass(slots=True)
class AnsweringServices:
    """Receivers that answer as their services do, unless a test says otherwise."""

    clock: Callable[[], datetime]
    webhooks: Sequence[Webhook]
    sent: list[Sent] = field(default_factory=list)
    answers: dict[str, tuple[int, bytes] | None] = field(default_factory=dict)
    meanwhile: Callable[[], None] = lambda: None

    def send(self, request: WebhookRequest) -> WebhookAnswer:
        """Keep the request, then answer; None in `answers` is a connection that breaks."""
        hook = next(item for item in self.webhooks if item.url == request.url)
        self.sent.append(Sent(self.clock(), hook.name, json.loads(request.body)))
        self.meanwhile()
        answer = self.answers.get(hook.name, OK[hook.format])
        status, body = answer if answer is not None else (None, b"")
        return WebhookAnswer(
            status=status,
            failure=None if answer is not None else SendFailure.CONNECTION,
            reason="as the test says",
            retry_after=None,
            body=body,
            duration=timedelta(seconds=1),
        )

    def get(self, url: str) -> WebhookAnswer:
        """Nobody calls."""
        raise AssertionError(url)


def _healthy(job_id: str) -> JobHead:
    healthy = head(job_id, failed=0)
    return replace(healthy, causes=healthy.causes[:1])


class World:
    """The account; `now` moves by `tick`, which ends each minute as a cycle does: by telling who has to be told."""

    def __init__(self, *kinds: str, webhooks: Sequence[Webhook] = ()) -> None:
        self.now = NOW
        self.table = FakeTable()
        self.webhooks = tuple(webhooks) or tuple(webhook(kind) for kind in kinds)
        self.sender = AnsweringServices(lambda: self.now, self.webhooks)
        ids = count()
        self.new_id = lambda: f"id{next(ids)}"
        self.ledger = Ledger(table=self.table, account=ACCOUNT, webhooks=self.webhooks, new_id=self.new_id)
        self.origin = Origin(account=ACCOUNT, url=f"https://{ACCOUNT}", site="s", public_url="https://p.example")

    def deliverer(self) -> Deliverer:
        """A deliverer as each instance of the app has one."""
        return Deliverer(
            table=self.table,
            sender=self.sender,
            lanes=InlineLanes(),
            clock=lambda: self.now,
            webhooks={hook.name: hook for hook in self.webhooks},
            own_ledger=Ledger(table=self.table, account=OWN, webhooks=self.webhooks, new_id=self.new_id),
            own=Origin(account=None, url=None, site="s"),
            new_id=self.new_id,
        )

    def tell(self) -> datetime | None:
        """Tell what is due now; when something may be due next."""
        deliveries = self.deliverer().start(self.now + timedelta(seconds=40))
        digests = DigestRun(self.origin, deliveries)
        digests.start()
        deliveries.finish()
        return digests.wake_at

    def tick(self, minutes: int = 1) -> None:
        """Let minutes pass, each with a cycle's end."""
        for _ in range(minutes):
            self.now += timedelta(minutes=1)
            self.tell()

    def job(self, job_id: str = "nightly") -> tuple[Row | None, JobHead | None]:
        """A job's head as stored, with its row."""
        row = self.table.get(ACCOUNT, job_key(job_id))
        return row, from_row(row, JobHead) if row else None

    def fail(self, number: int, job_id: str = "nightly") -> None:
        """Let preparation fail on so many more nodes."""
        before = self.job(job_id)[1] or _healthy(job_id)
        opened = before.preparation.open + number
        self.change(
            job_id,
            causes=(replace(head(job_id).causes[0], nodes=opened),),
            preparation=PhaseCounts(failed=opened, open=opened),
            preparation_failed_ever=before.preparation_failed_ever + number,
        )

    def recover(self, job_id: str = "nightly", left: int = 0) -> None:
        """Let preparation succeed on all nodes but some."""
        self.change(job_id, preparation=PhaseCounts(open=left, failed=left, succeeded=5000 - left))

    def change(self, job_id: str, **fields: object) -> None:
        """Commit a change of a job that is worth telling."""
        row, before = self.job(job_id)
        known = before or _healthy(job_id)
        changed: Mapping[str, object] = {"generation": known.generation + 1, **fields}
        self.ledger.commit_job(row, before, Slice(head=replace(known, **changed)), self.now)

    def decide(self, rule: Callable[[JobHead], Decision], job_id: str = "nightly") -> None:
        """Commit what a rule of `job_rules` makes of a job's head."""
        row, before = self.job(job_id)
        decision = rule(before or _healthy(job_id))
        self.ledger.commit_job(row, before, Slice(head=decision.head, events=decision.events), self.now)

    def rewrite(self, key: str, columns: Mapping[str, Column]) -> None:
        """Let a row of the account hold something else."""
        self.table.transact(ACCOUNT, [Put(key=key, columns=columns)])

    def told(self, name: str) -> list[Sent]:
        """What a webhook has received."""
        return [sent for sent in self.sender.sent if sent.webhook == name]

    def actions(self) -> list[object]:
        """What the pager was asked to do."""
        return [sent.body["event_action"] for sent in self.told("pagerduty")]


def newly_failed(text: str) -> int:
    """How many nodes a message says have newly failed; 0 when it says nothing of it."""
    before, _, _ = text.partition(" newly failed")
    digits = before[-6:].rpartition(" ")[2].rpartition('"')[2]
    return int(digits) if digits.isdigit() else 0
