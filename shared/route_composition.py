"""Builds what answers over HTTP.

Owns which use case stands behind each route. Does not own what it shares with the triggers (`composition`).
"""

from datetime import datetime
from functools import partial

from shared.api.access_remedies import Identity
from shared.api.diagnostics import Diagnostics
from shared.api.events.dismissal import Dismissal
from shared.api.events.explanation import Explainer
from shared.api.events.history import History
from shared.api.events.redelivery import Redelivery
from shared.api.events.trends import Trends
from shared.api.metrics import Metrics
from shared.api.mutes import Mutes
from shared.api.nodes import NodeLister
from shared.api.pools.listing import PoolLister
from shared.api.summary import Summary
from shared.api.tracking import Tracker
from shared.api.untold import UntoldReader
from shared.api.webhook_admin import WebhookAdmin
from shared.ledger.archive import Archive
from shared.nudges.delayed import DelayedNudges
from shared.nudges.turns import Wait
from shared.parts import Parts
from shared.polling.cycle import Poller
from shared.state.rows import OWN
from shared.web.events import EventRoutes
from shared.web.mutes import MuteRoutes
from shared.web.pools import PoolRoutes
from shared.web.routes import Routes
from shared.web.system import SystemRoutes
from shared.web.webhooks import WebhookRoutes


def compose_routes(parts: Parts) -> Routes:
    """The routes over what the triggers use as well."""
    settings, outside, origins = parts.settings, parts.outside, parts.origins
    clock, table = outside.clock, outside.table
    accounts = tuple(parts.pollers)
    webhooks = {webhook.name: webhook for webhook in settings.webhooks}
    archive = Archive(table=table, accounts=accounts, webhooks=tuple(webhooks))
    untold = UntoldReader(table=table, clock=clock, origins=origins)
    lister = NodeLister(table=table, origins=origins, batch=outside.batch)
    return Routes(
        summaries=Summary(
            table=table,
            clock=clock,
            lanes=outside.lanes,
            origins=origins,
            portals={account.label: account.portal_url for account in settings.accounts if account.portal_url},
            poll={name: partial(_poll, poller, parts.delayed) for name, poller in parts.pollers.items()},
            webhooks=tuple(webhook for webhook in settings.webhooks if webhook.enabled),
            configured=tuple(webhooks),
            untold=untold,
            tracked_pools=settings.tracked_pools,
            heartbeat_waits_for=settings.heartbeat_waits_for,
            stale_after=settings.stale_after,
            next_poll=settings.poll_schedule.next_after,
            faults=parts.faults,
            nudger=parts.nudger,
            new_id=outside.new_id,
        ),
        tracker=Tracker(
            table=table,
            clock=clock,
            origins=origins,
            batch=outside.batch,
            ledgers=parts.ledgers,
            first_sight=settings.first_sight,
        ),
        lister=lister,
        events=EventRoutes(
            history=History(archive=archive),
            redelivery=Redelivery(
                table=table,
                clock=clock,
                archive=archive,
                webhooks=webhooks,
                ledger=parts.ledgers[OWN],
                own=parts.own,
            ),
            dismissal=Dismissal(table=table, clock=clock, archive=archive, webhooks=webhooks, ledgers=parts.ledgers),
            explainer=Explainer(lister=lister, archive=archive, webhooks=webhooks, clock=clock),
            trends_source=Trends(archive=archive, clock=clock),
            accounts=accounts,
        ),
        webhooks=WebhookRoutes(
            admin=WebhookAdmin(
                table=table,
                clock=clock,
                sender=outside.sender,
                webhooks=webhooks,
                accounts=accounts,
                ledger=parts.ledgers[OWN],
                own=parts.own,
                untold=untold,
                backlog=parts.backlog,
                authorize=outside.authorize,
            )
        ),
        mutes=MuteRoutes(mutes=Mutes(table=table, clock=clock)),
        pools=PoolRoutes(
            lister=PoolLister(
                table=table, clock=clock, origins=origins, batch=outside.batch, tracked=settings.tracked_pools
            )
        ),
        system=_system_routes(parts, untold),
        clock=clock,
    )


def _poll(poller: Poller, delayed: DelayedNudges, asked_at: datetime) -> bool:
    report = poller.run(asked_at, Wait.UNTIL_IT_ENDS)
    return report.nudge or delayed.is_early(report.wake_at)


def _system_routes(parts: Parts, untold: UntoldReader) -> SystemRoutes:
    settings, outside, origins = parts.settings, parts.outside, parts.origins
    storage, queues = settings.state_storage, settings.queue_storage
    return SystemRoutes(
        public_url=settings.public_url,
        metrics_source=Metrics(
            table=outside.table,
            clock=outside.clock,
            accounts=tuple(parts.pollers),
            webhooks=tuple(webhook for webhook in settings.webhooks if webhook.enabled),
            configured={webhook.name for webhook in settings.webhooks},
            untold=untold,
            nudger=parts.nudger,
        ),
        checks=Diagnostics(
            table=outside.table,
            clock=outside.clock,
            origins=origins,
            batch=outside.batch,
            tracked=settings.tracked_jobs,
            webhooks={webhook.name: webhook for webhook in settings.webhooks if webhook.waits_for is None},
            untold=untold,
            stale_after=settings.stale_after,
            waiting={
                **{f"webhook {one.name}": one.waits_for for one in settings.webhooks if one.waits_for is not None},
                **({} if settings.heartbeat_waits_for is None else {"heartbeat": settings.heartbeat_waits_for}),
            },
            check_address=outside.check_address,
            nudger=parts.nudger,
            queue_account=queues.account if queues is not None and queues.uses_identity else None,
            identity=Identity(
                site=settings.site_name,
                client_id=settings.client_id,
                uses_key=settings.shared_key is not None,
            ),
            storage_account=storage.account,
            stderr_tail_bytes=settings.stderr_tail_bytes,
            heartbeat_url=settings.heartbeat_url,
            batch_api_version=settings.batch_api_version,
        ),
    )
