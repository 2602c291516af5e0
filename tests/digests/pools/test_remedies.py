"""What people are told to do about a pool's nodes, and to type."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.digests.jobs.notices import jobs_notice
from shared.digests.pools.notices import pool_page, with_pools
from shared.digests.pools.remedies import commands, remedies
from shared.digests.pools.rules import PoolNews, PoolNewsKind, PoolState
from shared.messages.events import Origin
from shared.messages.format_table import render_notice
from shared.messages.notices import REMEDY, Severity
from shared.pools.unable import UnableReason
from shared.state.pools import PoolRecord
from shared.state.telling import Told
from tests.digests.pools.troubled_world import unable
from tests.support.told_jobs import ACCOUNT, NOW, head, news, webhook

ORIGIN = Origin(account=ACCOUNT, url=f"https://{ACCOUNT}", site="s")


def pool_with(size: int, **numbers: int) -> PoolState:
    """A pool of so many nodes, of which so many can't work for each reason."""
    nodes = [unable(f"{reason}-{number}", NOW, reason) for reason, many in numbers.items() for number in range(many)]
    record = PoolRecord(
        pool_id="pool", announce_from=NOW - timedelta(days=1), nodes={one.node_id: one for one in nodes}
    )
    return PoolState(pool_id="pool", record=record, by_state={"unusable": len(nodes), "idle": size - len(nodes)})


def _trouble(pool: PoolState) -> PoolNews:
    """That a pool is in trouble, as news."""
    return PoolNews(kind=PoolNewsKind.TROUBLE, pool=pool, told=None, since=NOW, wanted_at=NOW)


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
    pool = pool_with(40, startTaskFailed=7, unusable=7, nodeError=7)
    (section,) = with_pools(None, ORIGIN, [_trouble(pool)], NOW).sections
    told = [text for name, text in section.facts if name == "Cause"]
    assert sorted(told) == ["Batch can't use 7 nodes", "Batch shows errors on 7 nodes", "FailureExitCode on 7 nodes"]


def test_each_reason_has_its_own_remedy() -> None:
    """What helps with nodes that Batch can't use is not what helps where the start task failed: both are told."""
    pool = pool_with(40, startTaskFailed=7, unusable=9)
    network, start_task = remedies(pool)
    assert network.startswith("Batch goes on trying to reach them.")
    assert start_task.startswith("Read what the start task printed")
    (section,) = with_pools(None, ORIGIN, [_trouble(pool)], NOW).sections
    assert [text for name, text in section.facts if name == REMEDY] == [network, start_task]


def test_what_is_worse_comes_first() -> None:
    """Beside jobs that are mended a pool half of whose nodes can't work is what the message begins with."""
    mended = replace(head("nightly", failed=0), causes=(), preparation_failed_ever=3)
    told = Told(job_id="nightly", standing=True, at=NOW, since=NOW)
    notice = with_pools(
        jobs_notice(ACCOUNT, [news(mended, told=told)], {}), ORIGIN, [_trouble(pool_with(12, unusable=9))], NOW
    )
    assert notice.signed_heading.startswith("\N{LARGE RED CIRCLE} Batch can't use 9 of 12 nodes of acc/pool; ")
    assert "Batch can't use" in notice.sections[0].title


@pytest.mark.parametrize(
    ("pool", "words"),
    [
        (pool_with(40, unusable=9), "; Batch can't use 9 of 40 nodes of acc/pool"),
        (pool_with(40, startTaskFailed=9), "; the start task failed on 9 of 40 nodes of acc/pool"),
    ],
)
def test_behind_jobs_a_pool_goes_on_with_the_sentence(pool: PoolState, words: str) -> None:
    """What it begins with is written small, unless it is a name."""
    told = jobs_notice(ACCOUNT, [news(head())], {})
    assert words in with_pools(told, ORIGIN, [_trouble(pool)], NOW).heading


def test_one_cause_in_several_pools_is_one() -> None:
    """A page counts its nodes together, so that other causes have room."""
    pools = [replace(pool_with(40, startTaskFailed=3), pool_id=f"pool-{number}") for number in range(4)]
    pools.append(replace(pool_with(40, unusable=3), pool_id="other"))
    page = pool_page(ORIGIN, "key", Severity.WARNING, [_trouble(pool) for pool in pools], NOW).page
    assert page is not None
    assert page.details["why"] == ["FailureExitCode on 12 nodes", "Batch can't use 3 nodes"]


@pytest.mark.parametrize("chat", ["slack", "teams"])
def test_a_pool_in_trouble_is_named_beside_many_jobs(chat: str) -> None:
    """However many jobs fail, whoever reads the message learns which pool has no nodes that work."""
    heads = [head(f"weekly-simulation-{number}", failed=9, text=f"reason {number}") for number in range(12)]
    told = jobs_notice(ACCOUNT, [news(replace(job, pool_id=f"pool-{job.job_id}")) for job in heads], {})
    trouble = _trouble(pool_with(12, unusable=12))
    body = render_notice(webhook(chat), with_pools(told, ORIGIN, [trouble], NOW)).body
    assert b"Batch can't use all 12 nodes of acc/pool" in body
