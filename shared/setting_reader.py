"""Owns how problems of settings are gathered, and how one setting is taken from the environment.

It knows neither the settings nor their types; the environment is a parameter.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from msgspec import Struct, field

from shared.reprs import repr_without

_T = TypeVar("_T")
_UNRESOLVED_REFERENCE = "@microsoft.keyvault("


class Problem(Struct, frozen=True, kw_only=True):
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
    problems: list[Problem] = field(default_factory=list)

    __repr__ = repr_without("environment")

    def refuse(self, setting: str, wrong: str, mend: str) -> None:
        """Remember a problem."""
        self.problems.append(Problem(setting=setting, wrong=wrong, mend=mend))

    def text(self, name: str) -> str | None:
        """The setting without white space around it; None when missing, empty or an unresolved reference."""
        value = self.environment.get(name, "").strip()
        if value.lower().startswith(_UNRESOLVED_REFERENCE):
            self.refuse(
                name,
                "is a Key Vault reference that did not resolve",
                "give the app's identity the role Key Vault Secrets User and check the reference's address",
            )
            return None
        return value or None

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
