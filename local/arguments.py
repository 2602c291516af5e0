"""What numbers on a command line may be; a wrong one is refused by argparse, with its option and what it may be."""

import argparse
import math
from collections.abc import Callable

HOST_PORT = 7071
"""Where an app answers on a developer's machine, as with Core Tools."""


def whole_number(lowest: int, highest: int | None = None) -> Callable[[str], int]:
    """Return what reads a whole number from *lowest* to *highest*; None means any that is not less."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
        if value < lowest or (highest is not None and value > highest):
            raise argparse.ArgumentTypeError(f"{text} is not {_allowed(lowest, highest)}")
        return value

    return read


def finite_number(lowest: float, highest: float | None = None) -> Callable[[str], float]:
    """Return what reads a number from *lowest* to *highest*; None means any finite one that is not less."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
        if not math.isfinite(value) or value < lowest or (highest is not None and value > highest):
            raise argparse.ArgumentTypeError(f"{text} is not {_allowed(lowest, highest)}")
        return value

    return read


port = whole_number(0, 65_535)
"""Reads a port; 0 means that a free one is to be taken."""


def _allowed(lowest: float, highest: float | None) -> str:
    return f"{lowest:g} or more" if highest is None else f"{lowest:g} to {highest:g}"
