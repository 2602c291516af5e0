"""Owns where azd takes a deployment's variables from: its environment's files, the shell, and what it has asked for.

Reads files and nothing else. Does not own what is wrong with a variable (`variable_checks`).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PARAMETERS = Path(__file__).resolve().parents[1] / "main.parameters.json"
SECRETS = ("BATCH_ACCOUNT_KEY", "HEARTBEAT_URL", "STATE_STORAGE", "WEBHOOK_SECRET", "WEBHOOK_SECRETS", "WEBHOOK_URL")
"""Variables that nobody but the deployment may read."""
ACCOUNT_ID = re.compile(
    r"/subscriptions/([0-9a-f-]{36})/resourcegroups/([^/]+)/providers/microsoft\.batch/batchaccounts/([^/]+)",
    re.IGNORECASE,
)
_ASSIGNMENT = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[\w.]+)[ \t]*=[ \t]*"""
    r"""(?:"(?P<quoted>(?:\\.|[^"\\])*)"|'(?P<plain>[^']*)'|(?P<bare>[^\n]*))""",
    re.MULTILINE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_CONTROLS = {"n": "\n", "r": "\r"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """What azd takes variables from: its environment `own`, then the `shell`; `asked` is what it has asked for."""

    known: frozenset[str]
    own: Mapping[str, str]
    shell: Mapping[str, str]
    asked: Mapping[str, str]

    def get(self, name: str) -> str:
        """The value that azd takes, its environment's own also when that is empty; empty for none."""
        return (self.own if name in self.own else self.shell).get(name, "").strip()

    def is_on(self, name: str, standard: str) -> bool:
        """Whether a switch is on."""
        return (self.get(name).lower() or standard) in {"true", "1"}

    @property
    def accounts(self) -> list[str]:
        """The resource ids of the watched accounts, as they are written."""
        text = self.get("BATCH_ACCOUNT_IDS") or self.asked.get("batchAccountIds", "")
        return [part.strip() for part in text.split(",") if part.strip()]

    @property
    def groups(self) -> list[str]:
        """The resource groups of the watched accounts, each once."""
        found = [ACCOUNT_ID.fullmatch(account) for account in self.accounts]
        return list(dict.fromkeys(f"/subscriptions/{one[1]}/resourceGroups/{one[2]}".lower() for one in found if one))


def read_variables(root: Path, shell: Mapping[str, str]) -> tuple[str, Variables]:
    """The name of the azd environment, empty for none, and its variables."""
    azure = root / ".azure"
    default = _json(azure / "config.json").get("defaultEnvironment", "")
    name = shell.get("AZURE_ENV_NAME") or str(default)
    text = (azure / name / ".env").read_text(encoding="utf-8") if name and (azure / name / ".env").is_file() else ""
    own = _assignments(text)
    asked = _json(azure / name / "config.json").get("infra", {}).get("parameters", {}) if name else {}
    return name, Variables(
        known=read_known(), own=own, shell=shell, asked={key: str(value) for key, value in asked.items()}
    )


def read_known() -> frozenset[str]:
    """The names of the deployment's variables."""
    return frozenset(re.findall(r"\$\{(\w+)\}", _PARAMETERS.read_text(encoding="utf-8")))


def _json(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def _assignments(text: str) -> dict[str, str]:
    """The variables of azd's .env, which godotenv writes: in quotes, with backslashes before what would end them."""
    return {
        found["name"]: _ESCAPED.sub(lambda one: _CONTROLS.get(one[1], one[1]), found["quoted"])
        if found["quoted"] is not None
        else (found["plain"] or found["bare"] or "").strip()
        for found in _ASSIGNMENT.finditer(text)
    }
