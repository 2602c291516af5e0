"""Owns what is said after a deployment: the addresses, how to get the key, and in words what is not well.

azd runs it with the deployment's outputs in the environment. It changes nothing: it asks the app for its
diagnostics, pings each webhook, and prints. Plain standard library, as nothing else is installed where azd runs.
"""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

START_SECONDS = 180
"""How long a new app is given to answer: the first start installs its package."""
CALL_SECONDS = 60
RETRY_SECONDS = 5

KeyReader = Callable[[str, str], str | None]
"""Takes resource group and app name, returns the default function key, or None when it can't be had."""


class AppError(Exception):
    """The app did not answer as it should; the message says what to tell the person who deployed."""

    def __init__(self, message: str, status: int | None = None) -> None:
        self.status = status
        """The HTTP status; None when there was no answer."""
        super().__init__(message)


def key_by_az(resource_group: str, app: str) -> str | None:
    """Ask the Azure CLI for the default function key; None without a CLI that is signed in."""
    az = shutil.which("az")
    if az is None:
        return None
    command = [az, *_keys_arguments(resource_group, app)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - az by its full path, arguments not through a shell
    return done.stdout.strip() or None if done.returncode == 0 else None


def _keys_arguments(resource_group: str, app: str) -> list[str]:
    where = ["--resource-group", resource_group, "--name", app]
    return ["functionapp", "keys", "list", *where, "--query", "functionKeys.default", "--output", "tsv"]


def fetch(method: str, url: str, key: str | None = None) -> bytes:
    """Call the app and return the body of a good answer.

    Raises AppError, whose message names the status and what the app says is wrong; say it and go on.
    """
    headers = {"x-functions-key": key} if key else {}
    request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310 - the address is an output of the deployment
    try:
        with urllib.request.urlopen(request, timeout=CALL_SECONDS) as answer:  # noqa: S310 - same
            body: bytes = answer.read()
    except urllib.error.HTTPError as error:
        raise AppError(f"it answered {error.code}{_reason(error.read())}", error.code) from error
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise AppError(f"it did not answer ({getattr(error, 'reason', error)})") from error
    return body


def fetch_list(url: str, key: str) -> list[dict[str, Any]]:
    """Return what `value` of an answer holds.

    Raises AppError like fetch, and when the answer is not such a list: then another app is at that address.
    """
    try:
        return list(json.loads(fetch("GET", url, key))["value"])
    except (ValueError, KeyError, TypeError) as error:
        raise AppError("its answer is not a list of Prepwatch's") from error


def _reason(body: bytes) -> str:
    """Return ': ' and the message of an error body; empty when there is none."""
    try:
        return f": {json.loads(body)['error']['message']}"
    except (ValueError, KeyError, TypeError):
        return ""


def wait_until_up(health_url: str, seconds: float = START_SECONDS, pause: float = RETRY_SECONDS) -> str | None:
    """Wait until the app answers at all; return what is wrong with its health, None when it is well.

    A new app is stale (503) until its first poll; that is well enough to go on with.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            fetch("GET", health_url)
        except AppError as error:
            trouble = str(error)
            if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
                return f"The app runs, but is not healthy yet: {trouble}. It is after its first good poll."
        else:
            return None
        if time.monotonic() >= deadline:
            return f"The app does not run: {trouble}. Look at its log: az webapp log tail, or Application Insights."
        time.sleep(pause)


def check_diagnostics(base: str, key: str) -> list[str]:
    """Return a sentence for each check of the app's diagnostics that is not well, with its remedy."""
    try:
        checks = fetch_list(f"{base}/diagnostics", key)
    except AppError as error:
        return [f"Diagnostics can't be had: {error}."]
    found = []
    for check in checks:
        if not check.get("ok"):
            remedy = f"\n      {check['remedy']}" if check.get("remedy") else ""
            found.append(f"{check.get('name', 'a check')}: {check.get('message', 'is not well')}{remedy}")
    return found


def check_webhooks(base: str, key: str) -> list[str]:
    """Ping each webhook; return a sentence for each that did not take it, or for there being none."""
    try:
        names = [webhook["name"] for webhook in fetch_list(f"{base}/webhooks", key)]
    except AppError as error:
        return [f"Webhooks can't be listed: {error}."]
    if not names:
        return ["No webhook is configured: nobody is told of failures. Set WEBHOOK_URL or WEBHOOKS (docs/deploy.md)."]
    found = []
    for name in names:
        try:
            fetch("POST", f"{base}/webhooks/{urllib.parse.quote(name)}/ping", key)
        except AppError as error:
            found.append(f"Webhook {name} did not take the ping: {error}.")
    return found


def report(environment: Mapping[str, str], read_key: KeyReader) -> list[str]:
    """Return the lines to print.

    Raises KeyError with the name of an output of the deployment that is missing: run it through azd.
    """
    summary, health = environment["SUMMARY_URL"], environment["HEALTH_URL"]
    app, group = environment["AZURE_FUNCTION_NAME"], environment["AZURE_RESOURCE_GROUP"]
    signs_in = environment.get("SIGN_IN", "").lower() == "true"
    lines = ["", f"Summary:   {summary}", f"Dashboard: {environment['DASHBOARD_URL']}", f"Health:    {health}"]
    if signs_in:
        lines.append("Key:       none, people sign in through Entra ID")
    else:
        lines.append(f"Key:       az {' '.join(_keys_arguments(group, app))}")

    unhealthy = wait_until_up(health)
    troubles = [unhealthy] if unhealthy else []
    key = None if signs_in else read_key(group, app)
    if key is not None:
        base = summary.removesuffix("/summary")
        troubles += check_diagnostics(base, key) + check_webhooks(base, key)
    elif signs_in:
        lines.append(f"Diagnostics need a sign-in: open {summary.removesuffix('/summary')}/diagnostics")
    else:
        troubles.append("Not checked further: without the Azure CLI, signed in, there is no key to ask with.")

    if not troubles:
        return [*lines, "", "All is well: permissions, storage and webhooks were tried."] if key else lines
    return [*lines, "", "Not well yet:", *(f"  - {trouble}" for trouble in troubles)]


def main() -> int:
    """Print the report; 1 when it can't be made."""
    try:
        lines = report(os.environ, key_by_az)
    except KeyError as error:
        print(f"{error} is missing in the environment: run this through azd (azd hooks run postdeploy).")
        return 1
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
