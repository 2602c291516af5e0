"""Owns how the text of one setting becomes a typed value: numbers, durations, networks.

Every parser raises InvalidValueError with what is wrong and how to mend it, and never repeats the text:
it could be a secret that was put into the wrong setting.
"""

import base64
import binascii
import re
from collections.abc import Callable
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network

from shared.setting_reader import InvalidValueError

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


def networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Comma-separated networks in CIDR notation."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    try:
        return tuple(ip_network(part) for part in parts)
    except ValueError:
        pass
    raise InvalidValueError(
        "is not a list of networks", "write network addresses with a prefix length, for example 10.1.0.0/16,fd00::/8"
    )
