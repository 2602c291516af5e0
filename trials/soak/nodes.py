"""What became of the nodes of pools during a soak, what had to be told of it, and what was.

Owns what lost and phantom mean for nodes. A node that can't work is one trouble until it works or has left, in whatever
states it is meanwhile; it is owed when one of them was there for so long that each cycle that ended well must have
shown it. Times are the simulated account's.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from local.batch_simulator.protocol import format_time
from trials.soak.checker import Receipt
from trials.soak.exposure import Poll

FAILED, RECOVERED = "prepwatch.node.failed", "prepwatch.node.recovered"
_UNABLE = frozenset({"starttaskfailed", "unusable"})
_OVER = frozenset({"idle", "running", None})
_LISTED_EVERY = timedelta(minutes=11)
"""Pools whose counts are as they were are listed every ten minutes."""
_COUNTS_AFTER = {"starttaskfailed": timedelta(0), "unusable": timedelta(minutes=30)}
_CYCLES = 3
"""So many must have shown it: one may have been throttled among its last questions, which are about pools."""

State = tuple[datetime, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A node that can't work: the states that it was in, the last with when it was over; None while it is not."""

    pool: str
    node: str
    states: tuple[tuple[datetime, str], ...]
    ended: datetime | None = None

    def spans(self) -> Iterator[tuple[datetime, str, datetime | None]]:
        """Each state with its beginning and end."""
        ends = [*(since for since, _ in self.states[1:]), self.ended]
        return ((since, state, end) for (since, state), end in zip(self.states, ends, strict=True))

    def to_json(self) -> dict[str, object]:
        """A line of the truth."""
        return {
            "pool": self.pool,
            "node": self.node,
            "states": [(format_time(since), state) for since, state in self.states],
            "ended": format_time(self.ended) if self.ended is not None else None,
        }


def read_troubles(lines: Iterable[Mapping[str, object]]) -> list[Trouble]:
    """The troubles of a log."""
    return [_read(line) for line in lines]


def troubles_of(states: Mapping[tuple[str, str], Sequence[State]]) -> Iterator[Trouble]:
    """What nodes went through, as troubles."""
    for (pool, node), its in states.items():
        standing: list[tuple[datetime, str]] = []
        for since, state in its:
            if state is not None and state not in _OVER:
                standing.append((since, state))
            elif standing:
                yield Trouble(pool=pool, node=node, states=tuple(standing), ended=since)
                standing = []
        if standing:
            yield Trouble(pool=pool, node=node, states=tuple(standing))


def lost(
    troubles: Collection[Trouble], receipts: Sequence[Receipt], webhooks: Collection[str], polls: Collection[Poll]
) -> tuple[str, ...]:
    """What had to be told and was not: a failure, or the end of one that was, to those *webhooks* that hear of both."""
    told = {(webhook, *key) for webhook, key in _told(receipts, FAILED)}
    over = {(webhook, *key) for webhook, key in _told(receipts, RECOVERED)}
    missing: list[str] = []
    for webhook in webhooks:
        for one in troubles:
            keys = [(webhook, one.pool, one.node, since) for since, _ in one.states]
            was_told = any(key in told for key in keys)
            if is_owed(one, polls) and not was_told:
                missing.append(f"{webhook}: {one.node} of {one.pool} from {one.states[0][0]}")
            if was_told and one.ended is not None and not any(key in over for key in keys):
                missing.append(f"{webhook}: {one.node} of {one.pool} works since {one.ended}, or has left")
    return tuple(missing)


def phantom(troubles: Collection[Trouble], receipts: Sequence[Receipt]) -> tuple[str, ...]:
    """What was told and never was: a failure of such a node, or the end of a failure that nobody was told."""
    true = {(one.pool, one.node, since) for one in troubles for since, _ in one.states}
    failed = {key for _, key in _told(receipts, FAILED)}
    return tuple(
        sorted(
            {f"{node} of {pool} from {since}" for pool, node, since in failed - true}
            | {
                f"the end of {node} of {pool} from {since}"
                for _, (pool, node, since) in _told(receipts, RECOVERED)
                if (pool, node, since) not in failed
            }
        )
    )


def is_owed(trouble: Trouble, polls: Collection[Poll]) -> bool:
    """Whether enough cycles must have shown one of its states; in a pool that they watched."""
    for since, state, end in trouble.spans():
        if state not in _UNABLE:
            continue
        counts = since + _COUNTS_AFTER[state] + _LISTED_EVERY
        seen = [poll for poll in polls if counts <= poll.begun and (end is None or poll.ended <= end)]
        if sum(poll.saw(trouble.pool) for poll in seen) >= _CYCLES:
            return True
    return False


def _told(receipts: Iterable[Receipt], kind: str) -> Iterator[tuple[str, tuple[str, str, datetime]]]:
    """To whom it was told of which node, and since when that could not work."""
    for receipt in receipts:
        event = json.loads(receipt.body)
        for node in event["data"]["nodes"] if receipt.accepted and event["type"] == kind else ():
            since = datetime.fromisoformat(node["unableSince"])
            yield receipt.webhook, (node["poolId"], node["nodeId"], since)


def _read(line: Mapping[str, object]) -> Trouble:
    states, ended = line["states"], line["ended"]
    if not isinstance(states, list):
        raise TypeError(f"{line} is no trouble")
    return Trouble(
        pool=str(line["pool"]),
        node=str(line["node"]),
        states=tuple((datetime.fromisoformat(since), state) for since, state in states),
        ended=datetime.fromisoformat(str(ended)) if ended is not None else None,
    )
