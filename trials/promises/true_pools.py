"""What really became of the nodes of simulated pools, whatever anybody was shown of it."""

from datetime import datetime
from typing import Any

from local.batch_simulator.pools import Pools

Name = tuple[str, str]  # pool, node


class TruePools(Pools):
    """Pools that remember; `states` has the states of each node with their beginnings, None where it was not there."""

    def __init__(self) -> None:
        super().__init__()
        self.states: dict[Name, list[tuple[datetime, str | None]]] = {}

    def set_node(self, pool_id: str, node_id: str, *, at: datetime, state: str = "idle", **fields: Any) -> None:
        """Put a node into a pool, or change one, and remember it."""
        super().set_node(pool_id, node_id, at=at, state=state, **fields)
        self._remember(pool_id, node_id, at, state)

    def drop_node(self, pool_id: str, node_id: str, *, at: datetime) -> None:
        """Take a node out of its pool, and remember it."""
        super().drop_node(pool_id, node_id, at=at)
        self._remember(pool_id, node_id, at, None)

    def _remember(self, pool_id: str, node_id: str, at: datetime, state: str | None) -> None:
        states = self.states.setdefault((pool_id, node_id), [])
        if not states or states[-1][1] != state:
            states.append((at, state))
