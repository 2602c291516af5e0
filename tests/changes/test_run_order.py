"""Which of two runs is the newer, whatever a listing leaves out, shows late, or spells otherwise."""

import pytest

from shared.batch.model import ExecutionInfo
from shared.changes.node_rules import merge_statuses
from tests.changes.run_order_cases import ended, without_start
from tests.support.builders import failed, running, status, succeeded


@pytest.mark.parametrize(
    ("one", "other", "kept"),
    [
        pytest.param(failed(0), succeeded(5), succeeded(5), id="the later end"),
        pytest.param(failed(10), ended(9, 12), ended(9, 12), id="the later end, though the clock went back"),
        pytest.param(ended(8, 11), failed(10), failed(10), id="the same end: the later start"),
        pytest.param(failed(0), running(5), running(5), id="the later start while it runs"),
        pytest.param(running(10), ended(10, 9), ended(10, 9), id="an end before its own start is an end"),
        pytest.param(running(0), failed(0), failed(0), id="the end of the same run"),
        pytest.param(succeeded(0), failed(0), failed(0), id="a failure is final"),
        pytest.param(None, running(0), running(0), id="the only one"),
        pytest.param(without_start(failed(0)), running(5), running(5), id="the one that has started"),
        pytest.param(None, None, None, id="none"),
    ],
)
@pytest.mark.parametrize("swapped", [False, True], ids=["in order", "swapped"])
def test_the_same_node_twice(
    one: ExecutionInfo | None, other: ExecutionInfo | None, kept: ExecutionInfo | None, *, swapped: bool
) -> None:
    """A node that a listing shows twice has, of each phase, the newer run, whatever the order."""
    first, second = (other, one) if swapped else (one, other)

    assert merge_statuses(status(first), status(second)).preparation == kept
    assert merge_statuses(status(None, first), status(None, second)).release == kept
