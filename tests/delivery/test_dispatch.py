"""A run of deliveries ends when everything that it made due has been tried."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from shared.delivery.dispatch import Deliverer
from shared.ledger.ledger import Ledger
from shared.ledger.recipients import new_delivery
from shared.messages.events import EventType, Origin, webhook_event
from shared.ports import Insert
from shared.state.rows import OWN, delivery_key, event_key, pack_body, to_columns, webhook_key
from shared.state.telling import DeliveryState, WebhookState
from shared.webhook import WebhookAnswer, WebhookRequest
from tests.support.fake_table import FakeTable
from tests.support.webhook_settings import SIGNED, accepted
from trials.soak.place import SerialLanes

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
SITE = Origin(account=None, url=None, site="here")


@dataclass(slots=True)
class Answering:
    """A sender whose receivers all answer the same; `urls` are those that were called."""

    status: int
    urls: list[str] = field(default_factory=list)

    def send(self, request: WebhookRequest) -> WebhookAnswer:
        """Note it and answer."""
        self.urls.append(request.url)
        return self.get(request.url)

    def get(self, url: str) -> WebhookAnswer:
        """Answer."""
        return WebhookAnswer(
            status=self.status, failure=None, reason="", retry_after=None, body=b"", duration=timedelta(0)
        )


def test_a_run_also_delivers_what_tells_of_a_failing_webhook() -> None:
    """The third failure of one webhook is told to the other before the run is over, whichever lane ends first."""
    table, sender = FakeTable(), Answering(500)
    webhooks = accepted(SIGNED, SIGNED | {"name": "other", "url": "https://b.example/other"})
    ping = webhook_event(SITE, EventType.PING, "other", NOW, NOW)
    due = delivery_key(DeliveryState.DUE, "other", ping.id)
    table.transact(
        OWN,
        [
            Insert(key=webhook_key("other"), columns=to_columns(WebhookState(name="other", failures=2))),
            Insert(key=event_key(ping.id), columns=pack_body(ping.body)),
            Insert(key=due, columns=to_columns(new_delivery("other", ping, NOW))),
        ],
    )
    deliverer = Deliverer(
        table=table,
        sender=sender,
        lanes=SerialLanes(),
        clock=lambda: NOW,
        webhooks={webhook.name: webhook for webhook in webhooks},
        own_ledger=Ledger(table=table, account=OWN, webhooks=webhooks, new_id=lambda: uuid4().hex),
        own=SITE,
        new_id=lambda: uuid4().hex,
    )
    run = deliverer.start(NOW + timedelta(seconds=60))
    run.sweep(OWN)
    run.finish()
    assert sender.urls == ["https://b.example/other", "https://a.example/hook"]
