"""GET /api/jobs/{jobId}/nodes/{nodeId}: what can be typed about a node on which a task failed."""

from typing import Any

from msgspec.structs import replace

from tests.support.deployment import Deployment, a_job, a_node, a_run, deploy


def _explain(deployment: Deployment, node: str = "node-1") -> Any:
    return deployment.ask(lambda routes, asked: routes.events.explain_node(asked), jobId="JOB-1", nodeId=node)


def test_what_to_type() -> None:
    """A node that failed comes with the command that fetches its stderr.txt and the one that removes it."""
    deployment = deploy()
    never_started = a_node("node-3", preparation=replace(a_run(failed=True), exit_code=None))
    failed = a_node(preparation=a_run(failed=True))
    deployment.batch.add(a_job(), failed, a_node("node-2", preparation=a_run()), never_started)
    deployment.poll()
    fetch, remove = (one["command"] for one in _explain(deployment).body["commands"])
    assert "node file download" in fetch
    assert "workitems/job-1/job-1/jobpreparation/stderr.txt" in fetch
    assert remove.endswith("--pool-id pool-1 --node-list node-1")
    assert _explain(deployment, node="node-2").body["commands"] == []
    assert [one["command"].split(" --")[0] for one in _explain(deployment, node="node-3").body["commands"]] == [
        "az batch node delete"
    ]


def test_no_node_is_removed_for_a_job_that_is_over() -> None:
    """Once its job has ended a node that failed is as good as others for the next, so nobody is told to remove it."""
    deployment = deploy()
    for state in ("active", "completed", "completed"):
        deployment.batch.add(a_job(state=state), a_node(preparation=a_run(failed=True)))
        deployment.poll()
        deployment.clock.advance(minutes=15)
    body = _explain(deployment).body
    assert (body["tracking"], body["node"]["open"]) == ("settled", True)
    assert ["file download" in one["command"] for one in body["commands"]] == [True]
