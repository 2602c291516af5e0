"""One structured line per thing that happened, for whoever reads the logs.

Owns the form of a line: a name and fields as JSON, because the Functions host takes nothing but the message. Does not
own what is worth a line.
"""

import logging
import traceback
from collections.abc import Callable
from datetime import datetime

import msgspec

from shared.redaction import clean

_MOST_OF_A_TRACE = 16 * 1024
_logger = logging.getLogger("prepwatch")


def write_line(name: str, level: int = logging.INFO, /, **fields: str | float | bool | datetime | None) -> None:
    """Log what happened; fields that are None are left out."""
    if _logger.isEnabledFor(level):
        said = {key: value for key, value in fields.items() if value is not None}
        _logger.log(level, "%s %s", name, msgspec.json.encode(said).decode())


def write_defect(
    name: str, defect: Exception, hide: Callable[[str], str] = str, /, **fields: str | float | bool | datetime | None
) -> None:
    """Log a defect of Prepwatch with its traceback, redacted as Batch's texts are, after `hide` took out the rest."""
    trace = hide("".join(traceback.format_exception(defect)))
    write_line(name, logging.ERROR, **fields, traceback=clean(trace, limit=_MOST_OF_A_TRACE))
