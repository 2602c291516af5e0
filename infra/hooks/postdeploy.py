"""Owns what is said after a deployment: the addresses, how to get the key, and in words what is not well.

azd runs it with the deployment's outputs in the environment. It changes nothing but what Azure has read: it asks Azure
to read the Key Vault references again, asks the app for its diagnostics, pings each webhook, and prints. Plain standard
library, as nothing else is installed where azd runs.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

START_SECONDS = 180
"""How long a new app is given to answer: the first start installs its package."""
REFERENCES_SECONDS = 600
"""How long Azure is given to read Key Vault references: that is what roles take to arrive, at most."""
REREAD_SECONDS = 30
CALL_SECONDS = 60
RETRY_SECONDS = 5

REFERENCES = "/config/configreferences/appsettings"
REFERENCES_VERSION = "api-version=2022-03-01"
ERRORS = "union exceptions, (traces | where severityLevel >= 3) | order by timestamp desc | take 20"
"""What to ask Application Insights for when the app does not run."""

_NOT_OURS = "its answer is not a list of Prepwatch's"

Az = Callable[[Sequence[str]], str]
"""Takes the arguments of the Azure CLI, returns what it prints; raises AzError."""


class AppError(Exception):
    """The app did not answer as it should; the message says what to tell the person who deployed."""


class AzError(Exception):
    """The Azure CLI did not do what it was asked; the message is its own last line, or that there is none."""


def run_az(arguments: Sequence[str]) -> str:
    """Call the Azure CLI and return what it prints.

    Raises AzError; say its message, and what could not be done without the answer.
    """
    az = shutil.which("az")
    if az is None:
        raise AzError("there is no Azure CLI (az) on the path")
    done = subprocess.run([az, *arguments], capture_output=True, text=True, errors="replace", check=False)  # noqa: S603 - az by its full path, arguments not through a shell
    if done.returncode:
        said = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise AzError(said[-1] if said else f"az ended with {done.returncode}")
    return done.stdout.strip()


def keys_arguments(environment: Mapping[str, str]) -> list[str]:
    """Return the arguments of the Azure CLI that show the default function key."""
    where = ["--resource-group", environment["AZURE_RESOURCE_GROUP"], "--name", environment["AZURE_FUNCTION_NAME"]]
    asked = ["--query", "functionKeys.default", "--output", "tsv"]
    return ["functionapp", "keys", "list", *where, "--subscription", environment["AZURE_SUBSCRIPTION_ID"], *asked]


def references_of(environment: Mapping[str, str]) -> str:
    """Return the address of what Azure has read of the app's Key Vault references, as `az rest` takes it."""
    subscription, group = environment["AZURE_SUBSCRIPTION_ID"], environment["AZURE_RESOURCE_GROUP"]
    site = f"providers/Microsoft.Web/sites/{environment['AZURE_FUNCTION_NAME']}"
    return f"/subscriptions/{subscription}/resourceGroups/{group}/{site}{REFERENCES}"


def fetch(method: str, url: str, key: str | None = None) -> bytes:
    """Call the app and return the body of a good answer.

    Raises AppError, whose message names the status and what the app says is wrong; say it and go on.
    """
    status, body = call(method, url, key)
    if status >= HTTPStatus.BAD_REQUEST:
        raise AppError(f"it answered {status}{_reason(body)}")
    return body


def call(method: str, url: str, key: str | None = None) -> tuple[int, bytes]:
    """Call the app and return status and body of whatever it answers.

    Raises AppError without an answer.
    """
    headers = {"x-functions-key": key} if key else {}
    request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310 - the address is an output of the deployment
    try:
        with urllib.request.urlopen(request, timeout=CALL_SECONDS) as answer:  # noqa: S310 - same
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except (OSError, http.client.HTTPException) as error:
        words = " ".join(str(getattr(error, "reason", error)).split())
        raise AppError(f"it did not answer ({words})") from error


def fetch_list(url: str, key: str) -> list[dict[str, Any]]:
    """Return what `value` of an answer holds, each with a name.

    Raises AppError like fetch, and when the answer is not such a list: then another app is at that address.
    """
    try:
        listed = [dict(one) for one in json.loads(fetch("GET", url, key))["value"]]
    except (ValueError, KeyError, TypeError) as error:
        raise AppError(_NOT_OURS) from error
    if not all(isinstance(one.get("name"), str) for one in listed):
        raise AppError(_NOT_OURS)
    return listed


def _reason(body: bytes) -> str:
    """Return ': ' and the message of an error body, without a full stop; empty when there is none."""
    try:
        return f": {json.loads(body)['error']['message'].removesuffix('.')}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


def _health(body: bytes) -> list[str] | None:
    """Return why the app is not well, as its health says, nothing when it is; None when that is not Prepwatch's."""
    try:
        return [str(reason) for reason in json.loads(body)["reasons"]]
    except (ValueError, KeyError, TypeError):
        return None


def _words(body: bytes) -> str:
    """Return ': ' and the first words of a body that is no JSON; empty when there are none."""
    words = " ".join(body[:200].decode(errors="replace").split())
    return f": {words}" if words else ""


