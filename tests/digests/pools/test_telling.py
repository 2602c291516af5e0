"""What chat and pager receive of pools whose nodes can't work, and when."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.pools.unable import UnableReason
from shared.state.pools import PoolMemory, Standstill, StandstillReason
from shared.webhook import Webhook
from tests.digests.pools.troubled_world import breaks, count_pools, job, over, said, set_pool, unable
from tests.digests.told_world import World
from tests.support.told_jobs import webhook


def test_a_pool_in_trouble_is_one_line_and_one_incident() -> None:
    """It is told once, with how many nodes, why, since when and what to do; and its end when nodes work again."""
    world = World("slack", "pagerduty")
    job(world)
    nodes = breaks(world, 12)
    world.tick(30)
    assert said(world, "slack") == ["\N{LARGE YELLOW CIRCLE} The start task failed on 12 of 40 nodes of acc/pool"]
    assert said(world, "pagerduty") == ["warning: The start task failed on 12 of 40 nodes of acc/pool, since 22:00 UTC"]
    (message,) = world.told("slack")
    for part in (
        "FailureExitCode on 12 nodes",
        "28 nodes work; 1 job uses the pool, none stands still",
        "startup/stderr.txt",
    ):
        assert part in message.text
    set_pool(world, over(world, nodes))
    world.tick(9)
    assert len(world.sender.sent) == 2
    world.tick(5)
    assert said(world, "slack")[1:] == ["\N{LARGE GREEN CIRCLE} Nodes of acc/pool work again after 30 minutes"]
    assert said(world, "pagerduty")[1:] == ["over"]
    world.tick(120)
    assert len(world.sender.sent) == 4


_FAILED = UnableReason.START_TASK_FAILED
WHAT_TO_DO = {
    "a program": (_FAILED, "FailureExitCode", "Read what the start task printed", "startup/stderr.txt"),
    "a SAS": (_FAILED, "BlobAccessDenied", "a new SAS in the pool's start task", "startup/stderr.txt"),
    "a command": (_FAILED, "CommandProgramNotFound", "path in the pool's start task", "startup/stderr.txt"),
    "it hangs": (UnableReason.START_TASK_SLOW, "startTaskSlow", "no time limit of its own", "startup/stderr.txt"),
    "an error": (UnableReason.NODE_ERROR, "DiskFull", "Free space on the node", "node delete"),
    "out of reach": (UnableReason.UNUSABLE, "unusable", "look at the pool's network", "node delete"),
    "it does not come": (UnableReason.NOT_READY, "notReady", "remove those that do not come", "node list"),
}


@pytest.mark.parametrize(("reason", "code", "words", "command"), WHAT_TO_DO.values(), ids=WHAT_TO_DO)
def test_what_to_do_fits_a_pool(reason: UnableReason, code: str, words: str, command: str) -> None:
    """Chat and pager say what helps with a pool's nodes, and hand commands: no word of a job's task, which is another.

    What can't be changed in a job can in a pool's start task.
    """
    world = World("slack", "pagerduty")
    job(world)
    set_pool(world, [replace(unable(f"n{index:03d}", world.now, reason.value), code=code) for index in range(12)])
    world.tick(30)
    (message,) = world.told("slack")
    (page,) = world.told("pagerduty")
    details = page.body["payload"]["custom_details"]  # type: ignore[index]  # a page is JSON
    paged = " ".join([*details["do"], *details["command"]])
    for text in (message.text, paged):
        assert words in text
        assert command in text
        assert "create the job again" not in text
    assert ("node reboot" in paged) is (reason is UnableReason.START_TASK_FAILED)


def test_what_grows_is_told_when_it_has_doubled() -> None:
    """Nodes of which more fail each hour are a handful of messages, and one incident that calls nobody again."""
    world = World("slack", "pagerduty")
    nodes = breaks(world, 25, size=250)
    for hour in range(20):
        world.tick(60)
        nodes += [unable(f"later{hour}-{index}", world.now) for index in range(10)]
        set_pool(world, nodes, size=250)
    assert said(world, "slack") == [
        "\N{LARGE YELLOW CIRCLE} The start task failed on 25 of 250 nodes of acc/pool",
        "\N{LARGE YELLOW CIRCLE} The start task failed on 55 of 250 nodes of acc/pool",
        "\N{LARGE YELLOW CIRCLE} The start task failed on 115 of 250 nodes of acc/pool",
        "\N{LARGE YELLOW CIRCLE} Not over yet: The start task failed on 115 of 250 nodes of acc/pool",
    ]
    assert {sent.body["dedup_key"] for sent in world.told("pagerduty")} == {
        "prepwatch:pagerduty:acc.westeurope.batch.azure.com:pool|pool"
    }
    assert len(world.told("pagerduty")) == 3


def test_nothing_is_written_while_nothing_changes() -> None:
    """Who was told of a pool in trouble costs no row while it lasts, nor does a pool with a bad node that is none."""
    world = World("slack", "pagerduty")
    breaks(world, 12)
    breaks(world, 1, pool="other")
    world.tick(20)
    written = len(world.table.writes)
    world.tick(60)
    assert len(world.table.writes) == written


def test_half_of_a_pool_is_an_error() -> None:
    """How bad it is called is decided when the incident is opened."""
    world = World("pagerduty")
    breaks(world, 20)
    world.tick()
    assert said(world, "pagerduty")[0].startswith("error: ")


@pytest.mark.parametrize(
    ("called", "sizes"),
    [pytest.param("warning", (40, 40, 80), id="few"), pytest.param("error", (20, 120, 240), id="half")],
)
def test_an_incident_stays_as_bad_as_it_was_opened(called: str, sizes: tuple[int, ...]) -> None:
    """What has doubled is told again, as bad as it was called first: also of more than half, and of less than half."""
    world = World("pagerduty")
    for failed, size in zip((12, 24, 50), sizes, strict=True):
        breaks(world, failed, size=size)
        world.tick(120)
    assert [page.split(":")[0] for page in said(world, "pagerduty")] == [called] * 3


def test_a_standstill_says_it_first() -> None:
    """A pool without any able node is told as a standstill, and not once more as a pool."""
    world = World("slack", "pagerduty")
    job(world)
    breaks(world, 12, size=12)
    world.tick(6)
    assert world.sender.sent == []
    reason = StandstillReason.START_TASK_FAILED
    world.change("nightly", stuck=Standstill(since=world.now, confirmed=True, reason=reason, pool_id="pool", tasks=9))
    world.tick(60)
    assert len(world.told("slack")) == len(world.told("pagerduty")) == 1
    assert "stands still" in said(world, "slack")[0]


def test_a_pool_that_was_empty_for_hours() -> None:
    """Nodes that come to an empty pool and fail are told as a standstill, as those of any other."""
    world = World("slack", "pagerduty")
    job(world)
    empty_since = world.now
    world.tick(180)
    breaks(world, 12, size=12)
    count_pools(
        world,
        {"pool": PoolMemory(pool_id="pool", by_state={"starttaskfailed": 12}, none_able_since=empty_since)},
    )
    world.tick(6)
    assert world.sender.sent == []
    world.tick(5)
    assert len(world.told("slack")) == len(world.told("pagerduty")) == 1


def test_a_job_that_stands_still_is_counted_whatever_the_reason() -> None:
    """Its preparation failed on each node that works: the pool's line does not say that none stands still."""
    world = World("slack")
    still = Standstill(since=world.now, confirmed=True, pool_id="pool", reason=StandstillReason.PREPARATION_FAILED)
    world.change("nightly", pool_id="Pool", state="active", stuck=still)
    job(world, name="other")
    world.tick(2)
    breaks(world, 12)
    world.tick(12)
    assert "28 nodes work; 2 jobs use the pool, 1 stands still" in world.told("slack")[-1].text


