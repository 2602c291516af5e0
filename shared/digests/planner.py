"""What chat and pager are to be sent, as far as whoever sends it has to know.

Owns what is read for it, and which of the two plans it: chat is told of jobs in one message (`digests.chat_planner`), a
pager of incidents one by one (`digests.incidents.planner`). Does not own the sending (`digests.one_webhook`).
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from shared.digests.chat_planner import ChatPlanner
from shared.digests.daily.rows import read_lasting
from shared.digests.incidents.planner import PagePlanner
from shared.digests.message_intervals import Occasion
from shared.digests.mutes import Mute
from shared.digests.pools.rows import Pools, read_told_pools, with_jobs
from shared.digests.pools.rules import decide_pools
from shared.digests.rows import read_incidents, read_known
from shared.digests.send_plan import Gathered, SendPlan
from shared.messages.events import Origin
from shared.messages.format_table import format_of
from shared.ports import Rows
from shared.state.telling import Pace
from shared.webhook import Webhook


class DigestPlanner(Struct, frozen=True, kw_only=True):
    """Decides what one webhook is to be sent about one account.

    `pools` are those with nodes that can't work; None while nobody can tell.
    """

    table: Rows
    origin: Origin
    webhook: Webhook
    pools: Pools | None = None

    @property
    def account(self) -> str:
        """The account's partition."""
        return self.origin.partition

    def gather(self, now: datetime, since: datetime | None = None) -> Gathered | None:
        """What the webhook may have to be told; None when nobody waits for anything, which costs a query.

        Of chat that is also what may go on `since` a moment, None when it is not time to say so.

        Raises:
            StoreUnavailableError: The table gave no answer.
            UnreadableRowError: Nobody can tell.
        """
        incidents = read_incidents(self.table, self.account, self.webhook)
        jobs = read_known(self.table, self.account, self.webhook.name, now, incidents)
        # A record lasts as long as somebody is owed the end of what was told of it.
        told, unknown = read_told_pools(self.table, self.account, self.webhook.name) if self.pools else ({}, {})
        every = {**(self.pools or {}), **unknown}
        pools = with_jobs(self.table, self.account, every, told, now) if self.pools else []
        if not (jobs or incidents or pools or since):
            return None
        lasting = None
        if since is not None:
            lasting = read_lasting(self.table, self.account, self.webhook, every, told, since, now)
        return Gathered(jobs=tuple(jobs), incidents=incidents, pools=tuple(pools), told=told, lasting=lasting)

    def decide(
        self,
        known: Gathered,
        pace: Pace,
        mutes: Sequence[Mute],
        now: datetime,
        *,
        recovered_at: datetime | None = None,
        probe: bool = False,
    ) -> SendPlan:
        """What to send now, as a `probe` whatever the time."""
        hook = self.webhook
        occasion = Occasion(
            webhook=hook,
            account=self.account,
            now=now,
            pace=pace,
            mutes=mutes,
            recovered_at=recovered_at,
            probe=probe,
        )
        kind = PagePlanner if format_of(hook).opens_incidents else ChatPlanner
        planner = kind(table=self.table, origin=self.origin, webhook=hook)
        return planner.plan(occasion, known, decide_pools(occasion, known.pools, known.told))
