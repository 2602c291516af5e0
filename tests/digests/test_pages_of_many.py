"""What a page says of several jobs or causes is so of all that it says it of, and names just the nodes concerned."""

import json
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from shared.state.jobs import PhaseCounts
from shared.state.pools import StandstillReason
from tests.digests.paged_world import cause, fail, page, stands_still
from tests.digests.told_world import World
from tests.support.deployment import NOW, Deployment, a_job, a_node, a_run, deploy
from tests.support.fakes import refusal
from tests.support.told_jobs import webhook
from tests.support.webhook_settings import PAGER, SIGNED


def _details(told: dict[str, object]) -> dict[str, Any]:
    details = told["custom_details"]
    assert isinstance(details, dict)
    return details


def test_what_stood_when_a_pager_was_added() -> None:
    """Two of three jobs stand still: the page says so of two, and has each job once."""
    world = World(webhooks=[webhook("cloudevents", name="ops")])
    for number, job in enumerate(("alpha", "beta", "gamma")):
        code, nodes = ("BlobAccessDenied", 40) if number < 2 else ("BlobNotFound", 1)
        fail(world, job, cause(world, code, nodes=nodes))
    for job in ("alpha", "beta"):
        world.change(job, stuck=stands_still(world))
    world.now += timedelta(days=2)
    world.webhooks = world.sender.webhooks = (webhook("pagerduty"),)
    world.tick(2)
    told = page(world.told("pagerduty")[0])
    assert str(told["summary"]).startswith(
        "3 jobs failed before this pager was added or switched on. The worst: 2 jobs of acc/pool-cpu stand still: "
        "preparation failed on every node that could work: BlobAccessDenied, 24 tasks wait, since "
    )
    assert _details(told)["jobs"] == ["alpha: 12 tasks waiting", "beta: 12 tasks waiting", "gamma: 1 of 40 nodes"]


def test_the_worst_of_what_is_further() -> None:
    """Of what is one incident only because ten are open the heading tells of the worst by itself, and why has each."""
    world = World("pagerduty")
    for number in range(10):
        fail(world, f"a-{number}", cause(world, f"Code{number}"))
    world.tick(10)
    fail(world, "b", cause(world, "FailureExitCode", nodes=9))
    fail(world, "c", cause(world, "BlobNotFound", nodes=2), pool="other")
    world.tick(10)
    told = page(world.told("pagerduty")[-1])
    assert "The worst further: Preparation failed in b of acc/pool-cpu on 9 of 40 nodes: exit code 1" in str(
        told["summary"]
    )
    assert [why.partition(":")[0] for why in _details(told)["why"]] == ["FailureExitCode", "BlobNotFound"]


def test_several_exit_codes_of_a_job() -> None:
    """They are one incident, which counts the nodes of each, names both in its heading, and grows with either."""
    world = World("pagerduty")
    one = cause(world, "FailureExitCode", nodes=5)
    other = replace(one, nodes=3, message="The task exited with exit code 9.")
    fail(world, "nightly", one, other)
    world.tick()
    told = page(world.told("pagerduty")[0])
    assert "on 8 of 40 nodes: exit code 1 and exit code 9, since" in str(told["summary"])
    assert (_details(told)["nodes"], len(_details(told)["why"])) == (8, 2)


def test_a_standstill_without_a_cause_says_how_the_nodes_are() -> None:
    """Where Batch names no cause the page says what the nodes of the pool do, as chat does."""
    world = World("pagerduty")
    states = {"unusable": 5, "starttaskfailed": 5}
    still = replace(stands_still(world, StandstillReason.NODES_UNABLE), cause=None, by_state=states)
    world.change("nightly", stuck=still, pool_id="pool-cpu", preparation=PhaseCounts(), causes=())
    world.tick()
    assert _details(page(world.told("pagerduty")[0]))["why"] == ["Nodes of the pool: 5 start task failed, 5 unusable"]


def _pages(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """The details of each page, by its incident's key."""
    deployment.sender.answer = refusal(202, b"{}")
    deployment.poll()
    deployment.deliver()
    deployment.clock.advance(minutes=1)
    deployment.poll()
    deployment.deliver()
    sent = [json.loads(one.body) for one in deployment.sender.sent if "webhook-id" not in one.headers]
    return {one["dedup_key"].rpartition(".com:")[2]: one["payload"]["custom_details"] for one in sent}


def test_two_causes_in_a_job_name_their_own_nodes() -> None:
    """The page about a cause names the nodes that have it, and none that failed for another."""
    deployment = deploy(PAGER)
    denied = [a_node(f"d{number}", preparation=a_run(failed=True)) for number in range(2)]
    exited = [a_node(f"e{number}", preparation=a_run(failed=True, code="FailureExitCode")) for number in range(3)]
    deployment.batch.add(a_job(), *denied, *exited)
    found = sorted(sorted(details["nodeIds"]) for details in _pages(deployment).values())
    assert found == [["d0", "d1"], ["e0", "e1", "e2"]]


def test_a_node_that_was_mended_is_not_named() -> None:
    """Of two nodes one was mended before a pager is added: the page names the other, and nothing removes the first."""
    before = deploy(SIGNED)
    bad, good = a_run(failed=True, code="FailureExitCode"), a_run(ended=NOW + timedelta(minutes=1))
    before.batch.add(a_job(), a_node("first", preparation=bad), a_node("second", preparation=bad))
    before.poll()
    before.clock.advance(minutes=2)
    before.batch.add(a_job(), a_node("first", preparation=good), a_node("second", preparation=bad))
    before.poll()
    after = deploy(SIGNED, PAGER, batches=before.batches, table=before.table, clock=before.clock)
    (details,) = _pages(after).values()
    assert details["nodeIds"] == ["second"]
    assert all("first" not in command for command in details["command"])
