"""Tells chat and pager how the jobs and pools of one account stand, each webhook in its own lane.

Owns who is told, and that a webhook that fails waits for its probe. Does not own the telling (`digests.one_webhook`),
what is to be sent (`digests.planner`) or how healthy a webhook is (`delivery.webhook_states`).
"""

from datetime import datetime
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from shared.delivery.dispatch import DeliveryRun
from shared.delivery.failing_rules import listens
from shared.delivery.probe_candidates import ProbeCandidate
from shared.digests.message_intervals import HOLD
from shared.errors import StoreError, UnreadableRowError
from shared.journal import write_line
from shared.messages.events import Origin
from shared.messages.format_table import format_of
from shared.webhook import Webhook

if TYPE_CHECKING:
    from shared.digests.one_webhook import WebhookDigest
    from shared.digests.pools.rows import Pools


class DigestRun:
    """Tells everybody who has to be told, each webhook in its own lane beside a run of deliveries."""

    def __init__(self, origin: Origin, deliveries: DeliveryRun) -> None:
        self._origin = origin
        self._deliveries = deliveries
        self._lock = Lock()
        self._pools: Pools | None = None
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
        deliverer = self._deliveries.deliverer
        hooks = [hook for hook in deliverer.webhooks.values() if format_of(hook).tells_state]
        listening = [hook for hook in hooks if listens(hook, self._deliveries.health.state(hook.name))]
        for webhook in hooks:
            if webhook not in listening:
                self._deliveries.submit(webhook.name, partial(self._leave_out, webhook), account=self._origin.account)
        if not listening:
            return
        # Read when somebody listens: a tenth of the app, and many have only webhooks that hear each event.
        from shared.digests.pools.rows import read_pools

        try:
            self._pools = read_pools(deliverer.table, self._origin.partition)
        except (StoreError, UnreadableRowError) as error:
            write_line("pools-unread", account=self._origin.account, error=str(error))
        for webhook in listening:
            self._submit(webhook)

    def _submit(self, webhook: Webhook) -> None:
        self._deliveries.submit(webhook.name, partial(self._tell, webhook), account=self._origin.account)

    def _digest(self, webhook: Webhook) -> "WebhookDigest":
        from shared.digests.one_webhook import WebhookDigest

        return WebhookDigest(webhook=webhook, origin=self._origin, deliveries=self._deliveries, pools=self._pools)

    def _leave_out(self, webhook: Webhook) -> None:
        """Remember that a webhook that is switched off in the settings or disabled does not hear of what happens."""
        try:
            self._digest(webhook).leave_out()
        except (StoreError, UnreadableRowError) as error:
            write_line("digest-postponed", webhook=webhook.name, account=self._origin.account, error=str(error))

    def _tell(self, webhook: Webhook, *, probe: bool = False) -> None:
        digest = self._digest(webhook)
        try:
            if self._deliveries.is_failing(webhook.name) and not probe:
                self._wait(digest)
                return
            wake_at = digest.tell(probe=probe)
        except UnreadableRowError as error:
            # It is told nothing of the account until somebody mends the row.
            write_line("webhook-unreadable", webhook=webhook.name, account=self._origin.account, error=str(error))
            return
        except StoreError as error:
            # Whatever was sent and not recorded is sent again when the lease has expired.
            write_line("digest-postponed", webhook=webhook.name, account=self._origin.account, error=str(error))
            return
        self._deliveries.expect(webhook.name, self._origin.partition, wake_at)
        if wake_at is not None:
            with self._lock:
                self._wake_at.append(wake_at)

    def _wait(self, digest: "WebhookDigest") -> None:
        """Keep what a failing webhook is to be told for its probe, or for after it."""
        webhook = digest.webhook
        tried = digest.tried_at()
        if tried is not None:
            probe, resume = partial(self._tell, webhook, probe=True), partial(self._submit, webhook)
            self._deliveries.put_off(webhook.name, ProbeCandidate(tried_at=tried, probe=probe, resume=resume))
