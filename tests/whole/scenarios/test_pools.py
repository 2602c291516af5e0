"""What people receive of nodes that never become able: a line for a pool in trouble, and nothing of how pools live."""

from trials.simulation.scripts import add_job, drop_nodes, set_nodes, start_task_failed
from trials.simulation.story import HOUR, MINUTE, Story

START_FAILED = 100


def _pool(told: Story, job: str, size: int, *, dedicated: bool = True) -> list[str]:
    """A job works in a pool of so many nodes."""
    add_job(told.system, job, active=90)
    names = [f"n{number:03d}" for number in range(1, size + 1)]
    set_nodes(told.system, names, "running", dedicated=dedicated)
    told.system.world.set_tasks(job, active=50, running=min(size, 40))
    told.wait(2 * MINUTE)
    return names


def test_spot_pool_with_a_few_bad_nodes(told: Story) -> None:
    """The start task fails on one node of a hundred of a large Spot pool; such nodes are replaced within minutes."""
    names = _pool(told, "render-51", 250, dedicated=False)
    for hour in range(8):
        bad = [f"{name}-{hour}" for name in names[:2]]
        start_task_failed(told.system, bad, START_FAILED)
        told.wait(6 * MINUTE, every=3 * MINUTE)
        drop_nodes(told.system, bad)
        told.wait(HOUR - 6 * MINUTE, every=9 * MINUTE)
    told.status()


def test_one_of_eight_nodes_is_always_unusable(told: Story) -> None:
    """One of eight nodes is unusable, for days."""
    names = _pool(told, "nightly-52", 8)
    set_nodes(told.system, names[:1], "unusable")
    told.wait(20 * HOUR, every=12 * MINUTE)
    told.status()


def test_start_task_failed_on_some_nodes(told: Story) -> None:
    """The start task fails on 12 of 40 nodes; somebody mends it and reboots them."""
    names = _pool(told, "nightly-53", 40)
    start_task_failed(told.system, names[:12], START_FAILED)
    told.wait(31 * MINUTE, every=3 * MINUTE)
    told.status()
    told.say("the start task is mended, and the 12 nodes are rebooted")
    set_nodes(told.system, names[:12], "rebooting")
    told.wait(3 * MINUTE)
    set_nodes(told.system, names[:12], "idle")
    told.wait(15 * MINUTE, every=3 * MINUTE)
    told.status()


def test_nodes_fail_hour_by_hour(told: Story) -> None:
    """Of 250 nodes more fail each hour."""
    names = _pool(told, "nightly-54", 250)
    for hour in range(12):
        start_task_failed(told.system, names[hour * 10 : hour * 10 + 10], START_FAILED)
        told.wait(HOUR, every=15 * MINUTE)
    told.status()


def test_half_of_a_pool_waits_for_its_start_task(told: Story) -> None:
    """The start task hangs on half of a pool for two days."""
    names = _pool(told, "nightly-55", 20)
    set_nodes(told.system, names[:10], "waitingforstarttask")
    told.wait(2 * HOUR, every=5 * MINUTE)
    told.wait(46 * HOUR, every=30 * MINUTE)
    told.status()


def test_rolling_upgrade_of_the_image(told: Story) -> None:
    """A pool is upgraded in batches of ten nodes, each of which takes a quarter of an hour."""
    names = _pool(told, "nightly-56", 40)
    for start in range(0, 40, 10):
        batch = names[start : start + 10]
        set_nodes(told.system, batch, "upgradingos")
        told.wait(12 * MINUTE, every=3 * MINUTE)
        set_nodes(told.system, batch, "waitingforstarttask")
        told.wait(3 * MINUTE)
        set_nodes(told.system, batch, "idle")
    told.wait(6 * MINUTE, every=3 * MINUTE)
    told.status()


def test_spot_nodes_that_come_back(told: Story) -> None:
    """Spot nodes are preempted and come back under their ids, again and again."""
    names = _pool(told, "nightly-57", 20, dedicated=False)
    for _ in range(6):
        set_nodes(told.system, names[:15], "preempted")
        told.wait(12 * MINUTE, every=4 * MINUTE)
        set_nodes(told.system, names[:15], "starting")
        told.wait(4 * MINUTE)
        set_nodes(told.system, names[:15], "idle")
        told.wait(8 * MINUTE, every=4 * MINUTE)
    told.status()


def test_node_unusable_for_six_minutes(told: Story) -> None:
    """Nodes are unusable for six minutes, and heal."""
    names = _pool(told, "nightly-58", 8)
    set_nodes(told.system, names[:4], "unusable")
    told.wait(6 * MINUTE)
    set_nodes(told.system, names[:4], "idle")
    told.wait(10 * MINUTE)
    told.status()


def test_node_rebooted_every_ten_minutes(told: Story) -> None:
    """Somebody reboots a node every ten minutes, and its start task fails each time: that is one failure."""
    names = _pool(told, "nightly-59", 8)
    for _ in range(8):
        start_task_failed(told.system, names[:1], START_FAILED)
        told.wait(6 * MINUTE, every=3 * MINUTE)
        set_nodes(told.system, names[:1], "rebooting")
        told.wait(2 * MINUTE)
        set_nodes(told.system, names[:1], "waitingforstarttask")
        told.wait(2 * MINUTE)
    told.status()


def test_pool_deleted_with_everything(told: Story) -> None:
    """A pool in trouble is deleted, with its nodes and the job that used it."""
    names = _pool(told, "nightly-60", 40)
    start_task_failed(told.system, names[:12], START_FAILED)
    told.wait(6 * MINUTE, every=3 * MINUTE)
    told.say("pool and job are deleted")
    told.system.world.delete_job("nightly-60")
    drop_nodes(told.system, names)
    told.system.world.pools.delete("pool-1")
    told.wait(2 * HOUR, every=6 * MINUTE)
    told.status()
    told.wait(24 * HOUR, every=HOUR)
    told.status()


def test_team_of_other_jobs(told: Story) -> None:
    """Who asks for the nightly jobs only hears nothing of a pool that none of them uses."""
    names = _pool(told, "render-61", 40)
    start_task_failed(told.system, names[:12], START_FAILED)
    told.wait(31 * MINUTE, every=3 * MINUTE)
    told.status()


def test_muted_pool(told: Story) -> None:
    """The jobs of a pool are muted for an hour: chat and pager hear of it afterwards, if it still stands."""
    names = _pool(told, "nightly-62", 40)
    told.mute(["nightly-*"], told.system.now + HOUR)
    start_task_failed(told.system, names[:12], START_FAILED)
    told.wait(70 * MINUTE, every=5 * MINUTE)
    told.status()
