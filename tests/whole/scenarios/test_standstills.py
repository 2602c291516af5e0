"""What people receive when no task of a job can run: one message, with the reason."""

from trials.simulation.scripts import (
    FAILURE,
    MISSING_INPUT,
    add_job,
    begin,
    drop_nodes,
    fail,
    fail_all,
    retry,
    set_nodes,
    start_task_failed,
    succeed,
)
from trials.simulation.story import HOUR, MINUTE, Story, nodes

QUOTA = {"code": "AccountCoreQuotaReached", "message": "The specified account has reached core quota."}


def test_preparation_hangs_everywhere(told: Story) -> None:
    """Preparation hangs on all 20 nodes while 200 tasks wait; hours later it succeeds after all."""
    add_job(told.system, "nightly-21", active=200)
    begin(told.system, "nightly-21", *nodes(20))
    told.wait(56 * MINUTE, every=4 * MINUTE)
    told.wait(14 * MINUTE)
    told.status()
    told.say("preparation succeeds, and tasks run")
    succeed(told.system, "nightly-21", *nodes(20))
    told.system.world.set_tasks("nightly-21", active=180, running=20)
    told.wait(8 * MINUTE)
    told.status()


def test_preparation_hangs_on_some_nodes(told: Story) -> None:
    """Preparation hangs on two of twenty nodes while tasks run on the others; later it succeeds there, too."""
    add_job(told.system, "nightly-34", active=30, running=18)
    set_nodes(told.system, nodes(20), "running")
    succeed(told.system, "nightly-34", *nodes(18))
    begin(told.system, "nightly-34", "n19", "n20")
    told.wait(56 * MINUTE, every=4 * MINUTE)
    told.wait(16 * MINUTE)
    told.status()
    told.say("preparation succeeds there, too")
    succeed(told.system, "nightly-34", "n19", "n20")
    told.wait(14 * MINUTE)
    told.status()


def test_all_but_one_failed(told: Story) -> None:
    """Preparation fails on 59 of 60 nodes and hangs on the last."""
    add_job(told.system, "nightly-22", active=200)
    begin(told.system, "nightly-22", "n60")
    fail_all(told.system, "nightly-22", nodes(59), FAILURE)
    told.wait(56 * MINUTE, every=4 * MINUTE)
    told.wait(10 * MINUTE)
    told.status()


def test_endless_retries(told: Story) -> None:
    """Preparation is tried again each minute on 20 nodes, without a limit."""
    add_job(told.system, "nightly-23", active=200)
    begin(told.system, "nightly-23", *nodes(20))
    for count in range(1, 18):
        told.wait(MINUTE)
        for node in nodes(20):
            retry(told.system, "nightly-23", node, count)
    told.status()


def test_start_tasks_failed(told: Story) -> None:
    """The start task fails on all 12 nodes of a pool; nothing was ever listed for the job."""
    add_job(told.system, "nightly-24", active=190)
    start_task_failed(told.system, nodes(12), 127)
    told.wait(12 * MINUTE)
    told.status()
    told.say("the start task is mended, and the nodes are rebooted")
    set_nodes(told.system, nodes(12), "idle")
    told.wait(4 * MINUTE)
    told.status()


def test_start_tasks_failed_after_a_good_week(told: Story) -> None:
    """A job ran well, and its old nodes are still listed as succeeded; on all new ones the start task fails."""
    add_job(told.system, "nightly-25", active=90)
    succeed(told.system, "nightly-25", *nodes(6))
    told.wait(3 * MINUTE)
    told.say("other nodes take the place of the old ones, and their start task fails")
    drop_nodes(told.system, nodes(6))
    start_task_failed(told.system, [f"new-{name}" for name in nodes(6)], 127)
    told.wait(12 * MINUTE)
    told.status()


def test_core_quota_reached(told: Story) -> None:
    """A pool asks for 40 nodes and gets none, because the quota is used up; its formula evaluates well all the time."""
    add_job(told.system, "nightly-26", active=88)
    pools = told.system.world.pools
    pools.resize("pool-1", at=told.system.now, dedicated=40, errors=(QUOTA,))
    for _ in range(3):
        told.wait(5 * MINUTE)
        pools.put("pool-1", at=told.system.now).autoscale_run = {
            "timestamp": told.system.now.isoformat(),
            "results": "",
        }
    told.status()