def test_a_pool_that_nobody_waits_for_is_told_a_little_later() -> None:
    """Where no standstill follows within ten minutes, the pool speaks for itself: its nodes are paid for."""
    world = World("slack")
    job(world)
    breaks(world, 12, size=12)
    world.tick(9)
    assert world.sender.sent == []
    world.tick(2)
    assert said(world, "slack") == ["\N{LARGE RED CIRCLE} The start task failed on all 12 nodes of acc/pool"]


@pytest.mark.parametrize(
    ("hook", "hears"),
    [
        pytest.param(replace(webhook("slack"), jobs=("night*",)), True, id="its job"),
        pytest.param(replace(webhook("slack"), jobs=("weekly*",)), False, id="other jobs"),
        pytest.param(replace(webhook("slack"), pools=("po*",)), True, id="its pool"),
        pytest.param(replace(webhook("slack"), pools=("gpu",)), False, id="other pools"),
        pytest.param(replace(webhook("teams"), pools=("po*",)), True, id="Teams, its pool"),
        pytest.param(replace(webhook("teams"), pools=("gpu",)), False, id="Teams, other pools"),
        pytest.param(replace(webhook("pagerduty"), pools=("po*",)), True, id="pager, its pool"),
        pytest.param(replace(webhook("pagerduty"), pools=("gpu",)), False, id="pager, other pools"),
        pytest.param(replace(webhook("pagerduty"), jobs=("weekly*",)), False, id="pager, other jobs"),
        pytest.param(replace(webhook("slack"), events=("preparation.*",)), False, id="other events"),
        pytest.param(replace(webhook("slack"), events=("node.failed",)), True, id="its event"),
    ],
)
def test_filters(hook: Webhook, hears: bool) -> None:  # noqa: FBT001 - a column of the table
    """A webhook hears of a pool if its filters let the pool pass, and a job that uses it."""
    world = World(webhooks=[hook])
    job(world)
    nodes = breaks(world, 12)
    world.tick(5)
    assert bool(world.sender.sent) is hears
    set_pool(world, over(world, nodes))
    world.tick(20)
    assert len(world.sender.sent) == (0 if not hears else 1 if hook.events == ("node.failed",) else 2)


