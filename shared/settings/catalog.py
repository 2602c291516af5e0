"""Owns the list of app settings: names, defaults and meanings, for the parser, the documents and the tests."""

from msgspec import Struct

from shared.batch.wire import DEFAULT_API_VERSION


class Setting(Struct, frozen=True, kw_only=True):
    """One app setting."""

    name: str
    default: str | None
    """As it would be written; None when there is none."""
    meaning: str
    secret: bool = False
    """Whether the value, or a part of it, must not be shown to anybody."""


SETTINGS = (
    Setting(
        name="BATCH_ACCOUNT_URLS",
        default=None,
        meaning="Required. The Batch accounts to watch, comma-separated, such as "
        "https://myaccount.westeurope.batch.azure.com; https, except towards this machine itself.",
    ),
    Setting(
        name="BATCH_ACCOUNT_KEY",
        default=None,
        meaning="Shared key, with one account only. Without it Entra ID is used (DefaultAzureCredential).",
        secret=True,
    ),
    Setting(
        name="BATCH_ACCOUNT_NAME",
        default=None,
        meaning="The account's name for the shared key, where it is not the first label of the host.",
    ),
    Setting(name="BATCH_API_VERSION", default=DEFAULT_API_VERSION, meaning="The version of the Batch REST API."),
    Setting(
        name="BATCH_TOKEN_SCOPE",
        default="https://batch.core.windows.net//.default",
        meaning="The scope of Entra ID tokens for Batch; sovereign clouds have their own.",
    ),
    Setting(
        name="TRACKED_JOBS",
        default="*",
        meaning="Job ids and globs (* and ?), comma-separated; !glob excludes. * is every job with a preparation task.",
    ),
    Setting(
        name="TRACKED_POOLS",
        default=None,
        meaning="Pool ids and globs, like TRACKED_JOBS: the pools whose nodes are watched. Without it those "
        "that watched active jobs use; !* is none.",
    ),
    Setting(
        name="POLL_SCHEDULE",
        default=None,
        meaning="Required. When accounts are polled, such as `0 * * * * *` for every minute: NCRONTAB with six fields, "
        "the first being seconds, and spaces between them. The Functions host reads it too, as it stands.",
    ),
    Setting(
        name="POLL_BUDGET_SECONDS",
        default="40",
        meaning="How long after its beginning a cycle still starts on further jobs; the next cycle continues there.",
    ),
    Setting(name="POLL_CONCURRENCY", default="8", meaning="Jobs of an account that are listed at once."),
    Setting(
        name="FIRST_SIGHT_SECONDS",
        default="3600",
        meaning="When a job is first seen, failures older than this are not announced.",
    ),
    Setting(
        name="STALE_AFTER_SECONDS",
        default="300",
        meaning="An account is stale when a job of it was not read for so long: at least two poll intervals "
        "and POLL_BUDGET_SECONDS, which is also the default where that is more. After a crash polls pause for up to "
        "two minutes, which should fit into it too.",
    ),
    Setting(
        name="SLOW_PREPARATION_SECONDS",
        default=None,
        meaning="How long preparation may run on a node before it is reported as slow; 0 never reports it. Without it "
        "the job's history decides: twice its longest success, at least 30 minutes and at most 6 hours, or an hour "
        "while none has succeeded. Ten retries are slow in any case.",
    ),
    Setting(
        name="STATE_STORAGE",
        default=None,
        meaning="Connection string of the storage account for the state, or STATE_STORAGE__tableServiceUri "
        "with the app's identity. Without either, the storage of AzureWebJobsStorage.",
        secret=True,
    ),
    Setting(name="STATE_TABLE", default="prepwatch", meaning="The table of the state; created if missing."),
    Setting(name="RETENTION_DAYS", default="30", meaning="Days after which events are dropped; at least 5."),
    Setting(
        name="WEBHOOK_URL",
        default=None,
        meaning="One signed webhook named default, without JSON; needs WEBHOOK_SECRET.",
        secret=True,
    ),
    Setting(
        name="WEBHOOK_SECRET",
        default=None,
        meaning="Its signing secret: whsec_ and the base64 of 24 to 64 random bytes.",
        secret=True,
    ),
    Setting(
        name="WEBHOOKS",
        default="[]",
        meaning="More webhooks: a JSON array of at most 20 objects.",
        secret=True,
    ),
    Setting(
        name="WEBHOOK_ALLOWED_CIDRS",
        default=None,
        meaning="Private networks that webhooks may reach, comma-separated, such as 10.1.0.0/16.",
    ),
    Setting(
        name="WEBHOOK_ALLOW_HTTP",
        default="false",
        meaning="true lets webhooks use http://, for local use only.",
    ),
    Setting(name="EVENT_MAX_NODES", default="25", meaning="Nodes in one event; 1 gives an event for each node."),
    Setting(
        name="STDERR_TAIL_BYTES",
        default="0",
        meaning="Bytes from the ends of a failed task's stderr.txt and stdout.txt that go into the event, of a start "
        "task too; 0 for none.",
    ),
    Setting(
        name="HEARTBEAT_URL",
        default=None,
        meaning="Called after every cycle; with /fail appended to its path while an account can't be read or messages "
        "don't get through.",
        secret=True,
    ),
    Setting(
        name="PUBLIC_URL",
        default=None,
        meaning="The app's address for links in messages; without it https://WEBSITE_HOSTNAME.",
    ),
)

PLATFORM_SETTINGS = (
    *("AzureWebJobsStorage", "AzureWebJobsStorage__tableServiceUri", "AzureWebJobsStorage__accountName"),
    *("STATE_STORAGE__tableServiceUri", "STATE_STORAGE__accountName"),
    *("AzureWebJobsStorage__queueServiceUri", "BATCH_ACCOUNT_IDS"),
    *("WEBSITE_HOSTNAME", "WEBSITE_SITE_NAME", "AZURE_CLIENT_ID", "REQUIRE_SIGN_IN", "WEBSITE_AUTH_ENABLED"),
)
"""What is read besides SETTINGS: set by the platform or by the infrastructure."""

DEFAULTS = {setting.name: setting.default for setting in SETTINGS if setting.default is not None}
