"""What several jobs have in common is one incident, which opens once, and ends when nothing of it goes on."""

from datetime import timedelta
from itertools import pairwise

import pytest

from shared.state.jobs import Carried, JobEnd, PhaseCounts
from tests.digests.paged_world import (
    MINUTE,
    POOL,
    cause,
    fail,
    incidents,
    mend,
    page,
    stands_still,
)
from tests.digests.told_world import OK, World
from tests.support.told_jobs import ACCOUNT


def test_one_sick_node_in_twelve_jobs() -> None:
    """A node on which every job fails with an exit code is one incident, a warning that names the node in full."""
    world = World("pagerduty")
    node = "tvmps_03c1a2b94be0f7d1c5e88b0f2a9d47e6c1a50042d8f3b7e9_d"
    for number in range(12):
        fail(world, f"render-{number:02}", cause(world, "FailureExitCode", nodes=1, node=node))
        world.tick()
    world.tick(10)
    assert list(incidents(world)) == [f"prepwatch:pagerduty:{ACCOUNT}:node|{POOL}|{node}"]
    last = page(world.told("pagerduty")[-1])
    assert (last["severity"], str(last["summary"]).split(",")[0]) == (
        "warning",
        f"One node of acc/{POOL} fails the preparation of 12 jobs: exit code 1",
    )
    details = last["custom_details"]
    assert isinstance(details, dict)
    assert details["nodeIds"] == [node]
    assert len(details["jobs"]) == 12
    assert f"--node-list {node}" in details["command"][-1]


def test_one_cause_in_fifty_jobs() -> None:
    """A code of Batch in many jobs of a pool is one incident, told again at most every five minutes."""
    world = World("pagerduty")
    for number in range(50):
        fail(world, f"job-{number}", cause(world))
        world.now += timedelta(seconds=12)
        world.tell()
    world.tick(10)
    (actions,) = incidents(world).values()
    assert 2 <= len(actions) <= 4
    times = [sent.at for sent in world.told("pagerduty")]
    assert all(later - before >= 5 * MINUTE for before, later in pairwise(times))
    assert "in 50 jobs of acc/pool-cpu" in str(page(world.told("pagerduty")[-1])["summary"])


@pytest.mark.parametrize(
    ("one", "other", "number"),
    [
        pytest.param(("BlobNotFound", POOL), ("BlobAccessDenied", POOL), 2, id="two causes in one pool"),
        pytest.param(("BlobNotFound", POOL), ("BlobNotFound", "pool-gpu"), 2, id="one cause in two pools"),
        pytest.param(("BlobNotFound", POOL), ("BlobNotFound", "POOL-CPU"), 1, id="one pool, however it is spelled"),
        pytest.param(("FailureExitCode", POOL), ("FailureExitCode", POOL), 2, id="two jobs with exit codes"),
        pytest.param(
            ("BlobNotFound", "run_0E1B2C3D-AAAA-BBBB-CCCC-0123456789AB"),
            ("BlobNotFound", "run_1E1B2C3D-AAAA-BBBB-CCCC-0123456789AB"),
            1,
            id="auto pools are one",
        ),
    ],
)
def test_what_is_one_incident(one: tuple[str, str], other: tuple[str, str], number: int) -> None:
    """Account, pool and cause make an incident; for exit codes on several nodes the job does."""
    world = World("pagerduty")
    fail(world, "left", cause(world, one[0]), pool=one[1])
    fail(world, "right", cause(world, other[0]), pool=other[1])
    world.tick()
    assert len(incidents(world)) == number


def test_the_first_page_waits_for_its_like_and_a_standstill_does_not() -> None:
    """A failure is paged ten seconds after it was seen, a standstill at once, under a key of its own, as critical."""
    world = World("pagerduty")
    fail(world, "nightly", cause(world))
    assert world.tell() == world.now + timedelta(seconds=10)
    world.now += timedelta(seconds=10)
    world.tell()
    world.now += timedelta(seconds=30)
    world.change("nightly", stuck=stands_still(world))
    world.tell()
    first, second = world.told("pagerduty")
    assert (second.at, page(second)["severity"]) == (world.now, "critical")
    assert first.body["dedup_key"] != second.body["dedup_key"]
    words = "nightly of acc/pool-cpu stands still: preparation failed on every node that could work: BlobAccessDenied"
    assert str(page(second)["summary"]).startswith(f"{words}, 12 tasks wait, since")


def test_a_node_that_flaps_is_one_incident() -> None:
    """What fails and works again every three minutes for two hours opens one incident, and ends it once."""
    world = World("pagerduty")
    for _ in range(20):
        fail(world, "nightly", cause(world, "FailureExitCode", nodes=1))
        world.tick(3)
        mend(world, "nightly")
        world.tick(3)
    assert list(incidents(world).values()) == [["trigger"]]
    world.tick(11)
    assert list(incidents(world).values()) == [["trigger", "resolve"]]


