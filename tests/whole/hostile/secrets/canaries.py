"""Secrets of every kind, in every place for one, and the search for them."""

import base64
import json
import traceback

KEY_BYTES = b"c4n4ry of the batch account"
BATCH_KEY = base64.b64encode(KEY_BYTES).decode()
STORAGE_KEY = base64.b64encode(b"c4n4ry of the storage account").decode()
STORAGE_SAS = "c4n4rySasSignature%2Bx"
HOOK_SECRET = "whsec_" + base64.b64encode(b"c4n4ry, a signing secret of ours").decode()
HOOK_PATH = "c4n4ryPathOfHook?sig=c4n4rySigOfHook"
BEAT_PATH = "c4n4ryPathOfHeartbeat"
TOKEN = "eyJ0eXAiOiJKV1QifQ.c4n4ryOfTheToken0123456789.c4n4ryOfTheSignature"
TEXT_SECRET = "c4n4ryInBatchText"
TEAMS_PATH = "workflows/c4n4ryOfTeams/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers&sig=c4n4rySig_OfTeams"
SLACK_PATH = "services/T0C4N4RY/B0C4N4RY/c4n4ryOfSlack0123456789"
PAGER_KEY = "c4n4ry0123456789abcdef0123456789"
GRID_KEY = base64.b64encode(b"c4n4ry\xff\xfe of a topic").decode()
GRID_HOST = "https://topic.westeurope-1.eventgrid.azure.net"
CANARIES = (
    TEAMS_PATH,
    SLACK_PATH,
    "T0C4N4RY",
    PAGER_KEY,
    GRID_KEY,
    BATCH_KEY,
    KEY_BYTES.decode(),
    STORAGE_KEY,
    STORAGE_SAS,
    HOOK_SECRET,
    HOOK_SECRET.removeprefix("whsec_"),
    HOOK_PATH,
    BEAT_PATH,
    TOKEN,
    TEXT_SECRET,
    "c4n4ry",  # whatever was cut out of one of them
)


def nothing_in(*texts: object) -> None:
    """Fail when a canary is in one of these."""
    for text in texts:
        said = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
        found = [canary for canary in CANARIES if canary in said]
        assert found == [], said[:2000]


def trace_of(error: BaseException) -> str:
    """What a log shows of an exception."""
    return "".join(traceback.format_exception(error)) + repr(error)


HOOK_NAMES = ("second", "teams", "slack", "pager", "topic", "entra")


def environment(batch_url: str, hook_url: str, **changes: str) -> dict[str, str]:
    """Settings with a canary in every place for a secret."""
    hooks = [
        {"name": "second", "format": "cloudevents", "urlSetting": "HOOK", "secretSettings": ["OLD", "NEW"]},
        {"name": "teams", "format": "teams", "urlSetting": "TEAMS"},
        {"name": "slack", "format": "slack", "urlSetting": "SLACK"},
        {"name": "pager", "format": "pagerduty", "url": f"{hook_url}/enqueue", "keySetting": "PAGER"},
        {"name": "topic", "format": "eventgrid", "url": f"{hook_url}/api/events", "keySetting": "GRID"},
        {"name": "entra", "format": "eventgrid", "url": f"{GRID_HOST}/api/events"},
    ]
    return {
        "POLL_SCHEDULE": "0 * * * * *",
        "AzureWebJobsStorage": f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey={STORAGE_KEY}",
        "BATCH_ACCOUNT_URLS": batch_url,
        "BATCH_ACCOUNT_NAME": "a",
        "BATCH_ACCOUNT_KEY": BATCH_KEY,
        "WEBHOOK_URL": f"{hook_url}/{HOOK_PATH}",
        "WEBHOOK_SECRET": HOOK_SECRET,
        "WEBHOOK_ALLOW_HTTP": "true",
        "WEBHOOK_ALLOWED_CIDRS": "127.0.0.0/8",
        "WEBHOOKS": json.dumps(hooks),
        "TEAMS": f"{hook_url}/{TEAMS_PATH}",
        "SLACK": f"{hook_url}/{SLACK_PATH}",
        "PAGER": PAGER_KEY,
        "GRID": GRID_KEY,
        "HOOK": f"{hook_url}/{HOOK_PATH}2",
        "OLD": HOOK_SECRET,
        "NEW": HOOK_SECRET,
        "HEARTBEAT_URL": f"{hook_url}/{BEAT_PATH}",
        "STDERR_TAIL_BYTES": "1000",
        "POLL_BUDGET_SECONDS": "2",
        **changes,
    }
