"""The onlooker of the simulation demands of nobody what Batch has not shown."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from trials.promises.unheard_pools import UnheardPools

NOW = datetime(2026, 3, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("shown", "since"),
    [
        pytest.param([], None, id="never"),
        pytest.param([-60], None, id="before its jobs came"),
        pytest.param([-60, -3], -3, id="in the cycle that told it"),
        pytest.param([-60, 20, 30], 20, id="later"),
    ],
)
def test_a_pool_is_owed_from_when_its_broken_nodes_are_shown(shown: Sequence[int], since: int | None) -> None:
    """Of a pool that is used again, and whose nodes Batch does not list, nobody can tell that they still can't work."""
    pools = UnheardPools(_since={("pager", "gpu"): NOW})
    at = pools.since("pager", {"gpu": [NOW + minutes * MINUTE for minutes in shown]}, 5 * MINUTE)
    assert at == (None if since is None else NOW + since * MINUTE)
    assert pools.since("chat", {"gpu": [NOW]}, 5 * MINUTE) is None
