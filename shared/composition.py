"""Builds everything from the settings: the one place where clients, the credential and the clock come from.

Owns which implementation stands behind each port. Does not own any behaviour.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from time import sleep
from typing import TYPE_CHECKING
from uuid import uuid4

from azure.identity import DefaultAzureCredential
from msgspec import Struct

from shared.adapters.batch_auth import BatchAuth, SharedKeyAuth, TokenAuth
from shared.adapters.batch_client import BatchClient
from shared.adapters.event_grid_token import EventGridToken
from shared.adapters.http_transport import HttpTransport
from shared.adapters.lanes import ThreadLanes
from shared.adapters.queue_sender import QueueSender
from shared.adapters.table_store import open_table
from shared.adapters.webhook_sender import WebhookSender
from shared.delivery.dispatch import Deliverer
from shared.digests.backlog import BacklogReader
from shared.ledger.ledger import Ledger
from shared.ledger.purging import LeftAccount, Purger
from shared.messages.eventgrid import token_scope
from shared.messages.events import Origin
from shared.messages.format_table import format_of
from shared.nudges.delayed import DelayedNudges
from shared.nudges.nudger import Nudger
from shared.nudges.turns import Turns
from shared.parts import Outside, Parts
from shared.polling.counters import RequestCounter
from shared.polling.cycle import Poller
from shared.polling.cycle_settings import PollSettings
from shared.polling.heartbeat import Heartbeat
from shared.polling.installation_faults import Faults
from shared.settings.settings import Settings, load_settings
from shared.state.rows import OWN
from shared.triggers.deliveries import AccountDeliveries
from shared.triggers.polls import AccountPolls

if TYPE_CHECKING:
    from shared.web.routes import Routes


class App(Struct, frozen=True, kw_only=True, dict=True):
    """The use cases, ready to be called."""

    pollers: Mapping[str, Poller]
    polls: AccountPolls
    deliveries: AccountDeliveries
    purger: Purger
    nudger: Nudger
    parts: Parts

    @cached_property
    def routes(self) -> "Routes":
        """What answers over HTTP; made when it is first asked for: instances that poll and deliver answer nobody."""
        from shared.route_composition import compose_routes

        return compose_routes(self.parts)


def build_app(environment: Mapping[str, str]) -> App:
    """The app of an environment.

    Raises:
        SettingsError: Settings are missing or wrong; all problems are in it.
    """
    settings = load_settings(environment)
    return compose(settings, connect(settings))


def connect(settings: Settings) -> Outside:
    """The real outside: Batch, Table storage, the internet, threads and the system's clock."""
    credential = DefaultAzureCredential(managed_identity_client_id=settings.client_id)
    transport = HttpTransport(allow_http=any(account.url.startswith("http:") for account in settings.accounts))
    auth: BatchAuth
    if settings.shared_key is not None:
        auth = SharedKeyAuth(settings.shared_key.account_name, settings.shared_key.key)
    else:
        auth = TokenAuth(credential, scope=settings.batch_token_scope, clock=utc_now)
    requests = {account.label: RequestCounter() for account in settings.accounts}
    batch = {
        account.label: BatchClient(
            account.url,
            auth=auth,
            transport=transport,
            clock=utc_now,
            api_version=settings.batch_api_version,
            count=requests[account.label].add,
            pause=pause,
        )
        for account in settings.accounts
    }
    storage = settings.state_storage
    table = open_table(storage.connection_string or (storage.table_service_uri or "", credential), settings.state_table)
    sender = WebhookSender(allowed_cidrs=settings.webhook_allowed_networks, allow_http=settings.webhook_allow_http)
    return Outside(
        table=table,
        batch=batch,
        sender=sender,
        lanes=ThreadLanes(),
        clock=utc_now,
        pause=pause,
        new_id=lambda: uuid4().hex,
        authorize=EventGridToken(credential, token_scope),
        requests=requests,
        check_address=sender.check,
        queues=QueueSender(settings.queue_storage, credential) if settings.queue_storage else None,
    )


