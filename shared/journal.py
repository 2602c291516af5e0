"""One structured line per thing that happened, for whoever reads the logs.

Owns the form of a line: a name and fields as JSON, because the Functions host takes nothing but the message; and on
which thread it is logged: the host drops what is logged on any other than the invocation's own. Does not own what is
worth a line, or the threads (`adapters.lanes`).
"""

import logging
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import msgspec
from msgspec import Struct

from shared.redaction import clean

_MOST_OF_A_TRACE = 16 * 1024
_logger = logging.getLogger("prepwatch")


class Line(Struct, frozen=True):
    """What is logged."""

    level: int
    name: str
    fields: str


class _Thread(threading.local):
    """What others have said for the invocation of this thread, and where its own lines go (None: into the log)."""

    def __init__(self) -> None:
        self.said: deque[Line] = deque()
        self.keeps_in: deque[Line] | None = None


_thread = _Thread()


def write_line(name: str, level: int = logging.INFO, /, **fields: str | float | bool | datetime | None) -> None:
    """Log what happened; fields that are None are left out."""
    if not _logger.isEnabledFor(level):
        return
    said = {key: value for key, value in fields.items() if value is not None}
    line = Line(level, name, msgspec.json.encode(said).decode())
    if _thread.keeps_in is not None:
        _thread.keeps_in.append(line)
        return
    write_kept()
    _log(line)


def write_defect(
    name: str, defect: Exception, hide: Callable[[str], str] = str, /, **fields: str | float | bool | datetime | None
) -> None:
    """Log a defect of Prepwatch with its traceback, redacted as Batch's texts are, after `hide` took out the rest."""
    trace = hide("".join(traceback.format_exception(defect)))
    write_line(name, logging.ERROR, **fields, traceback=clean(trace, limit=_MOST_OF_A_TRACE))


def lines_of_invocation() -> deque[Line]:
    """Where other threads keep what they say for this thread's invocation."""
    return _thread.said if _thread.keeps_in is None else _thread.keeps_in


@contextmanager
def keeping(lines: deque[Line]) -> Iterator[None]:
    """Keep what this thread says for an invocation that runs on another, which will log it."""
    before, _thread.keeps_in = _thread.keeps_in, lines
    try:
        yield
    finally:
        _thread.keeps_in = before


def has_kept() -> bool:
    """Whether others have said something that this thread is to log."""
    return _thread.keeps_in is None and bool(_thread.said)


def write_kept() -> None:
    """Log what others have said for this thread's invocation; nothing on a thread that keeps its own lines."""
    while has_kept():
        _log(_thread.said.popleft())


def _log(line: Line) -> None:
    _logger.log(line.level, "%s %s", line.name, line.fields)
