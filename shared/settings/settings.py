"""Owns how the app settings become one typed value, with everything that is wrong said at once.

It takes the environment as a mapping and touches nothing else: neither the process nor the network.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import TypeVar

from msgspec import Struct

from shared.errors import SettingsError
from shared.patterns import IdPatterns, PatternError, matches_any
from shared.reprs import repr_without
from shared.settings import reader as parsers
from shared.settings.accounts import BatchAccount, load_accounts
from shared.settings.address import is_ip, is_loopback, parse_address
from shared.settings.catalog import DEFAULTS
from shared.settings.reader import InvalidValueError, SettingReader
from shared.settings.schedule import Schedule, ScheduleError
from shared.settings.storage import QueueStorage, StateStorage, read_queue_storage, read_state_storage
from shared.settings.webhooks import load_webhooks
from shared.webhook import Webhook

_T = TypeVar("_T")
_LONGEST_STALE_AFTER = timedelta(days=7)
_EVERY_MINUTE = "0 * * * * *"
_SCHEDULE_MEND = f'write six fields with spaces between them, for example "{_EVERY_MINUTE}" for every minute'

_api_version = parsers.matching(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(\.[0-9]{1,4}\.[0-9]{1,4})?", "write it like 2024-07-01.20.0 or 2025-06-01"
)
_token_scope = parsers.matching(r"https://[a-z0-9./-]+/\.default", "write it like https://host.example/.default")
_client_id = parsers.matching(
    r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "copy the client id of the app's identity"
)
_table_name = parsers.matching(
    r"(?!(?i:tables)$)[A-Za-z][A-Za-z0-9]{2,62}", "write 3 to 63 letters and digits, a letter first, and not tables"
)
_account_name = parsers.matching(r"[A-Za-z0-9_-]{1,64}", "write the account's name as the portal shows it")
_site_name = parsers.matching(r"[A-Za-z0-9._~-]{1,128}", "leave it as the platform sets it")


class SharedKey(Struct, frozen=True, kw_only=True):
    """What signs requests to Batch when Entra ID is not used."""

    account_name: str
    key: bytes

    __repr__ = repr_without("key")


class Settings(Struct, frozen=True, kw_only=True):
    """Everything that can be set, checked; `repr` shows no secret."""

    accounts: tuple[BatchAccount, ...]
    shared_key: SharedKey | None
    """None: Entra ID."""
    batch_api_version: str
    batch_token_scope: str
    client_id: str | None
    """The client id of the app's user-assigned identity; None lets the credential find one."""
    tracked_jobs: IdPatterns
    tracked_pools: IdPatterns | None
    """None: the pools that watched jobs use."""
    poll_schedule: Schedule
    poll_interval: timedelta
    """The longest time that the schedule leaves between two polls."""
    poll_budget: timedelta
    poll_concurrency: int
    first_sight: timedelta
    slow_preparation: timedelta | None
    """Zero: slow preparations are left alone; None: each job's own past decides."""
    stale_after: timedelta
    state_storage: StateStorage
    queue_storage: QueueStorage | None
    """The platform's queues; None when AzureWebJobsStorage names none."""
    state_table: str
    retention: timedelta
    webhooks: tuple[Webhook, ...]
    webhook_allowed_networks: tuple[IPv4Network | IPv6Network, ...]
    webhook_allow_http: bool
    event_max_nodes: int
    stderr_tail_bytes: int
    """0: neither stderr.txt nor stdout.txt is asked for."""
    heartbeat_url: str | None
    """Without a slash at the end; None: no heartbeat."""
    heartbeat_waits_for: str | None
    """The setting that is a reference which can't be read yet, and without which there is no heartbeat; None: none."""
    public_url: str | None
    """Without a slash at the end; None: messages have no links to the app."""
    site_name: str

    __repr__ = repr_without("heartbeat_url")


def load_settings(environment: Mapping[str, str]) -> Settings:
    """The settings that an environment holds.

    Raises:
        SettingsError: all problems of all settings; show them, and do nothing until they are mended.
    """
    reader = SettingReader(environment=environment)
    accounts = load_accounts(reader)
    schedule = _poll_schedule(reader)
    interval = schedule.longest_wait()
    budget = _with_default(reader, "POLL_BUDGET_SECONDS", parsers.seconds(1, 300))
    allow_http = _with_default(reader, "WEBHOOK_ALLOW_HTTP", parsers.switch)
    settings = Settings(
        accounts=accounts,
        shared_key=_shared_key(reader, accounts),
        batch_api_version=_with_default(reader, "BATCH_API_VERSION", _api_version),
        batch_token_scope=_with_default(reader, "BATCH_TOKEN_SCOPE", _token_scope),
        client_id=reader.optional("AZURE_CLIENT_ID", _client_id),
        tracked_jobs=_with_default(reader, "TRACKED_JOBS", _tracked),
        tracked_pools=reader.optional("TRACKED_POOLS", _tracked),
        poll_schedule=schedule,
        poll_interval=interval,
        poll_budget=budget,
        poll_concurrency=_with_default(reader, "POLL_CONCURRENCY", parsers.whole_number(1, 64)),
        first_sight=_with_default(reader, "FIRST_SIGHT_SECONDS", parsers.seconds(0, 365 * 86_400)),
        slow_preparation=reader.optional("SLOW_PREPARATION_SECONDS", parsers.seconds(0, 7 * 86_400)),
        stale_after=_stale_after(reader, 2 * interval + budget),
        state_storage=read_state_storage(reader),
        queue_storage=read_queue_storage(reader),
        state_table=_with_default(reader, "STATE_TABLE", _table_name),
        retention=_with_default(reader, "RETENTION_DAYS", parsers.days(5, 3650)),
        webhooks=_webhooks(reader, accounts, allow_http=allow_http),
        webhook_allowed_networks=reader.optional("WEBHOOK_ALLOWED_CIDRS", parsers.networks) or (),
        webhook_allow_http=allow_http,
        event_max_nodes=_with_default(reader, "EVENT_MAX_NODES", parsers.whole_number(1, 1000)),
        stderr_tail_bytes=_with_default(reader, "STDERR_TAIL_BYTES", parsers.whole_number(0, 4096)),
        heartbeat_url=_heartbeat_url(reader, allow_http=allow_http),
        heartbeat_waits_for=reader.waits_for("HEARTBEAT_URL"),
        public_url=_public_url(reader),
        site_name=reader.optional("WEBSITE_SITE_NAME", _site_name) or "local",
    )
    if reader.problems:
        # Two webhooks may name the same wrong setting.
        raise SettingsError(list(dict.fromkeys(map(str, reader.problems))))
    return settings


