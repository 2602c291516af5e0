"""Reads, decides and writes again when another writer was first.

Owns how often. Does not own what is read, decided or written: whoever calls hands in the three as one.
"""

from collections.abc import Callable
from typing import TypeVar

from shared.errors import LostRaceError, RowConflictError

_T = TypeVar("_T")
_TRIES = 3


def until_written(read_decide_write: Callable[[], _T], what: str) -> _T:
    """What came of reading, deciding and writing, begun anew when another writer was first.

    Args:
        read_decide_write: Writes only if what it has read still stands; raises RowConflictError or LostRaceError else.
        what: What is written, for the error.

    Raises:
        LostRaceError: Others were first every time; try again later.
    """
    for _ in range(_TRIES):
        try:
            return read_decide_write()
        except (RowConflictError, LostRaceError):
            continue
    raise LostRaceError(f"{what} is being written by others; try again.")
