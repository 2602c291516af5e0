"""Owns what may be wrong with a deployment's variables: each finding says what, and the line that mends it.

Pure: variables go in, findings come out. No value of a variable is ever repeated, as it may be a secret. Does not own
where variables come from (`variables`).
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from infra.hooks.findings import Finding
from infra.hooks.variables import ACCOUNT_ID, SECRETS, Variables

SWITCHES = ("ASSIGN_ROLES", "EVENT_GRID_TOPIC", "VNET_ENABLED", "WEBHOOK_ALLOW_HTTP")
_SOME_ACCOUNT = "https://account.region.batch.azure.com"
_SOME_SECRET = 44 * "A"


def from_the_shell(variables: Variables) -> list[Finding]:
    """What azd takes from the shell because its environment has none, without a word."""
    strays = sorted(name for name in variables.known if variables.shell.get(name) and name not in variables.own)
    return [
        Finding(
            f"{name} comes from your shell and not from the azd environment; azd would deploy it",
            f"unset {name}" if name in SECRETS else f'unset {name}   # or keep it: azd env set {name} "${name}"',
        )
        for name in strays
        if not name.startswith("AZURE_")
    ]


def malformed(variables: Variables) -> list[Finding]:
    """Switches, ids and JSON that can't be meant as they stand."""
    found = [
        Finding(f"{name} is neither true nor false; azd would take its default", f"azd env set {name} true")
        for name in SWITCHES
        if variables.get(name) and variables.get(name).lower() not in {"true", "false", "1", "0"}
    ]
    if any(not ACCOUNT_ID.fullmatch(account) for account in variables.accounts):
        found.append(
            Finding(
                "BATCH_ACCOUNT_IDS holds what is no resource id of a Batch account",
                'azd env set BATCH_ACCOUNT_IDS "$(az batch account show -n NAME -g GROUP --query id -o tsv)"',
            )
        )
    for name, kind, empty in (("WEBHOOKS", list, "[]"), ("WEBHOOK_SECRETS", dict, "{}")):
        if name in variables.own and not variables.own[name].strip():
            found.append(Finding(f"{name} is empty, which azd can't read", f"azd env set {name} '{empty}'"))
        elif variables.get(name) and (why := _not_json(variables.get(name), kind)):
            found.append(
                Finding(f"{name} {why}; azd would show all of it", f"azd env set {name} '{empty}'   # then anew")
            )
    return found


def _not_json(text: str, kind: type) -> str:
    try:
        read = json.loads(text)
    except json.JSONDecodeError as error:
        return f"is no JSON at line {error.lineno}, column {error.colno}"
    return "" if isinstance(read, kind) else f"is no JSON {'array' if kind is list else 'object'}"


def app_settings(variables: Variables) -> dict[str, str]:
    """The settings that the app will get, as the template makes them; what only Azure knows is stood in for."""
    settings = {name: _readable(name, variables.get(name)) for name in variables.known if variables.get(name)}
    hosts = [f"https://{account.rpartition('/')[2].lower()}.region.batch.azure.com" for account in variables.accounts]
    secrets = settings.pop("WEBHOOK_SECRETS", "{}")
    url = settings.get("WEBHOOK_URL") or variables.asked.get("webhookUrl", "")
    made = {
        # Without any, azd asks.
        "BATCH_ACCOUNT_URLS": settings.get("BATCH_ACCOUNT_URLS") or ",".join(dict.fromkeys(hosts or [_SOME_ACCOUNT])),
        "POLL_SCHEDULE": settings.get("POLL_SCHEDULE") or "0 * * * * *",
        "AzureWebJobsStorage__tableServiceUri": "https://storage.table.core.windows.net/",
        "AzureWebJobsStorage__queueServiceUri": "https://storage.queue.core.windows.net/",
    }
    if url:
        given = settings.get("WEBHOOK_SECRET", "") or _SOME_SECRET
        made |= {"WEBHOOK_URL": url, "WEBHOOK_SECRET": given if given.startswith("whsec_") else f"whsec_{given}"}
    else:
        settings.pop("WEBHOOK_SECRET", None)
    named: Mapping[str, Any] = json.loads(secrets) if not _not_json(secrets, dict) else {}
    return {**settings, **{name: str(value) for name, value in named.items()}, **made}


def _readable(name: str, value: str) -> str:
    """A value, or one of its kind where only a vault of the person's own has it."""
    if not value.startswith("akvs://"):
        return value
    return "https://kept.in.a.vault.example/" if name.endswith("_URL") else _SOME_SECRET


def settings_refused(problems: Iterable[str]) -> list[Finding]:
    """What the app's own reader has against its settings."""
    return [
        Finding(f"the app would refuse its settings: {problem}", f"azd env set {problem.split()[0]} VALUE")
        for problem in problems
    ]
