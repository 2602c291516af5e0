"""Why jobs stand still, and what the nodes of their pool do, in a few words for people.

Owns these words. Does not own what a standstill is (`state.pools`) or when one begins (`pools.standstill_rules`).
"""

from collections.abc import Mapping

from shared.state.pools import StandstillReason

_WHY = {
    StandstillReason.START_TASK_FAILED: "the start task failed on the pool's nodes",
    StandstillReason.NODES_UNABLE: "no node of the pool can work",
    StandstillReason.RESIZE_FAILED: "the pool asks for nodes and gets none",
    StandstillReason.AUTOSCALE_FAILED: "the pool has no node, and its autoscale formula fails",
    StandstillReason.PREPARATION_FAILED: "preparation failed on every node that could work",
    StandstillReason.PREPARATION_SLOW: "preparation failed or takes too long on every node that could work",
    StandstillReason.POOL_GONE: "the pool does not exist",
}
NODE_STATES: Mapping[str, str] = {
    "starttaskfailed": "start task failed",
    "waitingforstarttask": "waiting for their start task",
    "leavingpool": "leaving the pool",
    "upgradingos": "upgrading their OS",
}
"""States that Batch spells in one word, in lower case; the others are words as they are."""


def why_in_words(reason: StandstillReason) -> str:
    """Why a job stands still."""
    return _WHY[reason]


def nodes_in_words(by_state: Mapping[str, int]) -> str:
    """What the nodes of a pool do, most of them first; empty when it has none or nothing is known."""
    states = sorted(by_state.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{number} {NODE_STATES.get(state, state)}" for state, number in states)
