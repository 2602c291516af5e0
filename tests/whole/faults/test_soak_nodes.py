"""The soak's judge of nodes finds what was lost and what was invented, and is content with what was neither."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from trials.promises.true_pools import TruePools
from trials.soak.checker import Receipt
from trials.soak.exposure import Poll
from trials.soak.nodes import Trouble, is_owed, lost, phantom, read_troubles, troubles_of

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
POLLS = [Poll(begun=NOW + number * MINUTE, ended=NOW + (number + 0.5) * MINUTE) for number in range(20)]
BROKEN = Trouble(pool="cpu", node="n1", states=((NOW, "starttaskfailed"),))
MENDED = replace(BROKEN, ended=NOW + 16 * MINUTE)


def told(kind: str, since: datetime = NOW, *, status: int = 204) -> Receipt:
    """One event about the node, as the receiver answered it."""
    node = {"poolId": "cpu", "nodeId": "n1", "unableSince": since.isoformat()}
    body = json.dumps({"type": f"prepwatch.node.{kind}", "data": {"nodes": [node]}})
    return Receipt(webhook="steady", id=kind, body=body, status=status, verified=True)


@pytest.mark.parametrize(
    ("trouble", "receipts", "missing"),
    [
        (BROKEN, [told("failed")], 0),
        (BROKEN, [], 1),
        (BROKEN, [told("failed", status=500)], 1),
        (MENDED, [told("failed"), told("recovered")], 0),
        (MENDED, [told("failed")], 1),
        (replace(BROKEN, ended=NOW + 5 * MINUTE), [], 0),
        (replace(BROKEN, states=((NOW, "unusable"),)), [], 0),
        (replace(BROKEN, states=((NOW, "starttaskfailed"), (NOW + 17 * MINUTE, "rebooting"))), [], 1),
    ],
)
def test_what_lasted_must_be_told(trouble: Trouble, receipts: list[Receipt], missing: int) -> None:
    """A node that couldn't work for long enough is lost when nobody was told, and so is the end of what was told."""
    assert len(lost([trouble], receipts, ["steady"], POLLS)) == missing


@pytest.mark.parametrize(
    ("receipts", "invented"),
    [
        ([told("failed"), told("recovered")], 0),
        ([told("failed", NOW + MINUTE)], 1),
        ([told("recovered")], 1),
    ],
)
def test_what_never_was_is_invented(receipts: list[Receipt], invented: int) -> None:
    """A failure from a moment at which the node did not fail is a phantom, and so is the end of what was not told."""
    assert len(phantom([BROKEN], receipts)) == invented


def test_a_pool_that_no_cycle_saw_is_owed_nothing() -> None:
    """What a cycle could not read of a pool it was not shown."""
    unseen = [replace(poll, troubled_pools=frozenset({"cpu"}) if poll.begun.minute % 2 else None) for poll in POLLS]
    assert is_owed(BROKEN, POLLS)
    assert not is_owed(BROKEN, unseen)


def test_a_node_is_one_trouble_until_it_works() -> None:
    """Reboots between are part of it, and it is read as it was written."""
    pools = TruePools()
    for minute, state in enumerate(("idle", "starttaskfailed", "rebooting", "starttaskfailed", "idle", "unusable")):
        pools.set_node("cpu", "n1", at=NOW + minute * MINUTE, state=state)
    found = list(troubles_of(pools.states))
    assert [(len(one.states), one.ended) for one in found] == [(3, NOW + 4 * MINUTE), (1, None)]
    assert read_troubles([one.to_json() for one in found]) == found
