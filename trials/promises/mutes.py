"""Which mutes stand, as the table was last written.

Owns what a mute means to whoever set it. Does not know how the app heeds it.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.digests.mutes import Mute

_CLOCKS = timedelta(seconds=5)
"""How far two clocks may be apart."""


@dataclass(slots=True)
class StandingMutes:
    """The mutes by name, each with the moment at which it was written."""

    by_name: dict[str, tuple[Mute, datetime]] = field(default_factory=dict)

    def put(self, name: str, mute: Mute, now: datetime) -> None:
        """Somebody has muted jobs; whoever mutes the same again has muted them since the first time."""
        before = self.by_name.get(name)
        self.by_name[name] = (mute, before[1] if before and before[0] == mute else now)

    def delete(self, name: str) -> None:
        """Somebody has ended a mute."""
        self.by_name.pop(name, None)

    def holds(self, job_id: str, now: datetime, grace: timedelta) -> bool:
        """Whether a job is muted now and has been so for longer than *grace*, in which a message may be on its way."""
        return any(
            max(mute.starts_at, since) + grace <= now < mute.ends_at - _CLOCKS
            and any(
                re.fullmatch(glob.replace("*", ".*").replace("?", "."), job_id, re.IGNORECASE) for glob in mute.jobs
            )
            for mute, since in self.by_name.values()
        )


def _matches(glob: str, job_id: str) -> bool:
    return re.fullmatch(glob.replace("*", ".*").replace("?", "."), job_id, re.IGNORECASE) is not None
