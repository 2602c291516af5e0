"""Owns what may be wrong with a deployment's secrets: where they stand, names and values in `WEBHOOK_SECRETS`.

Pure. A name is repeated only where it can't be a secret that was put in its place, a value never.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from infra.hooks.findings import Finding, line_that_sets

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,126}")
_SHORT_WORDS = re.compile(r"[A-Za-z][A-Za-z0-9]{0,19}([._-]{1,2}[A-Za-z0-9]{1,20})*")
_OF_THE_PLATFORM = (
    *("APPLICATIONINSIGHTS_", "AZUREFUNCTIONS", "AZUREWEBJOBS", "AZURE_", "ENABLE_ORYX_BUILD", "FUNCTIONS_"),
    *("REQUIRE_SIGN_IN", "SCM_", "STATE_STORAGE", "WEBSITE_"),
)
"""How names begin that the template sets, or the platform reads."""

_WITH_A_CREDENTIAL = ("slack", "teams")
"""Formats whose address is all that one needs to write there."""


def in_the_clear(webhooks: Iterable[Any]) -> list[Finding]:
    """Which members of `WEBHOOKS` are, or may hold, a secret: it is an app setting and a parameter as it stands."""
    found = []
    for number, webhook in enumerate(webhooks):
        members = webhook if isinstance(webhook, dict) else {}
        by_setting = {"secrets": "secretSettings"} if "secrets" in members else {}
        if members.get("format") in _WITH_A_CREDENTIAL or "?" in str(members.get("url")):
            by_setting |= {"url": "urlSetting"} if "url" in members else {}
        found += [
            Finding(
                f"WEBHOOKS[{number}].{member} is a secret, or may hold one, and whoever may read the app's settings or "
                "the deployment's history sees WEBHOOKS as it stands",
                f"{line_that_sets('WEBHOOK_SECRETS')}   # with it, under a name that {setting} has in WEBHOOKS",
            )
            for member, setting in by_setting.items()
        ]
    return found


def wrong_secrets(text: str, known: Collection[str]) -> list[Finding]:
    """What is wrong with the members of a JSON object; `known` are the deployment's own variables."""
    pairs: list[tuple[str, Any]] = json.loads(text, object_pairs_hook=list)
    mend = f"{line_that_sets('WEBHOOK_SECRETS')}   # once it is mended in secrets.json"
    return [Finding(f"WEBHOOK_SECRETS has {wrong}", mend) for wrong in _complaints(pairs, known)]


def _complaints(pairs: list[tuple[str, Any]], known: Collection[str]) -> Iterator[str]:
    own = {name.upper() for name in known}
    seen: dict[str, str] = {}
    for number, (name, value) in enumerate(pairs, start=1):
        shown = name if _SHORT_WORDS.fullmatch(name) else f"(number {number}, whose name is not shown)"
        # The vault tells neither case nor _ from -.
        secret = name.upper().replace("-", "_")
        if _NAME.fullmatch(name) is None:
            yield f"the name {shown}, which no app setting may have; write letters, digits and _, a letter first"
        if secret in seen:
            yield f"{seen[secret]} and {shown}, which are one secret in the vault; give one of them another name"
        if secret in own or secret.startswith(_OF_THE_PLATFORM):
            yield f"{shown}, which would take the place of the app's or the platform's own setting; name it otherwise"
        if not isinstance(value, str):
            yield f"a value that is no text ({shown}); write it in quotes"
        seen.setdefault(secret, shown)
