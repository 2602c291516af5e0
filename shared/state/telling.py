"""What Prepwatch remembers of notifications: deliveries, what chat and pager know, and webhook health.

Owns these shapes. Does not own their row keys or encoding (`state.rows`) or how they change (`delivery.answer_rules`,
`digests.chat_rules`). Everything is frozen; a change makes a new value.
"""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field

from shared.state.jobs import Carried
from shared.state.pools import StandstillReason
from shared.webhook import SendFailure


class DeliveryState(StrEnum):
    """Where a delivery stands; it is the prefix of its row key."""

    DUE = "due"
    DEAD = "dead"
    DONE = "done"


class Attempt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One try to tell a webhook something: when, what came back, and in words why it counts as it does.

    `status` is None when no answer came, `failure` None when one came whole; `answer` is the beginning of what the
    receiver said, at most 1 KiB. A `probe` of a failing webhook uses up none of the delivery's attempts. Without
    `status` and `failure` nothing was sent: its event could not be read.
    """

    at: datetime
    status: int | None = None
    failure: SendFailure | None = None
    reason: str = ""
    duration_ms: int = 0
    answer: str = ""
    probe: bool = False

    @property
    def was_sent(self) -> bool:
        """Whether there was something to send."""
        return self.status is not None or self.failure is not None


class Delivery(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event on its way to one webhook.

    Due at `next_attempt_at`, unless somebody holds it until `leased_until`. `tries` counts attempts, claimed ones too
    but no probes; `attempts` keeps the last ten. `lost` says that somebody claimed it and never recorded what came of
    it. `closed` says of an ended one that it was not taken, and that this is nobody's fault.
    """

    webhook: str
    event_id: str
    created_at: datetime
    next_attempt_at: datetime
    leased_until: datetime | None = None
    lease: str = ""
    tries: int = 0
    attempts: tuple[Attempt, ...] = ()
    ended_at: datetime | None = None
    reason: str = ""
    lost: bool = False
    closed: bool = False


class WebhookState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How healthy a webhook is, and when it may next be tried.

    `failures` counts what it has not taken in a row, the first of them at `refused_since`, the newest as in `last`.
    Failing since then, it is probed, last at `probed_at`. What was last tried before `recovered_at` is due. A person
    disabled it if `by_request`, else its receiver said that it is gone.
    """

    name: str
    failures: int = 0
    refused_since: datetime | None = None
    failing_since: datetime | None = None
    disabled_since: datetime | None = None
    by_request: bool = False
    not_before: datetime | None = None
    probed_at: datetime | None = None
    recovered_at: datetime | None = None
    last: Attempt | None = None
    reason: str = ""
    commit: str = ""


class Refusal(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a chat or pager webhook calls wrong, as a whole and in its shortest form: news up to a generation.

    It is not sent again before the webhook recovers or there is more to tell. Whoever has `dismissed` it knows.
    """

    generation: int
    attempt: Attempt
    dismissed: bool = False


