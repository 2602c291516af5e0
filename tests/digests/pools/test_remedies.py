"""What people are told to do about a pool's nodes, and to type."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.digests.jobs.notices import jobs_notice
from shared.digests.pools.notices import with_pools
from shared.digests.pools.remedies import commands, remedies
from shared.digests.pools.rules import PoolNews, PoolNewsKind, PoolState
from shared.messages.events import Origin
from shared.messages.format_table import render_notice
from shared.pools.unable import UnableReason
from shared.state.pools import PoolRecord
from tests.digests.pools.troubled_world import unable
from tests.support.told_jobs import ACCOUNT, NOW, head, news, webhook


def pool_with(size: int, **numbers: int) -> PoolState:
    """A pool of so many nodes, of which so many can't work for each reason."""
    nodes = [unable(f"{reason}-{number}", NOW, reason) for reason, many in numbers.items() for number in range(many)]
    record = PoolRecord(
        pool_id="pool", announce_from=NOW - timedelta(days=1), nodes={one.node_id: one for one in nodes}
    )
    return PoolState(pool_id="pool", record=record, by_state={"unusable": len(nodes), "idle": size - len(nodes)})


@pytest.mark.parametrize(
    ("pool", "begins", "names"),
    [
        pytest.param(pool_with(12, unusable=12), "az batch node list ", 0, id="all: the network may be at fault"),
        pytest.param(pool_with(40, unusable=20), "az batch node list ", 0, id="half"),
        pytest.param(pool_with(40, unknown=20), "az batch node list ", 0, id="half, out of contact"),
        pytest.param(pool_with(40, unusable=3), "az batch node delete ", 3, id="a few"),
        pytest.param(pool_with(40, nodeError=5, startTaskFailed=2), "az batch node delete ", 5, id="of two reasons"),
    ],
)
def test_only_nodes_at_fault_are_removed(pool: PoolState, begins: str, names: int) -> None:
    """Where the pool may be at fault, or a reboot helps, no command takes a node away."""
    (command, *_) = commands(ACCOUNT, pool)
    assert command.startswith(begins)
    assert sum(command.count(f"{reason.value}-{number}") for reason in UnableReason for number in range(9)) >= names
    assert "startTaskFailed-" not in command


@pytest.mark.parametrize("reason", [UnableReason.UNUSABLE, UnableReason.UNKNOWN], ids=str)
def test_a_state_is_no_code(reason: UnableReason) -> None:
    """Where Batch gives no code, the advice is that on the nodes' state, not that on a task's code of the same name."""
    (advised,) = remedies(pool_with(40, **{reason.value: 20}))
    assert advised.startswith("Batch goes on trying to reach them. If it is all nodes, look at the pool's network; ")


def test_mixed_reasons_are_all_told() -> None:
    """Under a heading that names no reason each has its line."""
    origin = Origin(account=ACCOUNT, url=f"https://{ACCOUNT}", site="s")
    pool = pool_with(40, startTaskFailed=7, unusable=7, nodeError=7)
    news = PoolNews(kind=PoolNewsKind.TROUBLE, pool=pool, told=None, since=NOW, wanted_at=NOW)
    (section,) = with_pools(None, origin, [news], NOW).sections
    told = [text for name, text in section.facts if name == "Cause"]
    assert sorted(told) == ["Batch can't use 7 nodes", "Batch shows errors on 7 nodes", "FailureExitCode on 7 nodes"]


@pytest.mark.parametrize("chat", ["slack", "teams"])
def test_a_pool_in_trouble_is_named_beside_many_jobs(chat: str) -> None:
    """However many jobs fail, whoever reads the message learns which pool has no nodes that work."""
    heads = [head(f"weekly-simulation-{number}", failed=9, text=f"reason {number}") for number in range(12)]
    told = jobs_notice(ACCOUNT, [news(replace(job, pool_id=f"pool-{job.job_id}")) for job in heads], {})
    origin = Origin(account=ACCOUNT, url=f"https://{ACCOUNT}", site="s")
    trouble = PoolNews(kind=PoolNewsKind.TROUBLE, pool=pool_with(12, unusable=12), told=None, since=NOW, wanted_at=NOW)
    body = render_notice(webhook(chat), with_pools(told, origin, [trouble], NOW)).body
    assert b"Batch can't use all 12 nodes of acc/pool" in body