def compose(settings: Settings, outside: Outside) -> App:
    """The use cases over an outside."""
    clock, table = outside.clock, outside.table
    own = Origin(account=None, url=None, site=settings.site_name, public_url=settings.public_url)
    origins = tuple(
        Origin(account=account.label, url=account.url, site=settings.site_name, public_url=settings.public_url)
        for account in settings.accounts
    )
    accounts = tuple(origin.partition for origin in origins)
    ledgers = {
        name: Ledger(table=table, account=name, webhooks=settings.webhooks, new_id=outside.new_id)
        for name in (*accounts, OWN)
    }
    deliverer = Deliverer(
        authorize=outside.authorize,
        table=table,
        sender=outside.sender,
        lanes=outside.lanes,
        clock=clock,
        webhooks={webhook.name: webhook for webhook in settings.webhooks},
        own_ledger=ledgers[OWN],
        own=own,
        new_id=outside.new_id,
        backlog=BacklogReader(table=table, clock=clock, origins=origins).read,
    )
    nudger = Nudger(queues=outside.queues, lanes=outside.lanes, clock=clock, table=table)
    delayed = DelayedNudges(nudger, clock, settings.poll_schedule.next_after)
    faults = Faults(
        table=table, clock=clock, accounts=accounts, webhooks=settings.webhooks, stale_after=settings.stale_after
    )
    pollers = _pollers(settings, outside, origins, ledgers, deliverer, faults)
    return App(
        pollers=pollers,
        polls=AccountPolls(
            pollers=pollers,
            nudger=nudger,
            delayed=delayed,
            table=table,
            clock=clock,
            interval=settings.poll_interval,
            budget=settings.poll_budget,
        ),
        deliveries=AccountDeliveries(
            deliverer=deliverer,
            origins={origin.partition: origin for origin in origins},
            pause=outside.pause,
            nudger=nudger,
            delayed=delayed,
        ),
        purger=_purger(settings, outside, accounts, deliverer),
        nudger=nudger,
        parts=Parts(
            settings=settings,
            outside=outside,
            own=own,
            origins=origins,
            ledgers=ledgers,
            nudger=nudger,
            delayed=delayed,
            pollers=pollers,
            faults=faults,
            backlog=deliverer.backlog,
        ),
    )


def _pollers(
    settings: Settings,
    outside: Outside,
    origins: Sequence[Origin],
    ledgers: Mapping[str, Ledger],
    deliverer: Deliverer,
    faults: Faults,
) -> Mapping[str, Poller]:
    cycle_settings = PollSettings(
        patterns=settings.tracked_jobs,
        pools=settings.tracked_pools,
        first_sight=settings.first_sight,
        budget=settings.poll_budget,
        concurrency=settings.poll_concurrency,
        stale_after=settings.stale_after,
        max_nodes=settings.event_max_nodes,
        stderr_tail_bytes=settings.stderr_tail_bytes,
        slow_after=settings.slow_preparation,
    )
    heartbeat = Heartbeat(sender=outside.sender, faults=faults, url=settings.heartbeat_url)
    return {
        origin.partition: Poller(
            origin=origin,
            batch=outside.batch[origin.partition],
            table=outside.table,
            ledger=ledgers[origin.partition],
            lanes=outside.lanes,
            clock=outside.clock,
            deliverer=deliverer,
            settings=cycle_settings,
            heartbeat=heartbeat,
            turns=Turns(
                table=outside.table,
                account=origin.partition,
                lanes=outside.lanes,
                clock=outside.clock,
                pause=outside.pause,
                new_id=outside.new_id,
            ),
            requests=outside.requests[origin.partition],
        )
        for origin in origins
    }


def _purger(settings: Settings, outside: Outside, accounts: Sequence[str], deliverer: Deliverer) -> Purger:
    return Purger(
        table=outside.table,
        clock=outside.clock,
        accounts=accounts,
        webhooks=frozenset(webhook.name for webhook in settings.webhooks),
        digest_webhooks=frozenset(webhook.name for webhook in settings.webhooks if format_of(webhook).tells_state),
        retention=settings.retention,
        left=partial(_close_left_accounts, deliverer, accounts),
    )


def _close_left_accounts(deliverer: Deliverer, accounts: Sequence[str]) -> Sequence[LeftAccount]:
    # Read by the purge alone, once a day.
    from shared.digests.left_accounts import LeftAccounts

    return LeftAccounts(deliverer=deliverer, accounts=accounts).close()


def utc_now() -> datetime:
    """The system's clock."""
    return datetime.now(UTC)


def pause(duration: timedelta) -> None:
    """Let real time pass."""
    sleep(max(0.0, duration.total_seconds()))
