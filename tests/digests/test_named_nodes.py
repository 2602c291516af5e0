"""A message names the nodes that failed last, of the phase that it is about."""

import json
from datetime import timedelta

from tests.support.deployment import NOW, Deployment, a_job, a_node, a_run, deploy
from tests.support.fakes import refusal
from tests.support.webhook_settings import SLACK

MINUTE = timedelta(minutes=1)


def _nodes_told(deployment: Deployment) -> list[str]:
    """What each message says of nodes."""
    deployment.sender.answer = refusal(200, b"ok")
    deployment.poll()
    deployment.deliver()
    deployment.clock.advance(minutes=10)
    lines = [line for request in deployment.sender.sent for line in _lines(request.body)]
    return [line.removeprefix("Nodes: ") for line in lines if line.startswith("Nodes: ")]


def _lines(body: bytes) -> list[str]:
    sections = (block["elements"][0] for block in json.loads(body)["blocks"][1:])
    texts = ("".join(element["text"] for element in section["elements"]) for section in sections)
    return [line for text in texts for line in text.split("\n")]


def test_newest_failures_first() -> None:
    """In a failure that rolls on, each message names five nodes that failed last, not those of the message before."""
    deployment = deploy(SLACK)
    old = [a_node(f"n{number:02}", preparation=a_run(failed=True, ended=NOW - 9 * MINUTE)) for number in range(9)]
    deployment.batch.add(a_job(), *old)
    assert [told.rpartition("/")[2] for told in _nodes_told(deployment)] == ["n04 and 4 more"]
    new = [a_node(f"n{number:02}", preparation=a_run(failed=True, ended=NOW + number * MINUTE)) for number in (20, 21)]
    deployment.batch.add(a_job(), *old, *new)
    names = [node.rpartition("/")[2] for node in _nodes_told(deployment)[-1].split(", ")]
    assert names == ["n21", "n20", "n00", "n01", "n02 and 6 more"]


def test_nodes_of_a_job_that_ended_with_failures() -> None:
    """Open failures that are over with the job name nobody; a release failure of the same job does."""
    deployment = deploy(SLACK)
    failing, fine = a_node("bad", preparation=a_run(failed=True)), a_node("good", preparation=a_run())
    deployment.batch.add(a_job(), failing, fine)
    left = a_node("good", preparation=a_run(), release=a_run(failed=True, ended=NOW))
    assert [told.rpartition("/")[2] for told in _nodes_told(deployment)] == ["bad"]
    deployment.batch.add(a_job(state="terminating"), failing, left)
    assert [told.rpartition("/")[2] for told in _nodes_told(deployment)] == ["bad", "good"]