def _with_default(reader: SettingReader, name: str, parse: Callable[[str], _T]) -> _T:
    return reader.with_default(name, parse, DEFAULTS[name])


def _shared_key(reader: SettingReader, accounts: Sequence[BatchAccount]) -> SharedKey | None:
    key = reader.optional("BATCH_ACCOUNT_KEY", parsers.base64_bytes)
    name = reader.optional("BATCH_ACCOUNT_NAME", _account_name)
    if not reader.given("BATCH_ACCOUNT_KEY") or not accounts:
        return None
    if len(accounts) > 1:
        reader.refuse(
            "BATCH_ACCOUNT_KEY",
            f"can't open the {len(accounts)} accounts of BATCH_ACCOUNT_URLS",
            "leave one account there, or take the key away and give the app's identity a role on each account",
        )
    elif is_ip(accounts[0].host_name) and not reader.given("BATCH_ACCOUNT_NAME"):
        reader.refuse("BATCH_ACCOUNT_NAME", "is missing, and the address holds no name", "set the account's name")
    return None if key is None else SharedKey(account_name=name or accounts[0].host_name.partition(".")[0], key=key)


def _poll_schedule(reader: SettingReader) -> Schedule:
    schedule = None
    if not reader.given("POLL_SCHEDULE"):
        reader.refuse("POLL_SCHEDULE", "is missing, and the Functions host has no default for it", _SCHEDULE_MEND)
    elif reader.text("POLL_SCHEDULE"):
        # The host reads it by itself, with the white space around it.
        schedule = reader.parsed("POLL_SCHEDULE", reader.environment["POLL_SCHEDULE"], _schedule)
    return schedule or Schedule.parse(_EVERY_MINUTE)


def _schedule(text: str) -> Schedule:
    try:
        return Schedule.parse(text)
    except ScheduleError as error:
        wrong = str(error)
    raise InvalidValueError(wrong, _SCHEDULE_MEND)


def _stale_after(reader: SettingReader, least: timedelta) -> timedelta:
    longest = _LONGEST_STALE_AFTER // timedelta(seconds=1)
    stale_after = reader.optional("STALE_AFTER_SECONDS", parsers.seconds(1, longest))
    if least > _LONGEST_STALE_AFTER:
        reader.refuse(
            "POLL_SCHEDULE",
            "waits so long between two polls that two such waits and POLL_BUDGET_SECONDS are more than a week, the "
            "most that STALE_AFTER_SECONDS may be",
            "poll at least every three days",
        )
    elif stale_after is not None and stale_after < least:
        reader.refuse(
            "STALE_AFTER_SECONDS",
            "is less than two intervals of POLL_SCHEDULE and POLL_BUDGET_SECONDS",
            f"set it to {least.total_seconds():.0f} or more, or poll more often",
        )
    # One that is not set follows the schedule: whoever polls less often need not know that the two belong together.
    usual = parsers.seconds(1, longest)(DEFAULTS["STALE_AFTER_SECONDS"])
    return stale_after or max(usual, least)


def _tracked(text: str) -> IdPatterns:
    try:
        return IdPatterns.parse(text)
    except PatternError as error:
        wrong = str(error)
    mend = "write ids and globs, comma-separated, of letters, digits, _ : - and * and ?, with ! in front to exclude"
    raise InvalidValueError(wrong, mend)


def _webhooks(reader: SettingReader, accounts: Sequence[BatchAccount], *, allow_http: bool) -> tuple[Webhook, ...]:
    webhooks = load_webhooks(reader, allow_http=allow_http)
    for webhook in webhooks:
        if accounts and not any(matches_any(webhook.accounts, account.label) for account in accounts):
            reader.refuse(
                "WEBHOOKS",
                f"has a webhook that wants none of the accounts ({webhook.name})",
                "write hosts of BATCH_ACCOUNT_URLS, or globs such as myaccount.*, in its accounts",
            )
    return webhooks


def _heartbeat_url(reader: SettingReader, *, allow_http: bool) -> str | None:
    if reader.waits_for("HEARTBEAT_URL"):
        return None
    return reader.optional(
        "HEARTBEAT_URL", lambda text: parse_address(text, allow_query=True, allow_http=allow_http).url.rstrip("/")
    )


def _public_url(reader: SettingReader) -> str | None:
    given = reader.optional("PUBLIC_URL", lambda text: parse_address(text).url.rstrip("/"))
    # Core Tools set localhost:7071 here, which speaks http.
    site = reader.optional("WEBSITE_HOSTNAME", _site_url)
    return given or site


def _site_url(hostname: str) -> str:
    address = parse_address(f"https://{hostname}", allow_path=False)
    return f"http://{address.host}" if is_loopback(address.name) else address.origin
