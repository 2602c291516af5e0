"""Owns the file that keeps a timer's schedule status; does not own what follows from it."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from local.functions_host.timers import ScheduleStatus


@dataclass(frozen=True, slots=True)
class StatusFile:
    """The status of one timer in the JSON file *path*, in place of the host's blob timers/{host}/{name}/status."""

    path: Path

    def load(self) -> ScheduleStatus | None:
        """The status; None when the file is missing or can't be read, as the host ignores a broken blob."""
        try:
            document = json.loads(self.path.read_text(encoding="utf-8"))
            last = document["Last"]
            return ScheduleStatus(
                last=None if last is None else datetime.fromisoformat(last),
                next=datetime.fromisoformat(document["Next"]),
                last_updated=datetime.fromisoformat(document["LastUpdated"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, status: ScheduleStatus) -> None:
        """Keep *status*; a crash leaves the old file or the new one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        document = {
            "Last": None if status.last is None else status.last.isoformat(),
            "Next": status.next.isoformat(),
            "LastUpdated": status.last_updated.isoformat(),
        }
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(document), encoding="utf-8")
        fresh.replace(self.path)
