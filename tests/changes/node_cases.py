"""A case of what a node's new status means, and what the rules make of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from shared.batch.model import NodeStatus, Outcome, Phase
from shared.batch.outcomes import outcome_of
from shared.changes.node_rules import Watch, decide_node
from shared.state.nodes import Change, NodeRecord, Reason

ALL = Watch(announce_from=None)
PREPARATION_FAILED = (Phase.PREPARATION, Reason.NEWLY_FAILED)
PREPARATION_RESOLVED = (Phase.PREPARATION, Reason.RESOLVED)
RELEASE_FAILED = (Phase.RELEASE, Reason.NEWLY_FAILED)


@dataclass(frozen=True, kw_only=True)
class Case:
    """Statuses seen before, the one shown now, and what follows from it; an outcome of None is any."""

    id: str
    seen: Sequence[NodeStatus] = ()
    shown: NodeStatus
    watch: Watch = ALL
    told: list[tuple[Phase, Reason]] = field(default_factory=list)
    open: bool = False
    outcome: Outcome | None = None

    def decide(self) -> tuple[NodeRecord, tuple[Change, ...]]:
        """What is known after the status that is shown, and what it changes; earlier ones came before the job's end."""
        known: NodeRecord | None = None
        for seen in self.seen:
            known, _ = decide_node(known, seen, Watch(announce_from=self.watch.announce_from))
        return decide_node(known, self.shown, self.watch)

    def as_decided(self) -> "Case":
        """The same case, with what the rules say in the place of what it expects."""
        known, changes = self.decide()
        outcome = outcome_of(known.preparation.info) if known.preparation and self.outcome else None
        told = [(change.phase, change.reason) for change in changes]
        return replace(self, told=told, open=known.open is not None, outcome=outcome)
