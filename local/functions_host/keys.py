"""Owns function keys: making, keeping and checking them; does not own where a request carries its key."""

import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class AuthLevel(StrEnum):
    """What a request must show."""

    ANONYMOUS = "ANONYMOUS"
    FUNCTION = "FUNCTION"
    ADMIN = "ADMIN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The master key, the host's default key and a key for each function."""

    master: str
    default: str
    functions: dict[str, str]

    def allow(self, *, level: AuthLevel, function: str | None, key: str | None) -> bool:
        """Whether *key* opens *function* (None: the admin endpoints); the worker is not asked."""
        if level is AuthLevel.ANONYMOUS:
            return True
        opening = [self.master]
        if level is AuthLevel.FUNCTION:
            opening += [self.default, *(self.functions[name] for name in (function,) if name in self.functions)]
        given = (key or "").encode()
        return any(hmac.compare_digest(given, known.encode()) for known in opening)


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
