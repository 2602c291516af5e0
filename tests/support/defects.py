"""Hears of the defects that the app meets and survives.

Owns which lines of the app's log are such. Does not own what becomes of them.
"""

import json
import logging
from typing import Self

_LINES = frozenset({"job-defect", "delivery-defect"})


class Defects(logging.Handler):
    """Collects tracebacks while its context is open; `lines` are those so far."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the traceback of a defect."""
        name, _, fields = record.getMessage().partition(" ")
        if name in _LINES:
            self.lines.append(json.loads(fields)["traceback"])

    def __enter__(self) -> Self:
        """Begin to listen."""
        logging.getLogger("prepwatch").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        logging.getLogger("prepwatch").removeHandler(self)