class Joined(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """That what is wrong with a job has become part of an incident, by name, which was opened at `opened_at`.

    `nodes` are as many as the incident's readers know of, told at `at`. It counts while that incident is open.
    """

    incident: str
    opened_at: datetime
    nodes: int = 0
    at: datetime | None = None


class Sending(StrEnum):
    """What came of a message to a chat or pager webhook; one that failed is tried again, in the words of its time."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    FAILED = "failed"


class SentMessage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message that a chat or pager webhook was sent about how jobs and pools stand: `jobs` says of how many jobs.

    `text` is what it says, line by line, and `body` the bytes that were sent, without what opens the receiver: those of
    the last of the `attempts`, which are two when the receiver called the first wrong.
    """

    sent_at: datetime
    sending: Sending
    text: str
    body: bytes
    jobs: int = 0
    attempts: tuple[Attempt, ...] = ()


class Incident(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An incident that a pager webhook has open: its `key` as it was sent, and how bad it was called.

    `told_at` is when it was last told of; while that was only tried, a time before `opened_at`. `over_since` is when
    nothing of it was seen to go on, None while something does; `only_left` says that it was not mended but went away.
    """

    key: str
    opened_at: datetime
    told_at: datetime
    severity: str = field(default="", name="mood")
    over_since: datetime | None = None
    only_left: bool = False

    @property
    def is_opened(self) -> bool:
        """Whether the pager took a page of it; of others it may have, when its answer or the record of it was lost."""
        return self.told_at >= self.opened_at


class Incidents(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The incidents that a pager webhook has open about one account, by what they are about."""

    by_name: dict[str, Incident] = {}


class Told(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a chat or pager webhook has been told about a job; written by whoever holds the webhook's digest lease."""

    job_id: str = ""
    counted_from: datetime | None = None
    """Since when the job's failures were counted of which it knows: an id that was forgotten is counted anew."""
    preparation: int = 0
    """The failures of preparation ever that it knows of."""
    release: int = 0
    """Those of release."""
    stuck_since: datetime | None = None
    stuck_reason: StandstillReason | None = None
    """Why the job stands still as a chat knows it; None where it does not, or a version before did not keep it."""
    unreachable_since: datetime | None = None
    gone: datetime | None = None
    """When the head was first seen of which it knows that the job vanished."""
    standing: bool = False
    """It was last told of failures or a standstill that go on, so that it is owed the end. A pager that joined no
    incident was told by a version that opened one for each job."""
    open: int = 0
    """On how many nodes preparation had failed then; 0 of a pager, and where a version before did not keep it."""
    slow: int = 0
    """On how many nodes it knows that preparation takes too long; 0 of a pager."""
    at: datetime | None = None
    """When it was last told."""
    since: datetime | None = None
    """When what it was told to go on began; None where nothing does, or a version before did not keep it."""
    refusal: Refusal | None = None
    """What it could not be told since, None for nothing."""
    joined: dict[str, Joined] = {}
    """Which of the job's concerns are part of which incident."""
    catches_up: bool = False
    """What is wrong with the job is older than the webhook, and is to be told as what stands."""

    def counts_as(self, ever: Carried) -> bool:
        """Whether what it knows was counted as the failures *ever* of a job are: its id was not counted anew since."""
        return self.counted_from == ever.since

    def knows_of(self, ever: Carried) -> tuple[int, int]:
        """How many failures of preparation and of release it knows of; none once the id is counted anew."""
        return (self.preparation, self.release) if self.counts_as(ever) else (0, 0)

    @property
    def owes_an_end(self) -> bool:
        """Whether it was told of something whose end it has not heard of."""
        return self.standing or self.unreachable_since is not None


class Pace(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How fast a chat or pager webhook may be told of one account, and who is telling it.

    `held_since` is when the oldest news that waits came, None when none does. `step` counts the messages since the last
    quiet hour, the last sent at `sent_at`, and `groups` says when each pool and cause was last told. After `tries`
    failed attempts, the last at `tried_at`, none is made before `not_before`, unless the webhook has recovered since.
    `catching_up` says that it does not know of all that stands, because it is new, was switched off or disabled.
    `daily_at` is when it was last looked into whether chat is to be told what still stands, None where that is unknown.
    """

    lease: str = ""
    leased_until: datetime | None = None
    held_since: datetime | None = None
    sent_at: datetime | None = None
    groups: dict[str, datetime] = {}
    step: int = 0
    tries: int = 0
    tried_at: datetime | None = None
    not_before: datetime | None = None
    catching_up: bool = False
    daily_at: datetime | None = None


class PoolTold(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a chat or pager webhook was told about a pool in trouble; the row is there until it was told the end.

    `since` is when the first of its nodes broke, `nodes` how many could not work as it knows, told at `at`: None while
    it was not told. `incident` is a pager's, as its key was sent, and `severity` how bad it was called; empty for chat.
    `refused` is the attempt at which it called the message wrong, None if it did not.
    """

    pool_id: str
    since: datetime
    nodes: int = 0
    at: datetime | None = None
    incident: str = ""
    severity: str = field(default="", name="mood")
    refused: Attempt | None = None
    dismissed: bool = False
