"""What the HTTP functions about webhooks answer: the bodies, field by field.

Owns the shapes that callers rely on; the OpenAPI document is made from them. Does not own how they are filled
(`api.webhook_admin`). No field can hold a secret: of the URL only the host and the last four characters are shown.
"""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Raw, Struct

from shared.api.events.views import AttemptView
from shared.delivery.failing_rules import WebhookStanding
from shared.messages.format_table import FORMATS
from shared.state.telling import Sending


class PingView(Struct, frozen=True, kw_only=True, rename="camel"):
    """What came of a ping: `status` is null when no answer came, `advice` null when there is nothing to mend."""

    webhook: str
    event_id: str
    at: datetime
    delivered: bool
    status: int | None
    reason: str
    duration_ms: int
    answer: str
    advice: str | None


class LastAnswerView(Struct, frozen=True, kw_only=True, rename="camel"):
    """The last attempt that a webhook did not take, in words; `status` is null when no answer came."""

    at: datetime
    status: int | None
    reason: str
    answer: str
    advice: str


class UntoldView(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a webhook should have been told by now: deliveries, and jobs and pools of which chat and pager are told.

    `late` counts what could have been told a quarter of an hour ago. `refused` counts the jobs and pools of which it
    calls the message wrong; the newest such answer is `refusal`. `since` is how long the oldest waits, null when
    nothing does. `silent` says why chat or pager are told nothing of the jobs of an account, and `unreadable` why a
    single delivery, job or pool can't be told of: a row can't be read. Both are null as a rule.
    """

    deliveries: int
    jobs: int
    pools: int
    late: int
    refused: int
    since: datetime | None
    refusal: str | None
    silent: str | None
    unreadable: str | None


class MessageView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A message about how jobs and pools stand: what it said in plain text, the bytes as sent, and what came back.

    `jobs` counts those that it tells of. A message that `failed` is tried again, in the words of its time; of one that
    was `refused` there are two attempts, `text` and `body` being those of the second, shorter one.
    """

    id: str
    account: str
    sent_at: datetime
    state: Sending
    jobs: int
    text: str
    body: Raw
    attempts: tuple[AttemptView, ...]


class MessagesView(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of GET /api/webhooks/{name}/messages."""

    value: tuple[MessageView, ...]
    next_link: str | None = None


class WebhookView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A webhook and its health: since when, and why; `due` and `dead` are counted up to 1,000."""

    name: str
    format: Annotated[str, Meta(extra_json_schema={"enum": [*FORMATS]})]
    host: str
    url_ends_with: str
    events: tuple[str, ...]
    jobs: tuple[str, ...]
    accounts: tuple[str, ...]
    pools: tuple[str, ...]
    enabled: bool
    state: WebhookStanding
    failing_since: datetime | None
    disabled_since: datetime | None
    not_before: datetime | None
    since: datetime | None
    reason: str
    last_answer: LastAnswerView | None
    untold: UntoldView
    due: int
    dead: int


class WebhooksListView(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of GET /api/webhooks."""

    value: tuple[WebhookView, ...]
    next_link: str | None = None