@pytest.mark.parametrize(
    ("end", "minutes"),
    [
        pytest.param({"causes": (), "preparation": PhaseCounts(succeeded=40)}, 10, id="mended"),
        pytest.param({"causes": (), "preparation": PhaseCounts(failed=3), "closed": JobEnd.ENDED}, 60, id="ended"),
        pytest.param({"causes": (), "preparation": PhaseCounts(failed=3), "left": 3}, 60, id="all nodes left"),
        pytest.param({"causes": (), "preparation": PhaseCounts(failed=3), "left": 2}, 10, id="two of three nodes left"),
        pytest.param(
            {"causes": (), "preparation": PhaseCounts(), "carried": Carried(preparation=3)}, 60, id="begun anew"
        ),
    ],
)
def test_when_an_incident_ends(end: dict[str, object], minutes: int) -> None:
    """It ends ten minutes after it was mended, and an hour after what it was about only went away."""
    world = World("pagerduty")
    fail(world, "nightly", cause(world))
    world.tick(3)
    anew = {"first_seen_at": world.now} if "carried" in end else {}
    world.change("nightly", **end, **anew)
    world.tick()
    over = world.now
    world.tick(minutes - 1)
    assert world.actions() == ["trigger"]
    world.tick(2)
    assert world.actions() == ["trigger", "resolve"]
    assert world.told("pagerduty")[-1].at - over in {minutes * MINUTE, (minutes + 1) * MINUTE}
    world.tick(200)
    assert world.actions() == ["trigger", "resolve"]


def test_a_job_made_anew_each_hour() -> None:
    """A job that its schedule makes anew each hour, and that fails each time, is one incident all day."""
    world = World("pagerduty")
    for hour in range(24):
        job = f"hourly:job-{hour}"
        fail(world, job, cause(world))
        world.tick(50)
        world.change(job, causes=(), preparation=PhaseCounts(failed=3), closed=JobEnd.ENDED)
        world.tick(10)
    assert len(incidents(world)) == 1
    assert "resolve" not in world.actions()


def test_from_ten_incidents_on_further_ones_are_one() -> None:
    """Thirty causes at once open eleven incidents; none of what was counted under the last opens its own later."""
    world = World("pagerduty")
    for number in range(30):
        fail(world, f"job-{number}", cause(world, f"Code{number}"))
    world.tick()
    assert len(incidents(world)) == 11
    (further,) = [sent for sent in world.told("pagerduty") if ":further|" in str(sent.body["dedup_key"])]
    assert str(page(further)["summary"]).startswith("More than 10 incidents are open on acc.")
    for number in range(10):
        mend(world, f"job-{number}")
    world.tick(30)
    assert len(incidents(world)) == 11
    for number in range(30):
        mend(world, f"job-{number}")
    world.tick(30)
    assert {actions[-1] for actions in incidents(world).values()} == {"resolve"}


def test_more_nodes_are_told_and_fewer_are_not() -> None:
    """A page follows when nodes or jobs were added, five minutes after the one before; never for a mere change."""
    world = World("pagerduty")
    fail(world, "nightly", cause(world, nodes=3))
    world.tick()
    fail(world, "nightly", cause(world, nodes=2))
    world.tick(10)
    assert world.actions() == ["trigger"]
    fail(world, "nightly", cause(world, nodes=9))
    world.tick(6)
    assert "on 9 of 40 nodes" in str(page(world.told("pagerduty")[1])["summary"])
    assert len(incidents(world)) == 1


def test_a_job_that_fails_on_a_second_node_is_an_incident_of_its_own() -> None:
    """An exit code on one node is the node's, on several the job's, and it stays so when nodes are mended again."""
    world = World("pagerduty")
    fail(world, "nightly", cause(world, "FailureExitCode", nodes=1))
    world.tick()
    fail(world, "nightly", cause(world, "FailureExitCode", nodes=2))
    world.tick(6)
    fail(world, "nightly", cause(world, "FailureExitCode", nodes=1, node="tvm-2"))
    world.tick(30)
    assert [key.rpartition(":")[2] for key in incidents(world)] == [f"node|{POOL}|tvm-1", "job|nightly"]


def test_a_page_that_is_refused_holds_up_no_other() -> None:
    """Of incidents that begin in the same minute all that the pager takes are told in it, whichever it refuses."""
    world = World("pagerduty")

    def refuse_one() -> None:
        is_wrong = "pool-wrong" in world.sender.sent[-1].text
        world.sender.answers["pagerduty"] = (400, b"invalid field") if is_wrong else OK["pagerduty"]

    world.sender.meanwhile = refuse_one
    for name in ("a", "wrong", "z"):
        fail(world, f"job-{name}", cause(world, f"Code{name}"), pool=f"pool-{name}")
    world.tick()
    said = [sent.text for sent in world.told("pagerduty")]
    assert [sum(f"pool-{name}" in text for text in said) for name in ("a", "wrong", "z")] == [1, 2, 1]


def test_since_when_is_said_as_of_today() -> None:
    """Just after midnight a page that went wrong at first says the time alone, as it is today's."""
    world = World("pagerduty")
    world.now = world.now.replace(hour=0, minute=1)
    world.sender.answers["pagerduty"] = (500, b"")
    fail(world, "nightly", cause(world))
    world.tick()
    world.sender.answers.clear()
    world.tick(3)
    first, *_, last = [str(page(sent)["summary"]) for sent in world.told("pagerduty")]
    assert first.endswith(", since 00:01 UTC")
    assert last == first