def refresh_references(
    environment: Mapping[str, str], az: Az, seconds: float = REFERENCES_SECONDS, pause: float = REREAD_SECONDS
) -> list[str]:
    """Let Azure read the app's Key Vault references until it can; return a sentence for each that it can't read.

    Azure reads them when the app is made, seconds after the roles, and then once a day: a role that was late, and a
    secret that was rotated, wait so long otherwise.
    """
    address = references_of(environment)
    deadline = time.monotonic() + seconds
    try:
        unread = _read_references(az, address)
        while unread is not None:
            az(["rest", "--method", "post", "--url", f"{address}/refresh?{REFERENCES_VERSION}"])
            unread = _read_references(az, address)
            if not unread or time.monotonic() >= deadline:
                break
            secrets = "1 secret" if len(unread) == 1 else f"{len(unread)} secrets"
            print(f"Waiting until Azure can read {secrets}, for which roles need up to ten minutes", flush=True)
            time.sleep(pause)
    except AzError as error:
        return [f"Azure was not asked to read the Key Vault references again: {error}."]
    return unread or []


def _read_references(az: Az, address: str) -> list[str] | None:
    """Return a sentence for each reference that is not resolved; None when there is no reference."""
    answer = az(["rest", "--method", "get", "--url", f"{address}?{REFERENCES_VERSION}"])
    try:
        references = [(one.get("name"), one.get("properties", {})) for one in json.loads(answer)["value"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        references = []
    unread = [
        f"The setting {name} can't be read from the Key Vault"
        f" ({properties.get('status')}: {properties.get('details') or 'no details'})."
        " The app's identity needs the role Key Vault Secrets User, which takes up to ten minutes to arrive:"
        " then run azd hooks run postdeploy."
        for name, properties in references
        if properties.get("status") != "Resolved"
    ]
    return unread if references else None


def wait_until_up(health_url: str, seconds: float = START_SECONDS, pause: float = RETRY_SECONDS) -> str | None:
    """Wait until the app answers at all; return what is wrong with its health, None when it is well.

    A new app is stale (503) until its first poll; that is well enough to go on with. The host answers 503 too, as long
    as it does not run, and a front end may answer 200 in its place: only what Prepwatch says itself ends the wait.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            status, body = call("GET", health_url)
            reasons = _health(body)
            if status == HTTPStatus.OK and reasons is not None:
                return None
            if status == HTTPStatus.SERVICE_UNAVAILABLE and reasons is not None:
                said = "; ".join(reasons)
                return f"The app runs, but is not healthy: {said}. A new app is read after its first good poll."
            if _reason(body):
                return f"The app runs, but can't work: it answered {status}{_reason(body)}."
            trouble = f"it answered {status}{_words(body)}"
        except AppError as error:
            trouble = str(error)
        if time.monotonic() >= deadline:
            return (
                f"The app does not run: {trouble}. Look at its errors: in the portal open its Application Insights,"
                f" Logs, and run {ERRORS}"
            )
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
            found.append(f"{check['name']}: {check.get('message', 'is not well')}{remedy}")
    return found


def check_webhooks(base: str, key: str) -> list[str]:
    """Ping each webhook; return what is said of each that did not take it, or of there being none."""
    try:
        names = [webhook["name"] for webhook in fetch_list(f"{base}/webhooks", key)]
    except AppError as error:
        return [f"Webhooks can't be listed: {error}."]
    if not names:
        return ["No webhook is configured: nobody is told of failures. Set WEBHOOK_URL or WEBHOOKS (docs/deploy.md)."]
    return [said for name in names if (said := _ping(base, name, key))]


def _ping(base: str, name: str, key: str) -> str:
    """Ping a webhook; return why it did not take it, empty when it did. The app answers 200 to a refused ping too."""
    try:
        answer = json.loads(fetch("POST", f"{base}/webhooks/{urllib.parse.quote(name)}/ping", key))
        refused = "" if answer["delivered"] else f"{answer['reason']}. {answer['advice']}"
    except AppError as error:
        return f"Webhook {name} was not pinged: {error}."
    except (ValueError, KeyError, TypeError):
        return f"Webhook {name} was not pinged: its answer is not Prepwatch's."
    return f"Webhook {name} did not take the ping: {refused}" if refused else ""


def report(environment: Mapping[str, str], az: Az) -> list[str]:
    """Return the lines to print.

    Raises KeyError with the name of what is missing in the environment: run it through azd.
    """
    summary, health = environment["SUMMARY_URL"], environment["HEALTH_URL"]
    signs_in = environment.get("SIGN_IN", "").lower() == "true"
    base = summary.removesuffix("/summary")
    lines = ["", f"Summary:   {summary}", f"Dashboard: {environment['DASHBOARD_URL']}", f"Health:    {health}"]
    if signs_in:
        lines.append("Key:       none, people sign in through Entra ID")
        lines.append(f"Diagnostics need a sign-in: open {base}/diagnostics")
    else:
        lines.append(f"Key:       az {' '.join(keys_arguments(environment))}")

    troubles = refresh_references(environment, az)
    unhealthy = wait_until_up(health)
    troubles += [unhealthy] if unhealthy else []
    key = None
    if not signs_in:
        try:
            key = az(keys_arguments(environment)) or None
        except AzError as error:
            troubles.append(f"Not checked further, as the function key can't be had: {error}.")
    if key is not None:
        troubles += check_diagnostics(base, key) + check_webhooks(base, key)

    if not troubles:
        return [*lines, "", "Everything works: permissions, storage and webhooks were checked."] if key else lines
    return [*lines, "", "Not well yet:", *(f"  - {trouble}" for trouble in troubles)]


def main() -> int:
    """Print the report; 1 when it can't be made."""
    try:
        lines = report(os.environ, run_az)
    except KeyError as error:
        print(f"{error} is missing in the environment: run this through azd (azd hooks run postdeploy).")
        return 1
    # What takes this may know only the system's own code page, as on Windows.
    print("\n".join(lines).encode(sys.stdout.encoding, "backslashreplace").decode(sys.stdout.encoding))
    return 0


if __name__ == "__main__":
    sys.exit(main())