def test_nodes_unusable_for_a_while(told: Story) -> None:
    """All nodes are unusable for 40 minutes, then healed."""
    add_job(told.system, "nightly-27", active=30)
    succeed(told.system, "nightly-27", *nodes(8))
    told.wait(2 * MINUTE)
    told.say("all nodes are unusable")
    set_nodes(told.system, nodes(8), "unusable")
    told.wait(12 * MINUTE)
    told.wait(28 * MINUTE, every=4 * MINUTE)
    told.say("they are healed")
    set_nodes(told.system, nodes(8), "idle")
    told.wait(8 * MINUTE)
    told.status()


def test_each_node_fails_and_is_removed(told: Story) -> None:
    """Autoscale removes each node six minutes after it came; on each next one preparation fails too."""
    add_job(told.system, "nightly-28", active=70)
    for node in nodes(12):
        told.say(f"{node} joins and fails")
        fail(told.system, "nightly-28", node, MISSING_INPUT)
        told.wait(6 * MINUTE, every=2 * MINUTE)
        drop_nodes(told.system, [node])
    told.status()


def test_good_node_is_taken_away(told: Story) -> None:
    """Preparation fails on three nodes, then succeeds on a fourth, which works until autoscale removes it."""
    add_job(told.system, "nightly-32", active=70)
    fail_all(told.system, "nightly-32", nodes(3), MISSING_INPUT)
    told.wait(2 * MINUTE)
    succeed(told.system, "nightly-32", "n04")
    told.system.world.set_tasks("nightly-32", active=60, running=1)
    told.wait(60 * MINUTE, every=4 * MINUTE)
    told.say("n04 is removed")
    told.system.world.set_tasks("nightly-32", active=61)
    drop_nodes(told.system, ["n04"])
    told.wait(12 * MINUTE)
    told.status()
    told.say("another node comes, and works")
    set_nodes(told.system, ["n05"], "idle")
    succeed(told.system, "nightly-32", "n05")
    told.wait(2 * MINUTE)
    told.status()


def test_dead_pool_without_preparation(told: Story) -> None:
    """A job without a preparation task waits for a pool of which no node can be reached."""
    job = add_job(told.system, "nightly-29", active=15)
    job.has_preparation = False
    set_nodes(told.system, nodes(4), "unusable")
    told.wait(12 * MINUTE)
    told.status()


def test_standstill_whose_tasks_are_deleted(told: Story) -> None:
    """Somebody deletes the tasks of a job that stands still."""
    add_job(told.system, "nightly-30", active=9)
    fail_all(told.system, "nightly-30", nodes(4), FAILURE)
    told.wait(8 * MINUTE)
    told.say("its tasks are deleted")
    told.system.world.set_tasks("nightly-30")
    told.wait(14 * MINUTE)
    told.status()


def test_tasks_come_to_a_job_that_stood_still(told: Story) -> None:
    """The tasks of a job that stands still are deleted, and hours later others are added: they wait in vain, too."""
    add_job(told.system, "nightly-33", active=9)
    fail_all(told.system, "nightly-33", nodes(4), FAILURE)
    told.wait(8 * MINUTE)
    told.say("its tasks are deleted")
    told.system.world.set_tasks("nightly-33")
    told.wait(3 * HOUR, every=4 * MINUTE)
    told.say("others are added")
    told.system.world.set_tasks("nightly-33", active=5)
    told.wait(12 * MINUTE)
    told.status()


def test_standstill_whose_nodes_work_for_others(told: Story) -> None:
    """The nodes are mended, prepare themselves for the job and are busy with another one."""
    add_job(told.system, "nightly-31", active=9)
    fail_all(told.system, "nightly-31", nodes(4), FAILURE)
    told.wait(8 * MINUTE)
    told.say("the nodes are replaced under their names; preparation succeeds, and another job takes their time")
    succeed(told.system, "nightly-31", *nodes(4))
    set_nodes(told.system, nodes(4), "running")
    told.wait(14 * MINUTE)
    told.status()