def test_a_crash_after_sending_repeats_and_never_leaves_an_incident_open() -> None:
    """What a page opens is written down before it is sent: its end is told whatever became of the record after it."""
    world = World("pagerduty")
    nodes = breaks(world, 12)
    world.sender.answers["pagerduty"] = None
    world.tick()
    set_pool(world, over(world, nodes))
    world.sender.answers.clear()
    world.tick(90)
    assert [sent.body["event_action"] for sent in world.told("pagerduty")][-1] == "resolve"


def test_what_is_refused_is_not_sent_again() -> None:
    """A chat that calls the message wrong gets it no second time, until there are twice as many nodes."""
    world = World("slack")
    breaks(world, 5)
    world.sender.answers["slack"] = (400, b"invalid_blocks")
    world.tick()
    tried = len(world.sender.sent)
    world.sender.answers.clear()
    world.tick(120)
    assert sum("start task" in text for text in said(world, "slack")) == tried
    breaks(world, 10)
    world.tick(2)
    assert "10 of 40 nodes" in said(world, "slack")[-1]


def test_many_pools_are_one_message_and_at_most_eleven_incidents() -> None:
    """Pools that break together are told together; from ten open incidents on, further ones are one."""
    world = World("slack", "pagerduty")
    for number in range(30):
        breaks(world, 12, pool=f"pool-{number:02d}")
    world.tick(3)
    assert said(world, "slack") == ["\N{LARGE YELLOW CIRCLE} 30 pools with nodes that can't work: acc"]
    assert len({sent.body["dedup_key"] for sent in world.told("pagerduty")}) == 11
    for number in range(30):
        set_pool(world, over(world, [unable("n", world.now)]), pool=f"pool-{number:02d}")
    world.tick(90)
    assert said(world, "pagerduty").count("over") == 11


def test_jobs_and_pools_are_one_message() -> None:
    """What there is to tell of jobs and of pools at one time is one message."""
    world = World("slack")
    breaks(world, 12)
    world.fail(2)
    world.tick()
    (heading,) = said(world, "slack")
    assert "nightly" in heading
    assert "the start task failed on 12 of 40 nodes" in heading


def test_old_trouble_is_no_news_at_first_sight() -> None:
    """What was wrong long before a pool was first watched is not announced."""
    world = World("slack", "pagerduty")
    nodes = [unable(f"n{index}", world.now - timedelta(days=31)) for index in range(12)]
    set_pool(world, nodes)
    world.tick(60)
    assert world.sender.sent == []


@pytest.mark.parametrize(
    ("reasons", "heading"),
    [
        ([UnableReason.NODE_ERROR] * 3, "Batch shows errors on 3 of 20 nodes"),
        ([UnableReason.UNUSABLE] * 3, "Batch can't use 3 of 20 nodes"),
        ([UnableReason.UNKNOWN] * 3, "Batch has lost contact with 3 of 20 nodes"),
        ([UnableReason.START_TASK_SLOW] * 3, "The start task does not end on 3 of 20 nodes"),
        ([UnableReason.NOT_READY] * 3, "The start of 3 of 20 nodes of acc/pool does not end"),
        ([UnableReason.NOT_READY, UnableReason.UNUSABLE, UnableReason.UNKNOWN], "3 of 20 nodes of acc/pool can't work"),
    ],
)
def test_headings(reasons: list[UnableReason], heading: str) -> None:
    """The heading says what all the nodes have in common."""
    world = World("slack")
    set_pool(world, [unable(f"n{index}", world.now, reason.value) for index, reason in enumerate(reasons)], size=20)
    world.tick()
    assert heading in said(world, "slack")[0]
