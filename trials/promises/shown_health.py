"""Watches that nobody waits in vain while all is said to be well: what is not heard shows wherever health is shown.

Owns the rules and the onlooker, an app that only answers and meets no fault. Does not own who is owed what in the end
(`checks`, `checks_told`).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.composition import App, compose
from shared.digests.mutes import read_mutes
from shared.digests.untold import read_untold
from shared.messages.events import Origin
from shared.messages.format_table import format_of
from shared.parts import Outside
from shared.state.rows import OWN, deliveries_of, from_row, read_webhook, webhook_key
from shared.state.telling import Delivery, DeliveryState
from shared.web.http import Request
from shared.webhook import Webhook
from tests.support.fakes import FakeQueues, FakeSender, InlineLanes, nobody_waits
from trials.promises.unheard_pools import UnheardPools
from trials.simulation.batch import ACCOUNT, BASE, SimulatedBatch
from trials.simulation.process import summary_request
from trials.simulation.system import System

_LATE = timedelta(minutes=15)
_SAID_WITHIN = timedelta(minutes=20)
_CLOCKS = timedelta(seconds=10)
_EVERY = 10  # polls
_ORIGIN = Origin(account=ACCOUNT, url=BASE, site="simulated")
_UNASKED = timedelta(hours=12)
"""Of an account that was read so lately the summary asks nothing."""


@dataclass(slots=True)
class ShownHealth:
    """Looks at every tenth `poll`; it asks the app only when somebody waits, and what it asks changes nothing.

    Attempts are judged from the last `disturbance` on, a lost write or an app that did not run.
    """

    system: System
    poll: timedelta = timedelta(minutes=1)
    disturbance: datetime = field(init=False)
    _looked_at: datetime = field(init=False)
    pools: UnheardPools = field(init=False)

    def __post_init__(self) -> None:
        """Begin now."""
        self.pools = UnheardPools()
        self.disturbance = self._looked_at = self.system.now

    def look(self) -> None:
        """Whoever is owed something for too long is named, and who takes nothing is failing; to be called at each poll.

        Raises:
            BrokenPromiseError: Everything is green, and should not be.
        """
        system, now = self.system, self.system.now
        rates = system.chance.rates
        if rates.write or rates.read or rates.crash_while_sending or not system.living():
            self.disturbance = now
        self.pools.look(system)
        read = system.monitor.read_up_to
        if now - self._looked_at < _EVERY * self.poll or not read or now - read[-1][1] > _UNASKED:
            return
        self._looked_at = now
        late = [webhook for webhook in system.settings.webhooks if self._is_owed_late(webhook)]
        deaf = [webhook for webhook in system.settings.webhooks if self._is_deaf(webhook)]
        if late or deaf:
            self._judge(late, deaf)
            system.raise_what_broke()

    def _judge(self, late: list[Webhook], deaf: list[Webhook]) -> None:
        blame, routes = self.system.monitor.blame, self._onlooker().routes
        reasons = json.loads(routes.summary(summary_request(_UNASKED // timedelta(seconds=1))).body)["reasons"]
        ages = dict(_untold_ages(routes.system.metrics(Request()).body.decode()))
        for webhook in late:
            if not any(f"webhook {webhook.name} " in reason for reason in reasons):
                blame(f"{webhook.name} is owed something for {_LATE}, and the summary says {reasons}")
            if ages[webhook.name] < _LATE.total_seconds():
                blame(f"{webhook.name} is owed something for {_LATE}, and the metric says {ages[webhook.name]} s")
        is_well = routes.health(Request()).status == 200
        for webhook in deaf:
            state = read_webhook(self.system.table.get(OWN, webhook_key(webhook.name)), webhook.name)
            if state.failing_since is None and state.disabled_since is None:
                blame(f"{webhook.name} takes nothing for {_SAID_WITHIN}, and is not called failing")
            elif is_well and not format_of(webhook).is_chat:
                blame(f"{webhook.name} takes nothing for {_SAID_WITHIN}, and the heartbeat says that all is well")

    def _is_owed_late(self, webhook: Webhook) -> bool:
        """Whether a webhook that is on should have been told something a quarter of an hour ago."""
        table, now = self.system.table, self.system.now
        if read_webhook(table.get(OWN, webhook_key(webhook.name)), webhook.name).disabled_since is not None:
            return False
        for partition in (ACCOUNT, OWN):
            rows = table.query(partition, *deliveries_of(DeliveryState.DUE, webhook.name))
            if any(now - from_row(row, Delivery).created_at > _LATE + _CLOCKS for row in rows):
                return True
        # A cycle finds it once it can read the account, and the next one tells it at the latest.
        since = self.pools.since(webhook.name, self.system.account.broken_shown, self.poll)
        read = self._read_since(since) if since is not None else None
        if read is not None and now - self._begun(read) > _LATE + 2 * self.poll:
            return True
        if not format_of(webhook).tells_state:
            return False
        mutes = tuple(read_mutes(table).values())
        # At both moments: a mute may begin between them.
        return all(read_untold(table, _ORIGIN, webhook, mutes, at).late > 0 for at in (now - _CLOCKS, now))

    def _is_deaf(self, webhook: Webhook) -> bool:
        since = self.system.receivers[webhook.name].takes_nothing_since
        return since is not None and self.system.now - self._begun(since) > _SAID_WITHIN + _CLOCKS

    def _read_since(self, moment: datetime) -> datetime | None:
        """When the account was read for the first time since a moment; None when it was not: nobody can know."""
        return next((at for at, up_to in self.system.monitor.read_up_to if up_to >= moment), None)

    def _begun(self, since: datetime) -> datetime:
        return max(since, self.disturbance)

    def _onlooker(self) -> App:
        system = self.system
        batch = SimulatedBatch(account=system.account, scheduler=system.scheduler, tell=lambda _line: None)
        outside = Outside(
            table=system.table,
            batch={ACCOUNT: batch},
            sender=FakeSender(),
            lanes=InlineLanes(),
            clock=lambda: system.now,
            queues=FakeQueues(),
            pause=nobody_waits,
            new_id=lambda: "onlooker",
        )
        return compose(system.settings, outside)


def _untold_ages(metrics: str) -> Iterator[tuple[str, float]]:
    """By webhook, for how many seconds the oldest news waits."""
    for line in metrics.splitlines():
        name, _, value = line.rpartition(" ")
        if name.startswith('prepwatch_oldest_untold_age_seconds{webhook="'):
            yield name.split('"')[1], float(value)
