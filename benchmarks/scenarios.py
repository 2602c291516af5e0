"""`python -m benchmarks.scenarios NAME BATCH STORAGE [TABLE]`: measures one thing in a process of its own.

Owns what is run and what is noted of it; prints the numbers as one line of JSON. Does not own targets or words
(`rows`), nor the servers (`__main__`).
"""

import json
import logging
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

from benchmarks.pages import World
from benchmarks.stage import Measured, NoSending, Stage, cpu, peak_megabytes, side_by_side

Numbers = dict[str, float]

NODES = 10_000
MANY_NODES = 100_000
JOBS = 1000
SMALL_NODES = 20
OLD_JOBS = 50_000
_POOLS = {"one": 1, "hundred": 100}
MANY_CHANGED = {
    "": World(nodes=MANY_NODES),
    "failed": World(nodes=MANY_NODES, run_again=True, failing=1),
    "released": World(nodes=MANY_NODES, released=True),
}
LATENCY = timedelta(milliseconds=50)


def listing(stage: Stage) -> Numbers:
    """One job of 10,000 nodes: first sight, unchanged, changed, beside the plain ways to read it."""
    import requests

    from benchmarks.baselines import read_with_json, read_with_sdk

    stage.set_world(World(nodes=NODES))
    app = stage.app()
    first = counted(app)
    unchanged = counted(app)
    session = requests.Session()
    found = side_by_side(21, unchanged=app.cycle, json=lambda: read_with_json(stage, session, [0]))
    found |= side_by_side(21, beside_sdk=app.cycle, sdk=lambda: read_with_sdk(stage, 0))
    changed, beside = [], []
    for version in range(1, 8):
        stage.set_world(World(nodes=NODES, version=version))
        changed.append(cpu(app.cycle))
        beside.append(cpu(app.cycle))
    return {
        **found,
        "changed": statistics.median(changed),
        "beside_changed": statistics.median(beside),
        "first_transactions": first["transactions"],
        "chunk_reads": unchanged["get node"] + unchanged["query node"],
        "writes": unchanged["transactions"],
    }


def mass_failure(stage: Stage) -> Numbers:
    """10,000 nodes fail at once, with two webhooks whose deliveries are left alone."""
    failed: list[float] = []
    unchanged: list[float] = []
    transactions, left = 0, 0
    for _ in range(5):
        stage.set_world(World(nodes=NODES, failing=0))
        app = stage.app(lanes=NoSending, webhooks=2)
        app.cycle()
        unchanged.extend(cpu(app.cycle) for _ in range(5))
        stage.set_world(World(nodes=NODES, failing=1, run_again=True))
        app.table.reset()
        failed.append(cpu(app.cycle))
        transactions = app.table.counts["transactions"]
        # What is noted of the job's standstill, too, is another matter.
        later = counted(app)
        left = max(left, later["write node"] + later["write event"])
    return {
        "failed": statistics.median(failed),
        "unchanged": statistics.median(unchanged),
        "transactions": transactions,
        "left_for_later": left,
    }


def growth(stage: Stage) -> Numbers:
    """Unchanged cycles of a small job and of a very large one."""
    found: Numbers = {}
    for name, nodes in (("small", 1000), ("large", MANY_NODES)):
        stage.set_world(World(nodes=nodes))
        app = stage.app(lanes=NoSending)
        app.cycle()
        found |= side_by_side(7, **{name: app.cycle})
    return found


def memory(stage: Stage, table: str, change: str = "") -> Numbers:
    """The peak of one cycle over 100,000 nodes, above what the process held after a cycle over none.

    Also which share of the cycle's CPU had gone by at its first commit. `change` names what has become of the nodes
    since they were seen for the first time.
    """
    stage.set_world(World(active=0))
    stage.app().cycle()
    stage.set_world(MANY_CHANGED[change])
    app = stage.app(table=table, lanes=NoSending)
    idle, began = peak_megabytes(), time.process_time()
    app.cycle()
    whole = time.process_time() - began
    first = app.table.first_written or began
    return {"megabytes": peak_megabytes() - idle, "first_commit": (first - began) / whole, "seconds": whole}


