"""Owns what may be wrong with a deployment's variables: each finding says what, and the line that mends it.

Pure: variables go in, findings come out. No value of a variable is ever repeated, as it may be a secret. Does not own
where variables come from (`variables`).
"""

import json
import re
from collections.abc import Collection, Iterable
from typing import Any

from infra.hooks import variable_rules
from infra.hooks.findings import LINE_OF_ACCOUNT, Finding, line_that_sets, line_that_unsets
from infra.hooks.secret_checks import in_the_clear, wrong_secrets
from infra.hooks.variables import ACCOUNT_ID, Variables

_JSON = (("WEBHOOKS", list, "[]"), ("WEBHOOK_SECRETS", dict, "{}"), ("RESOURCE_TAGS", dict, "{}"))
"""What azd reads as JSON, what it must be, and what says that there is none."""
_MISSING = re.compile(r"names the app setting (\w+), which is missing")
_SOME_ACCOUNT = "https://account.region.batch.azure.com"
_SOME_SECRET = 44 * "A"
_SOME_TOPIC = {
    "name": "event-grid",
    "format": "eventgrid",
    "url": "https://topic.region-1.eventgrid.azure.net/api/events",
}


def from_the_shell(variables: Variables) -> list[Finding]:
    """What azd takes from the shell because its environment has none, without a word."""
    strays = sorted(name for name in variables.known if variables.shell.get(name) and name not in variables.own)
    return [
        Finding(
            f"{name} comes from your shell and not from the azd environment; azd would deploy it",
            line_that_unsets(name),
        )
        for name in strays
        if not name.startswith("AZURE_")
    ]


def malformed(variables: Variables) -> list[Finding]:
    """What can't be meant as it stands: the template's own rules, ids, and JSON."""
    found = [
        Finding(f"{name} {wrong}", line_that_sets(name))
        for name, wrong in variable_rules.mistakes(variables.get).items()
    ]
    if any(not ACCOUNT_ID.fullmatch(account) for account in variables.accounts):
        found.append(Finding("BATCH_ACCOUNT_IDS holds what is no resource id of a Batch account", LINE_OF_ACCOUNT))
    elif variables.get("BATCH_ACCOUNT_IDS") and not variables.accounts and not variables.get("BATCH_ACCOUNT_URLS"):
        found.append(Finding("BATCH_ACCOUNT_IDS is missing: there is nothing between its commas", LINE_OF_ACCOUNT))
    for name, kind, empty in _JSON:
        if name in variables.own and not variables.own[name].strip():
            found.append(Finding(f"{name} is empty, which azd can't read", f"azd env set {name} '{empty}'"))
        elif variables.get(name) and (why := _not_json(variables.get(name), kind)):
            found.append(
                Finding(f"{name} {why}; azd would show all of it", f"azd env set {name} '{empty}'   # then anew")
            )
    if not all(isinstance(tag, str) for tag in json.loads(_object(variables, "RESOURCE_TAGS")).values()):
        found.append(
            Finding("RESOURCE_TAGS has a value that is no text; write it in quotes", line_that_sets("RESOURCE_TAGS"))
        )
    return [
        *found,
        *_named_twice(variables),
        *in_the_clear(_webhooks(variables)),
        *wrong_secrets(_object(variables, "WEBHOOK_SECRETS"), variables.known),
    ]


def _named_twice(variables: Variables) -> list[Finding]:
    """Whether a webhook has the name of the one that EVENT_GRID_TOPIC makes."""
    names = [webhook.get("name") for webhook in _webhooks(variables) if isinstance(webhook, dict)]
    if "event-grid" not in names or not variables.is_on("EVENT_GRID_TOPIC", "false"):
        return []
    wrong = "WEBHOOKS has a webhook named event-grid, as the one of EVENT_GRID_TOPIC is; give it another name"
    return [Finding(wrong, line_that_sets("WEBHOOKS"))]


def _not_json(text: str, kind: type) -> str:
    try:
        read = json.loads(text)
    except json.JSONDecodeError as error:
        return f"is no JSON at line {error.lineno}, column {error.colno}"
    return "" if isinstance(read, kind) else f"is no JSON {'array' if kind is list else 'object'}"


def _webhooks(variables: Variables) -> list[Any]:
    """What the JSON array of WEBHOOKS holds; nothing when it is none."""
    text = variables.get("WEBHOOKS")
    return [] if _not_json(text, list) else list(json.loads(text))


def _object(variables: Variables, name: str) -> str:
    """The JSON object of a variable; an empty one when it is none."""
    text = variables.get(name)
    return "{}" if _not_json(text, dict) else text


def app_settings(variables: Variables) -> dict[str, str]:
    """The settings that the app will get, as the template makes them; what only Azure knows is stood in for."""
    settings = {name: _readable(name, variables.get(name)) for name in variables.known if variables.get(name)}
    hosts = [f"https://{account.rpartition('/')[2].lower()}.region.batch.azure.com" for account in variables.accounts]
    settings.pop("WEBHOOK_SECRETS", None)
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
    topic = [_SOME_TOPIC] if variables.is_on("EVENT_GRID_TOPIC", "false") and not _named_twice(variables) else []
    if topic and not _not_json(settings.get("WEBHOOKS", "[]"), list):
        made["WEBHOOKS"] = json.dumps([*json.loads(settings.get("WEBHOOKS", "[]")), *topic])
    named = {name: str(value) for name, value in json.loads(_object(variables, "WEBHOOK_SECRETS")).items()}
    return {**settings, **named, **made}


def _readable(name: str, value: str) -> str:
    """A value, or one of its kind where only a vault of the person's own has it."""
    if not value.startswith("akvs://"):
        return value
    return "https://kept.in.a.vault.example/" if name.endswith("_URL") else _SOME_SECRET


def settings_refused(problems: Iterable[str], known: Collection[str]) -> list[Finding]:
    """What the app's own reader has against its settings; one that is no variable (`known`) is in WEBHOOK_SECRETS."""
    return [Finding(f"the app would refuse its settings: {problem}", _mend(problem, known)) for problem in problems]


def _mend(problem: str, known: Collection[str]) -> str:
    # A problem begins with its setting, or with the way to a member of one.
    name = re.split(r"[\s.[]", problem, maxsplit=1)[0]
    missing = _MISSING.search(problem)
    if missing is None and name in known:
        return line_that_sets(name)
    return f"{line_that_sets('WEBHOOK_SECRETS')}   # with {missing[1] if missing else name} set right in secrets.json"
