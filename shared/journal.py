"""One structured line per thing that happened, for whoever reads the logs.

Owns the form of a line: a name and fields as JSON, because the Functions host takes nothing but the message. Does not
own what is worth a line.
"""

import logging
from datetime import datetime

import msgspec

_logger = logging.getLogger("prepwatch")


def write_line(name: str, level: int = logging.INFO, /, **fields: str | float | bool | datetime | None) -> None:
    """Log what happened; fields that are None are left out."""
    if _logger.isEnabledFor(level):
        said = {key: value for key, value in fields.items() if value is not None}
        _logger.log(level, "%s %s", name, msgspec.json.encode(said).decode())