def many_jobs(stage: Stage) -> Numbers:
    """1,000 jobs of 20 nodes, unchanged, and the summary of them."""
    import requests

    from benchmarks.baselines import query_heads, read_with_json
    from shared.web.http import Request

    stage.set_world(World(active=JOBS, nodes=SMALL_NODES))
    table = f"b{uuid4().hex}"
    app = stage.app(table=table)
    app.cycle()
    before = stage.counts()
    unchanged = counted(app)
    after = stage.counts()
    session = requests.Session()
    found = side_by_side(5, cycle=app.cycle, json=lambda: read_with_json(stage, session, range(JOBS)))
    request = Request(url="http://localhost/api/summary", query={}, route={}, headers={}, body=b"")
    routes, account = app.app.routes, next(iter(app.app.pollers))
    found |= side_by_side(9, summary=lambda: routes.summary(request), query=lambda: query_heads(stage, table, account))
    etag = routes.summary(request).headers["etag"]
    again = routes.summary(Request(url=request.url, query={}, route={}, headers={"if-none-match": etag}, body=b""))
    return {
        **found,
        "requests": sum(after.values()) - sum(before.values()),
        "table_reads": reads(unchanged),
        "reads_per_job": unchanged["get job"] + unchanged["get node"] + unchanged["query node"],
        "writes": unchanged["transactions"],
        "summary_again": again.status,
    }


def pools(stage: Stage) -> Numbers:
    """300 jobs of 20 nodes, unchanged, in 100 healthy pools, against the same in one."""
    worlds = {name: World(active=300, nodes=SMALL_NODES, pools=many, failing=0) for name, many in _POOLS.items()}
    apps: dict[str, Measured] = {}
    taken: dict[str, list[float]] = {name: [] for name in worlds}
    written = 0
    for turn in range(12):
        for name, world in worlds.items():
            stage.set_world(world)
            app = apps.setdefault(name, stage.app())
            if turn < 3:
                app.settle()
                continue
            app.table.reset()
            taken[name].append(cpu(app.cycle))
            written = max(written, app.table.counts["transactions"])
    return {name: statistics.median(seconds) for name, seconds in taken.items()} | {"writes": written}


def old_jobs(stage: Stage) -> Numbers:
    """50,000 completed jobs beside 10 active ones, against the 10 alone."""
    found: Numbers = {}
    for name, completed in (("alone", 0), ("beside", OLD_JOBS)):
        stage.set_world(World(active=10, nodes=SMALL_NODES, completed=completed))
        app = stage.app()
        app.cycle()
        before = sum(stage.counts().values())
        unchanged = counted(app)
        found[f"requests_{name}"] = sum(stage.counts().values()) - before
        found[f"rows_{name}"] = sum(number for what, number in unchanged.items() if what.startswith(("rows", "get")))
    return found


def cost(stage: Stage) -> Numbers:
    """Wall seconds of unchanged cycles of several sizes, each call to Batch or the table taking 50 ms longer."""
    found: Numbers = {}
    for jobs, nodes in ((10, 100), (300, 100), (1000, 100)):
        world = World(active=jobs, nodes=nodes, delay_ms=round(LATENCY / timedelta(milliseconds=1)))
        stage.set_world(world)
        app = stage.app(delay=LATENCY)
        app.settle()
        app.cycle()
        taken = []
        for _ in range(3):
            began = time.perf_counter()
            app.cycle()
            taken.append(time.perf_counter() - began)
        before = sum(stage.counts().values())
        unchanged = counted(app)
        found |= {
            f"seconds_{jobs}": statistics.median(taken),
            f"requests_{jobs}": sum(stage.counts().values()) - before,
            f"table_reads_{jobs}": reads(unchanged),
            f"table_writes_{jobs}": unchanged["transactions"],
        }
    return found


def counted(app: Measured) -> Counter[str]:
    """What the table was asked for in one cycle."""
    app.table.reset()
    app.cycle()
    return app.table.counts.copy()


def reads(counts: Counter[str]) -> int:
    """How many of these were requests that read."""
    return sum(number for what, number in counts.items() if what.startswith(("get", "query")))


SCENARIOS: dict[str, Callable[..., Numbers]] = {
    scenario.__name__: scenario
    for scenario in (listing, mass_failure, growth, memory, many_jobs, pools, old_jobs, cost)
}


def main() -> None:
    """Run the scenario that the command line names."""
    logging.disable()
    name, batch, storage, *rest = sys.argv[1:]
    print(json.dumps(SCENARIOS[name](Stage(batch=batch, storage=storage), *rest)))


if __name__ == "__main__":
    main()
