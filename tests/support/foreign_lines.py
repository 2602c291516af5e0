"""Hears of what is logged on a thread that the Functions host does not know, and would drop.

Owns which threads those are: all but those that call the app. Does not own what becomes of the lines.
"""

import logging
import threading
from typing import Self


class ForeignLines(logging.Handler):
    """Collects such lines while its context is open; `lines` are those so far, each with its thread."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line if a lane has logged it."""
        thread = threading.current_thread().name
        if thread.startswith("lane "):
            self.lines.append(f"{thread}: {record.getMessage()}")

    def __enter__(self) -> Self:
        """Begin to listen."""
        logging.getLogger("prepwatch").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        logging.getLogger("prepwatch").removeHandler(self)
