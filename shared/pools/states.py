"""What the state of a node says of the tasks that it can take.

Owns the four classes of nodes. Does not own from when on a node counts as broken (`pools.unable`), nor what follows for
the jobs that wait (`pools.standstill_rules`). Pure. States: Batch's *ComputeNodeState* of api-version
2024-07-01.20.0.
"""

from collections.abc import Mapping

from msgspec import Struct

START_TASK_FAILED = "starttaskfailed"
UNUSABLE = "unusable"
UNKNOWN = "unknown"
WAITING_FOR_START_TASK = "waitingforstarttask"
ABLE = frozenset({"idle", "running"})
UNABLE = frozenset({START_TASK_FAILED, UNUSABLE, UNKNOWN})
OUT_OF_REACH = frozenset({UNUSABLE, UNKNOWN, "offline"})
"""Batch can't reach them now, or gives them nothing: what goes on there may go on."""
BEGINNING = frozenset({"creating", "starting", WAITING_FOR_START_TASK})
"""On their way into the pool, or back into it."""
RESTARTING = frozenset({"rebooting", "reimaging", "upgradingos"})
"""On their way back, by somebody's order."""
AWAY = frozenset({"leavingpool", "preempted", "offline", "deallocating", "deallocated"})
"""As if absent: by somebody's order, or because that is how Spot nodes work."""
# Whatever is neither able, unable nor away is on the way, also a state that this version does not know: nothing bad
# shall be said of it.


class NodeClasses(Struct, frozen=True, kw_only=True):
    """How many nodes of a pool can take tasks, can't, are on the way, or are away."""

    able: int = 0
    unable: int = 0
    on_the_way: int = 0
    away: int = 0


def classes_of(by_state: Mapping[str, int]) -> NodeClasses:
    """The four classes of a pool's nodes, of their numbers by lower-case state."""
    able = sum(number for state, number in by_state.items() if state in ABLE)
    unable = sum(number for state, number in by_state.items() if state in UNABLE)
    away = sum(number for state, number in by_state.items() if state in AWAY)
    return NodeClasses(able=able, unable=unable, away=away, on_the_way=sum(by_state.values()) - able - unable - away)
