"""What is handed to the use cases when they are built.

Owns what reaches out of the process, and what the use cases behind triggers and behind routes have in common. Does not
own which implementation that is (`composition`).
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct, field

from shared.delivery.backlog import Backlog
from shared.delivery.credential_redaction import without_token
from shared.ledger.ledger import Ledger
from shared.messages.events import Origin
from shared.nudges.delayed import DelayedNudges
from shared.nudges.nudger import Nudger
from shared.polling.counters import RequestCounter
from shared.polling.cycle import Poller
from shared.polling.installation_faults import Faults
from shared.ports import Authorize, BatchService, Clock, Lanes, Pause, QueueService, Sender, Table
from shared.settings.settings import Settings
from shared.webhook import Webhook


class Outside(Struct, frozen=True, kw_only=True):
    """Everything that reaches out of the process; tests bring their own."""

    table: Table
    batch: Mapping[str, BatchService]
    sender: Sender
    lanes: Lanes
    clock: Clock
    queues: QueueService | None
    pause: Pause
    new_id: Callable[[], str]
    authorize: Authorize = without_token
    requests: Mapping[str, RequestCounter] = field(default_factory=lambda: defaultdict(RequestCounter))
    check_address: Callable[[str], str | None] = lambda _host: None


class Parts(Struct, frozen=True, kw_only=True):
    """What the use cases behind the triggers and those behind the routes have in common."""

    settings: Settings
    outside: Outside
    own: Origin
    origins: Sequence[Origin]
    ledgers: Mapping[str, Ledger]
    nudger: Nudger
    delayed: DelayedNudges
    pollers: Mapping[str, Poller]
    faults: Faults
    backlog: Callable[[Webhook, datetime], Backlog | None]
