"""How much happens in a simulated account, and how fast."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

_KINDS_REPEAT_AFTER = 20


class Kind(StrEnum):
    """What becomes of a job."""

    ORDINARY = "ordinary"
    STUCK = "stuck"  # its preparation fails on every node
    HANGING = "hanging"  # its preparation hangs on every node
    WITHOUT_PREPARATION = "without preparation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much happens, and how fast.

    `fail_rate` is of preparation and release tasks, `node_fail_rate` of start tasks; at 0 the nodes of pools are left
    alone. `speed` divides all durations but `linger`: for so long every failure stays listed before a rerun, a repair
    or the job's end replaces it, so whoever looks that often sees each one.
    """

    jobs: int = 4
    nodes: int = 20
    fail_rate: float = 0.15
    node_fail_rate: float = 0.0
    speed: float = 1.0
    linger: timedelta = timedelta(seconds=90)

    def kind(self, index: int) -> Kind:
        """The third job has no preparation task, the fourth is stuck, the fifth may hang; again every twenty jobs."""
        match index % _KINDS_REPEAT_AFTER:
            case 2:
                return Kind.WITHOUT_PREPARATION
            case 3 if self.fail_rate > 0:
                return Kind.STUCK
            case 4 if self.node_fail_rate > 0:
                return Kind.HANGING
            case _:
                return Kind.ORDINARY
