"""What one transaction writes of a job, and how much fits into one.

Owns the value and the limits. Does not own how changes are cut into slices (`changes.slicing`).
"""

from collections.abc import Mapping

from msgspec import Struct, field

from shared.messages.events import Event
from shared.state.jobs import JobHead

MAX_RAW_BYTES = 2_000_000
"""What a slice's chunks and events may weigh; base64 makes a third more of it, and 3 MiB is the limit."""


class Slice(Struct, frozen=True, kw_only=True):
    """What one transaction writes: the head as it is then, chunks by prefix, prefixes dropped, and events."""

    head: JobHead
    chunks: Mapping[str, bytes] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
