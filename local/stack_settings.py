"""With which settings the app runs in the local stack, and what is wrong with them.

Owns what the stack sets, what it leaves to a person, and that it asks the app's own reader before anything starts.
"""

import json
import os
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from local.functions_host.settings import SettingError, apply_local_settings
from local.memory import Memory
from local.webhook_receiver.eventgrid import TOPIC_KEY
from local.webhook_receiver.pagerduty import ROUTING_KEY
from shared.errors import SettingsError
from shared.settings.schedule import Schedule, ScheduleError
from shared.settings.settings import load_settings

ACCOUNT = "local"
DEFAULT_INTERVAL_SECONDS = 5
_MINUTE = timedelta(minutes=1)
_LOOPBACK = "127.0.0.0/8"
_STATE = "STATE_STORAGE"


def schedule(interval_seconds: int) -> str:
    """Return the NCRONTAB expression that fires each *interval_seconds*.

    Raises:
        ValueError: no such expression exists; take a divisor of a minute, or of an hour in whole minutes.
    """
    if 0 < interval_seconds < 60 and 60 % interval_seconds == 0:
        return f"*/{interval_seconds} * * * * *"
    minutes, rest = divmod(interval_seconds, 60)
    if rest == 0 and 0 < minutes < 60 and 60 % minutes == 0:
        return f"0 */{minutes} * * * *"
    raise ValueError(f"an interval of {interval_seconds} s divides neither a minute nor, in whole minutes, an hour")


def host_settings(
    memory: Memory, *, given: Mapping[str, str], storage: str, port: int, interval_seconds: int | None = None
) -> dict[str, str]:
    """Return the environment of the Functions host where a person has *given* some settings.

    Each of those is used, ours only fill in: a receiver of one's own gets the simulated account's failures as it would
    get a real one's. Of the simulated account only address, name and key are ours, and with it nothing is stored
    outside this machine. *interval_seconds* None leaves the schedule to what is given, else to our own.
    """
    given = {name: value for name, value in given.items() if value}
    simulated = not given.get("BATCH_ACCOUNT_URLS", "").strip()
    polled = given.get("POLL_SCHEDULE") if interval_seconds is None else None
    polls = polled or schedule(interval_seconds or DEFAULT_INTERVAL_SECONDS)
    wait = _longest_wait(polls)
    budget = min(timedelta(seconds=40), max(timedelta(seconds=1), wait * 2 // 3))
    ours = {
        "POLL_BUDGET_SECONDS": f"{budget // timedelta(seconds=1)}",
        "WEBHOOK_URL": f"http://127.0.0.1:{memory.receiver_port}/",
        "WEBHOOK_SECRET": memory.webhook_secret,
        "WEBHOOK_ALLOW_HTTP": "true",
        "PUBLIC_URL": f"http://localhost:{port}",
        "STDERR_TAIL_BYTES": "2000",
    }
    always = {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "PYTHONUNBUFFERED": "1",
        # Core Tools start the first Python that they find.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), given.get("PATH", "")]),
        "AzureWebJobsStorage": storage,
        "POLL_SCHEDULE": polls,
        "WEBHOOKS": given.get("WEBHOOKS") or other_webhooks(memory.receiver_port),
        "WEBHOOK_ALLOWED_CIDRS": ",".join(filter(None, [given.get("WEBHOOK_ALLOWED_CIDRS"), _LOOPBACK])),
        "LOCAL_ROUTING_KEY": ROUTING_KEY,
        "LOCAL_TOPIC_KEY": TOPIC_KEY,
    }
    if "WEBHOOK_URL" in given or "WEBHOOK_SECRET" in given:  # a pair: half of ours would fit nobody's
        del ours["WEBHOOK_URL"], ours["WEBHOOK_SECRET"]
    if simulated:
        given = {name: value for name, value in given.items() if not name.startswith(_STATE)}
        always |= {
            "BATCH_ACCOUNT_URLS": f"http://127.0.0.1:{memory.batch_port}",
            "BATCH_ACCOUNT_NAME": ACCOUNT,
            "BATCH_ACCOUNT_KEY": memory.batch_key,
        }
    return {**ours, **given, **always}


def problems(settings: Mapping[str, str], app_dir: Path) -> list[str]:
    """Return what is wrong with the settings of the host, and with those that local.settings.json adds to them."""
    environment = dict(settings)
    try:
        apply_local_settings(app_dir, environment)
        load_settings(environment)
    except SettingError as error:
        return [str(error)]
    except SettingsError as error:
        return list(error.problems)
    return []


def webhooks_here_and_elsewhere(settings: Mapping[str, str], receiver_port: int) -> tuple[list[str], list[str]]:
    """Return the names of the webhooks that lead to the stack's own receiver, and those of the others.

    Raises:
        SettingsError: something is wrong with the settings, as problems() would say.
    """
    ours = f"http://127.0.0.1:{receiver_port}/"
    names = {webhook.name: f"{webhook.url}/".startswith(ours) for webhook in load_settings(settings).webhooks}
    return [name for name, is_here in names.items() if is_here], [
        name for name, is_here in names.items() if not is_here
    ]


def _longest_wait(polls: str) -> timedelta:
    try:
        return Schedule.parse(polls).longest_wait()
    except ScheduleError:
        return _MINUTE  # what is wrong with it, the app's reader says


def other_webhooks(port: int) -> str:
    """Return the setting that adds a webhook of each format but the signed one, all of them on this machine."""
    keys = {"pagerduty": "LOCAL_ROUTING_KEY", "eventgrid": "LOCAL_TOPIC_KEY"}
    return json.dumps(
        [
            {"name": name, "format": name, "url": f"http://127.0.0.1:{port}/{name}"}
            | ({"keySetting": keys[name]} if name in keys else {})
            for name in ("teams", "slack", "pagerduty", "eventgrid")
        ]
    )
