"""Owns function keys: making, keeping and checking them; does not own where a request carries its key."""

import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class AuthLevel(StrEnum):
    """What a key opens, the least first, and what a request must show."""

    ANONYMOUS = "ANONYMOUS"
    FUNCTION = "FUNCTION"
    ADMIN = "ADMIN"

    def covers(self, needed: "AuthLevel") -> bool:
        """Whether a request at this level opens what needs *needed*."""
        levels = list(AuthLevel)
        return levels.index(self) >= levels.index(needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The master key, the host's default key and a key for each function."""

    master: str
    default: str
    functions: dict[str, str]

    def level(self, key: str | None, function: str | None) -> AuthLevel:
        """What *key* opens where *function* was asked for (None: no function, as with the admin endpoints)."""
        if _same(key, self.master):
            return AuthLevel.ADMIN
        if _same(key, self.default) or (function in self.functions and _same(key, self.functions[function])):
            return AuthLevel.FUNCTION
        return AuthLevel.ANONYMOUS


def load_keys(path: Path, functions: Sequence[str]) -> Keys:
    """The keys in the JSON file *path* (master, default, functions); missing ones are made and written there."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    per_function = known.get("functions", {})
    keys = Keys(
        master=known.get("master") or secrets.token_urlsafe(40),
        default=known.get("default") or secrets.token_urlsafe(40),
        functions={name: per_function.get(name) or secrets.token_urlsafe(40) for name in functions},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    document = {"master": keys.master, "default": keys.default, "functions": keys.functions}
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")
    return keys


def _same(given: str | None, known: str) -> bool:
    return hmac.compare_digest((given or "").encode(), known.encode())
