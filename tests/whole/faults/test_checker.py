"""The checker sees each kind of wrong, and calls nothing wrong that is right."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta

import pytest

from trials.soak.checker import Hold, Receipt, check, excuses, read_holds

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
LEASE = timedelta(seconds=60)
PLACE = "due|ops|m1"
TRUE = {
    "job": "Align",
    "creationTime": "2026-11-01T11:00:00.12Z",
    "pool": "Pool-1",
    "node": "n1",
    "phase": "preparation",
    "startTime": "2026-11-01T11:30:00Z",
}


def body_of(node: str = "n1", **more: object) -> str:
    """An event that tells of a failed preparation, spelled otherwise than the truth."""
    run = {"poolId": "pool-1", "nodeId": node, "startTime": "2026-11-01T11:30:00+00:00"}
    data = {"jobId": "align", "jobCreationTime": "2026-11-01T11:00:00.120000Z", "phase": "preparation", "nodes": [run]}
    return json.dumps({"type": "prepwatch.preparation.failed", "data": data, **more})


GOOD = Receipt(webhook="ops", id="m1", body=body_of(), status=204, verified=True)


@pytest.mark.parametrize(
    ("receipts", "holds", "wrong"),
    [
        pytest.param([GOOD], [], set(), id="all well"),
        pytest.param([dataclasses.replace(GOOD, status=500), GOOD], [], set(), id="refused, then taken over"),
        pytest.param([], [], {"lost"}, id="never told"),
        pytest.param([dataclasses.replace(GOOD, status=500)], [], {"lost"}, id="only refused"),
        pytest.param([dataclasses.replace(GOOD, webhook="other")], [], {"lost"}, id="told to somebody else"),
        pytest.param(
            [GOOD, dataclasses.replace(GOOD, id="m2", body=body_of("n2"))],
            [],
            {"phantom"},
            id="a node that never failed",
        ),
        pytest.param([GOOD, GOOD], [], {"duplicate"}, id="taken over twice"),
        pytest.param([GOOD, dataclasses.replace(GOOD, id="m2")], [], {"two_ids"}, id="told under two ids"),
        pytest.param(
            [dataclasses.replace(GOOD, status=500, body=body_of(x=1)), GOOD], [], {"two_bodies"}, id="another body"
        ),
        pytest.param(
            [GOOD, dataclasses.replace(GOOD, status=401, verified=False)], [], {"unverified"}, id="a bad signature"
        ),
        pytest.param(
            [GOOD],
            [
                Hold(place=PLACE, at=NOW, until=NOW + LEASE),
                Hold(place=PLACE, at=NOW + LEASE / 2, until=NOW + 2 * LEASE, delivered=True),
            ],
            {"overlapping"},
            id="claimed while held",
        ),
        pytest.param(
            [GOOD, GOOD],
            [
                Hold(place=PLACE, at=NOW, until=NOW + LEASE),
                Hold(place=PLACE, at=NOW + LEASE, until=NOW + 2 * LEASE, delivered=True),
            ],
            set(),
            id="told again after the holder died",
        ),
        pytest.param(
            [dataclasses.replace(GOOD, status=500), GOOD, GOOD],
            [
                Hold(place=PLACE, at=NOW, until=NOW + LEASE / 2),
                Hold(place=PLACE, at=NOW + LEASE, until=NOW + 2 * LEASE, delivered=True),
            ],
            {"duplicate"},
            id="a refusal excuses nothing",
        ),
    ],
)
def test_each_kind_of_wrong_is_seen(receipts: list[Receipt], holds: list[Hold], wrong: set[str]) -> None:
    """A story with one thing wrong is called wrong in just that."""
    verdict = check([TRUE], receipts, ["ops"], holds=holds, excused=excuses(holds, receipts))
    assert {name for name, lines in verdict.all() if lines} == wrong


def test_a_hold_ends_when_its_outcome_begins_to_be_written() -> None:
    """The log of claims gives holds: to the end of the lease, or to the record before it."""
    lines = [
        {
            "what": "claimed",
            "lease": "a",
            "place": PLACE,
            "at": "2026-11-01T12:00:00Z",
            "until": "2026-11-01T12:01:00Z",
        },
        {"what": "ending", "lease": "a", "at": "2026-11-01T12:00:10Z", "delivered": True},
        {"what": "recorded", "lease": "a", "at": "2026-11-01T12:00:11Z", "delivered": True},
        {
            "what": "claimed",
            "lease": "b",
            "place": PLACE,
            "at": "2026-11-01T12:00:20Z",
            "until": "2026-11-01T12:01:20Z",
        },
    ]
    assert read_holds(json.dumps(line) for line in lines) == [
        Hold(place=PLACE, at=NOW, until=NOW + timedelta(seconds=10), delivered=True),
        Hold(place=PLACE, at=NOW + timedelta(seconds=20), until=NOW + timedelta(seconds=80)),
    ]
