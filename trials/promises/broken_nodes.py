"""Watches what is told of the nodes of pools, beside the truth of how they were.

Owns the rules of what may be told of them. Does not own how they were (`true_pools`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from local.batch_simulator.filters import parse_time
from shared.ports import Clock
from trials.promises.true_pools import Name

_ABLE = frozenset({"idle", "running"})
_AWAY = frozenset({"preempted", "leavingpool", None})
_LASTING = frozenset({"startTaskFailed", "nodeError"})
_HEALS_WITHIN = timedelta(minutes=30)
_GONE_AFTER = timedelta(minutes=5)
_LAG = timedelta(minutes=12)
"""Nodes that may have become a fault by waiting are listed every ten minutes."""

_SKEW = timedelta(seconds=5)


@dataclass(slots=True, kw_only=True)
class BrokenNodes:
    """What was told of nodes, and `states`: what they were, with the beginnings; None is not there."""

    clock: Clock
    blame: Callable[[str], None]
    states: Mapping[Name, Sequence[tuple[datetime, str | None]]]
    standing: dict[Name, str] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    lasting: set[str] = field(default_factory=set)

    def see(self, kind: str, data: Mapping[str, Any]) -> None:
        """Look at an event about nodes that was just stored."""
        for node in data["nodes"]:
            name = (node["poolId"], node["nodeId"])
            if kind == "node.failed":
                self._see_failed(name, node)
            else:
                self._see_recovered(name, node["occurrenceId"], data["reason"])

    def check_calm(self) -> None:
        """What must hold when Batch has answered well for long enough: what is told is how it is."""
        now = self.clock()
        for name, states in self.states.items():
            since, state = states[-1]
            patience = timedelta(0) if state == "starttaskfailed" else _HEALS_WITHIN
            is_fault = state in {"starttaskfailed", "unusable"} and now - since > patience + _LAG
            if is_fault and name not in self.standing:
                self.blame(f"nobody was told that {name} is {state} since {since:%H:%M:%S}")
            if state in _ABLE | _AWAY and now - since > _LAG and name in self.standing:
                self.blame(f"{name} is {state} since {since:%H:%M:%S}, and told to be broken")

    def _see_failed(self, name: Name, node: Mapping[str, Any]) -> None:
        since, now = parse_time(node["unableSince"]), self.clock()
        occurrence, is_lasting = node["occurrenceId"], node["unableReason"] in _LASTING
        # What does not come back by itself any more is told once more.
        is_worse = self.standing.get(name) == occurrence and is_lasting and occurrence not in self.lasting
        if occurrence in self.told and not is_worse:
            self.blame(f"{name} was told to have failed twice since {since:%H:%M:%S}")
        if name in self.standing and not is_worse:
            self.blame(f"{name} was told to have failed again before it recovered")
        if (since, node["state"]) not in self.states.get(name, ()):
            self.blame(f"{name} was never {node['state']} since {since:%H:%M:%S}")
        heals = node["state"] != "starttaskfailed" and not node.get("errors")
        if heals and now - since < _HEALS_WITHIN:
            self.blame(f"{name} is told to have failed after {now - since}")
        self.told.add(occurrence)
        self.standing[name] = occurrence
        if is_lasting:
            self.lasting.add(occurrence)

    def _see_recovered(self, name: Name, occurrence: str, reason: str) -> None:
        now = self.clock()
        if self.standing.pop(name, None) != occurrence:
            self.blame(f"{name} was told to have recovered, and not to have failed")
        # A cycle may have listed it some minutes ago.
        lately = [state for at, state in self._at(name, now - timedelta(minutes=3))]
        if reason == "recovered" and not _ABLE & set(lately):
            self.blame(f"{name} was told to have recovered, and was {lately}")
        # It was away when a listing left it out first, at least five minutes before another did.
        away = [at for at, state in self._at(name, now - _GONE_AFTER - _LAG) if state in _AWAY]
        if reason == "removed" and not any(at <= now - _GONE_AFTER + _SKEW for at in away):
            self.blame(f"{name} was told to be removed, and was {lately}")

    def _at(self, name: Name, moment: datetime) -> list[tuple[datetime, str | None]]:
        """The states that a node has had since that moment, the one at that moment first."""
        states = self.states.get(name, [])
        before = [each for each in states if each[0] <= moment]
        return [*before[-1:], *(each for each in states if each[0] > moment)]
