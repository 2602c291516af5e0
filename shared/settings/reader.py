"""How one setting is taken from the environment and becomes a typed value, and how problems are gathered.

Owns the parsers of numbers, durations and networks, and the reader that remembers what is wrong instead of stopping.
Knows no setting by name. Every parser raises InvalidValueError with what is wrong and how to mend it, and never
repeats the text: it could be a secret that was put into the wrong setting.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TypeVar

from msgspec import Struct, field

from shared.reprs import repr_without

_MAX_DIGITS = 12


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers from `low` to `high`, both included."""

    def parse(text: str) -> int:
        digits = text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
        if not digits or not low <= int(text) <= high:
            raise InvalidValueError("is not usable", f"write a whole number from {low} to {high}")
        return int(text)

    return parse


def seconds(low: int, high: int) -> Callable[[str], timedelta]:
    """A parser of durations, written as whole seconds from `low` to `high`."""

    def parse(text: str) -> timedelta:
        return timedelta(seconds=whole_number(low, high)(text))

    return parse


def days(low: int, high: int) -> Callable[[str], timedelta]:
    """A parser of durations, written as whole days from `low` to `high`."""

    def parse(text: str) -> timedelta:
        return timedelta(days=whole_number(low, high)(text))

    return parse


def switch(text: str) -> bool:
    """True or false, in any case, or 1 and 0."""
    known = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in known:
        raise InvalidValueError("is neither on nor off", "write true or false")
    return known[text.lower()]


def matching(pattern: str, mend: str) -> Callable[[str], str]:
    """A parser that takes texts which the whole regular expression matches, and leaves them as they are."""

    def parse(text: str) -> str:
        if re.fullmatch(pattern, text) is None:
            raise InvalidValueError("has the wrong form", mend)
        return text

    return parse


def base64_bytes(text: str) -> bytes:
    """The bytes of strict base64."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if not value:
        raise InvalidValueError("is not base64", "copy it again, whole")
    return value


def listed(text: str) -> tuple[str, ...]:
    """The entries of a comma-separated list, without blanks around them; empty ones are none."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Comma-separated networks in CIDR notation."""
    try:
        return tuple(ip_network(part) for part in listed(text))
    except ValueError:
        pass
    raise InvalidValueError(
        "is not a list of networks", "write network addresses with a prefix length, for example 10.1.0.0/16,fd00::/8"
    )


_T = TypeVar("_T")
_UNRESOLVED_REFERENCE = "@microsoft.keyvault("


class SettingProblem(Struct, frozen=True, kw_only=True):
    """One thing that is wrong with one setting; never holds a value."""

    setting: str
    """The app setting, or the member within it, such as `WEBHOOKS[2].url`."""
    wrong: str
    mend: str

    def __str__(self) -> str:
        return f"{self.setting} {self.wrong}; {self.mend}"


class InvalidValueError(ValueError):
    """What a parser raises: what is wrong with a value, and how to mend it, without repeating the value."""

    def __init__(self, wrong: str, mend: str) -> None:
        self.wrong = wrong
        self.mend = mend
        super().__init__(f"{wrong}; {mend}")


class SettingReader(Struct, frozen=True, kw_only=True):
    """Reads settings one by one and remembers what is wrong with them instead of stopping."""

    environment: Mapping[str, str]
    problems: list[SettingProblem] = field(default_factory=list)

    __repr__ = repr_without("environment")

    def refuse(self, setting: str, wrong: str, mend: str) -> None:
        """Remember a problem."""
        self.problems.append(SettingProblem(setting=setting, wrong=wrong, mend=mend))

    def text(self, name: str) -> str | None:
        """The setting without white space around it; None when missing, empty or an unresolved reference."""
        value = self.environment.get(name, "").strip()
        if self._is_unresolved(name):
            self.refuse(
                name,
                "is a Key Vault reference that did not resolve",
                "give the app's identity the role Key Vault Secrets User and check the reference's address",
            )
            return None
        return value or None

    def waits_for(self, *names: str) -> str | None:
        """The first of some settings that is a reference which can't be read yet; None when all can.

        A vault's roles take minutes to arrive and its network may be away: what only that setting is needed for waits.
        """
        return next(filter(self._is_unresolved, names), None)

    def _is_unresolved(self, name: str) -> bool:
        return self.environment.get(name, "").strip().lower().startswith(_UNRESOLVED_REFERENCE)

    def given(self, name: str) -> bool:
        """Whether the setting is there at all, usable or not; the empty text counts as missing."""
        return bool(self.environment.get(name, "").strip())

    def optional(self, name: str, parse: Callable[[str], _T]) -> _T | None:
        """The parsed setting; None when it is missing or, as is then remembered, wrong."""
        text = self.text(name)
        return None if text is None else self.parsed(name, text, parse)

    def with_default(self, name: str, parse: Callable[[str], _T], default: str) -> _T:
        """The parsed setting, or the parsed default when it is missing or, as is then remembered, wrong."""
        value = self.optional(name, parse)
        return parse(default) if value is None else value

    def parsed(self, name: str, text: str, parse: Callable[[str], _T]) -> _T | None:
        """The parsed text; None when it is wrong, which is remembered under `name`."""
        try:
            return parse(text)
        except InvalidValueError as error:
            self.refuse(name, error.wrong, error.mend)
            return None
