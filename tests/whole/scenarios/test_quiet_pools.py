"""What nobody receives a word of: tasks wait, and that is how Batch works."""

from datetime import timedelta

from trials.simulation.scripts import FAILURE, add_job, begin, drop_nodes, fail, set_nodes, succeed
from trials.simulation.story import HOUR, MINUTE, Story, nodes

TIMED_OUT = {"code": "AllocationTimedout", "message": "Desired number of nodes could not be allocated."}


def test_old_resize_error_of_a_parked_pool(told: Story) -> None:
    """A pool parked at no node shows a resize error that is four days old."""
    add_job(told.system, "nightly-40", active=9)
    four_days_ago = told.system.now - timedelta(days=4)
    told.system.world.pools.resize("pool-1", at=four_days_ago, dedicated=0, errors=(TIMED_OUT,))
    told.wait(2 * HOUR, every=4 * MINUTE)
    told.status()


def test_autoscale_from_none(told: Story) -> None:
    """Autoscale begins at no node, and nodes need 18 minutes to come."""
    add_job(told.system, "nightly-41", active=9)
    told.wait(5 * MINUTE)
    told.system.world.pools.resize("pool-1", at=told.system.now, dedicated=20, allocation_state="resizing")
    told.wait(5 * MINUTE)
    told.system.world.pools.resize("pool-1", at=told.system.now, dedicated=20)
    set_nodes(told.system, nodes(20), "starting")
    told.wait(13 * MINUTE)
    set_nodes(told.system, nodes(20), "idle")
    told.wait(10 * MINUTE)
    told.status()


def test_pool_works_for_a_job_of_higher_priority(told: Story) -> None:
    """All nodes are busy with another job."""
    add_job(told.system, "nightly-42", active=9)
    succeed(told.system, "nightly-42", *nodes(10))
    set_nodes(told.system, nodes(10), "running")
    told.wait(2 * HOUR, every=4 * MINUTE)
    told.status()


def test_dependencies_that_never_end(told: Story) -> None:
    """Tasks wait for others that never end, while the nodes are idle."""
    add_job(told.system, "nightly-43", active=9)
    succeed(told.system, "nightly-43", *nodes(10))
    told.wait(2 * HOUR, every=4 * MINUTE)
    told.status()


def test_pool_deallocated_for_the_night(told: Story) -> None:
    """Somebody deallocates half of a pool for the night, and takes the other half out of use."""
    add_job(told.system, "nightly-44", active=9)
    succeed(told.system, "nightly-44", *nodes(10))
    told.wait(2 * MINUTE)
    set_nodes(told.system, nodes(5), "deallocated")
    set_nodes(told.system, nodes(10)[5:], "offline")
    told.wait(2 * HOUR, every=4 * MINUTE)
    told.status()


def test_spot_nodes_evicted_all_night(told: Story) -> None:
    """All Spot nodes of a pool are preempted, and Azure has no others."""
    add_job(told.system, "nightly-45", active=9)
    succeed(told.system, "nightly-45", *nodes(10))
    told.wait(2 * MINUTE)
    set_nodes(told.system, nodes(10), "preempted", dedicated=False)
    told.wait(2 * HOUR, every=4 * MINUTE)
    told.status()


def test_first_of_many_nodes_fails(told: Story) -> None:
    """The first of 40 nodes fails while the others are being allocated: that is told, and no standstill."""
    add_job(told.system, "nightly-46", active=90)
    told.system.world.pools.resize("pool-1", at=told.system.now, dedicated=40, allocation_state="resizing")
    fail(told.system, "nightly-46", "n01", FAILURE)
    told.wait(12 * MINUTE)
    told.system.world.pools.resize("pool-1", at=told.system.now, dedicated=40)
    succeed(told.system, "nightly-46", *nodes(40)[1:])
    told.system.world.set_tasks("nightly-46", active=50, running=39)
    told.wait(8 * MINUTE)
    told.status()


def test_warm_and_cold_nodes(told: Story) -> None:
    """40 warm nodes prepare themselves in 20 seconds, 20 cold ones pull an image for 25 minutes."""
    add_job(told.system, "nightly-47", active=90)
    succeed(told.system, "nightly-47", *nodes(40))
    begin(told.system, "nightly-47", *nodes(60)[40:])
    told.system.world.set_tasks("nightly-47", active=50, running=40)
    told.wait(25 * MINUTE)
    succeed(told.system, "nightly-47", *nodes(60)[40:])
    told.wait(4 * MINUTE)
    told.status()


def test_spot_nodes_preempted_while_preparing(told: Story) -> None:
    """Spot nodes are preempted while they prepare themselves, listed as before, and others take their ids."""
    add_job(told.system, "nightly-48", active=90)
    begin(told.system, "nightly-48", *nodes(10))
    told.wait(6 * MINUTE)
    drop_nodes(told.system, nodes(10))
    told.wait(10 * MINUTE)
    set_nodes(told.system, nodes(10), "running", booted=told.system.now)
    told.system.world.set_tasks("nightly-48", active=80, running=10)
    told.wait(2 * HOUR, every=4 * MINUTE)
    told.status()
