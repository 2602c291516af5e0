"""The table of ratios: what each row says, what it must reach, and whether it did.

Owns targets and words. Does not own how the numbers are had (`scenarios`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Found = Mapping[str, Mapping[str, float]]

GB_SECOND_USD = 0.000026
EXECUTION_USD = 0.40 / 1_000_000
CYCLES_A_MONTH = 60 * 24 * 30
MEMORY_GB = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One measured row."""

    what: str
    target: str
    reached: str
    met: bool


def lines_of(found: Found) -> list[Line]:
    """Every row, in the order of the table; a scenario that failed leaves its rows out."""
    made = []
    for needs, make in _ROWS:
        if needs in found:
            made.extend(make(found[needs]))
    return made


def monthly_usd(seconds: float) -> float:
    """What a cycle that is billed so long costs in a month of one cycle a minute, at list prices."""
    billed = max(1.0, -(-seconds * 10 // 1) / 10)
    return CYCLES_A_MONTH * (billed * MEMORY_GB * GB_SECOND_USD + EXECUTION_USD)


def _at_most(what: str, value: float, limit: float, unit: str = "", detail: str = "") -> Line:
    reached = f"{value:.3g}{unit}{f' ({detail})' if detail else ''}"
    return Line(what=what, target=f"<= {limit:g}{unit}", reached=reached, met=value <= limit)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def _listing(n: Mapping[str, float]) -> list[Line]:
    unchanged = "unchanged cycle of one 10,000-node job"
    return [
        _at_most(
            f"{unchanged}: CPU / CPU of requests + json.loads over the same pages",
            n["unchanged"] / n["json"],
            0.9,
            detail=f"{_ms(n['unchanged'])} / {_ms(n['json'])}",
        ),
        Line(
            what=f"{unchanged}: chunk rows read, table writes",
            target="0, 2: its turn, how it went",
            reached=f"{n['chunk_reads']:.0f}, {n['writes']:.0f}",
            met=n["chunk_reads"] == 0 and n["writes"] <= 2,
        ),
        _at_most(
            f"{unchanged}: CPU / CPU of the azure-batch SDK iterating the same listing",
            n["beside_sdk"] / n["sdk"],
            0.06,
            detail=f"{_ms(n['beside_sdk'])} / {_ms(n['sdk'])}",
        ),
        _at_most(
            "cycle with 1 % of the nodes changed / unchanged, CPU",
            n["changed"] / n["beside_changed"],
            6,
            detail=f"{_ms(n['changed'])} / {_ms(n['beside_changed'])}",
        ),
        _at_most("first cycle of 10,000 nodes: transactions", n["first_transactions"], 25),
    ]


def _mass_failure(n: Mapping[str, float]) -> list[Line]:
    what = "10,000 nodes newly failed at once, two webhooks"
    return [
        _at_most(
            f"{what} / unchanged, CPU without the sending",
            n["failed"] / n["unchanged"],
            80,
            detail=f"{_ms(n['failed'])} / {_ms(n['unchanged'])}",
        ),
        _at_most(f"{what}: CPU without the sending", n["failed"], 3, " s"),
        Line(
            what=f"{what}: committed in one cycle",
            target="all",
            reached=f"all, in {n['transactions']:.0f} transactions"
            if n["left_for_later"] == 0
            else f"{n['left_for_later']:.0f} rows of nodes and events left for later",
            met=n["left_for_later"] == 0,
        ),
    ]


def _growth(n: Mapping[str, float]) -> list[Line]:
    small, large = n["small"] / 1000, n["large"] / 100_000
    detail = f"{large * 1e6:.1f} / {small * 1e6:.1f} us a node"
    return [_at_most("CPU per node at 100,000 / at 1,000 nodes, unchanged", large / small, 1.3, detail=detail)]


def _memory(n: Mapping[str, float]) -> list[Line]:
    what = "peak memory above idle, 100,000-node job"
    return [
        _at_most(f"{what}, unchanged", n["unchanged_megabytes"], 60, " MB"),
        _at_most(f"{what}, first sight", n["first_sight_megabytes"], 250, " MB"),
        _at_most(f"{what}, all of them released at once", n["released_megabytes"], 250, " MB"),
        _at_most(f"{what}, all of them failed at once", n["failed_megabytes"], 250, " MB"),
        _at_most(
            "100,000 nodes newly failed at once: CPU until the first commit / of the cycle",
            n["failed_first_commit"],
            0.1,
            detail=f"of {n['failed_seconds']:.0f} s",
        ),
    ]


def _many_jobs(n: Mapping[str, float]) -> list[Line]:
    what = "1,000 active jobs of 20 nodes, nothing changed"
    ratio = n["cycle"] / n["json"]
    return [
        Line(
            what=f"{what}: table reads, of them per job; Batch requests; table writes",
            target="constant, 0; 1,000, and a page each of jobs and node counts; 2",
            reached=f"{n['table_reads']:.0f}, {n['reads_per_job']:.0f}; {n['requests']:.0f}; {n['writes']:.0f}",
            met=n["table_reads"] <= 6 and not n["reads_per_job"] and n["requests"] == 1002 and n["writes"] <= 2,
        ),
        _at_most(
            f"{what}: CPU / (requests + json.loads of the same bodies)",
            ratio,
            2,
            detail=f"{_ms(n['cycle'])} / {_ms(n['json'])}",
        ),
        _at_most(
            "GET /api/summary with 1,000 jobs / the SDK's bare query of those rows, CPU",
            n["summary"] / n["query"],
            3,
            detail=f"{_ms(n['summary'])} / {_ms(n['query'])}",
        ),
        Line(
            what="GET /api/summary, unchanged, with If-None-Match",
            target="304",
            reached=f"{n['summary_again']:.0f}",
            met=n["summary_again"] == 304,
        ),
    ]


def _old_jobs(n: Mapping[str, float]) -> list[Line]:
    reached = f"{n['requests_beside']:.0f} requests, {n['rows_beside']:.0f} rows"
    target = f"{n['requests_alone']:.0f} requests, {n['rows_alone']:.0f} rows, as alone"
    what = "50,000 completed jobs beside 10 active ones: requests, rows read"
    return [Line(what=what, target=target, reached=reached, met=target.startswith(reached))]


def _throttling(n: Mapping[str, float]) -> list[Line]:
    what = "an hour of light throttling (simulated): 300 jobs, every 250th listing refused for a second"
    return [
        Line(
            what=f"{what}: jobs read a minute / due jobs, at least; events about it",
            target="1, 0",
            reached=f"{n['read']:.3g}, {n['events']:.0f} ({n['refused']:.0f} refusals)",
            met=n["read"] >= 1 and n["events"] == 0 and n["refused"] > 0,
        )
    ]


def _imports(n: Mapping[str, float]) -> list[Line]:
    what = "import of function_app / of azure.functions, requests, azure.identity, azure.data.tables, msgspec"
    detail = f"{_ms(n['app'])} / {_ms(n['libraries'])}, Python 3.{n['python_3']:.0f}, bytecode compiled before"
    return [_at_most(what, n["app"] / n["libraries"], 1.3, detail=detail)]


def _pools(n: Mapping[str, float]) -> list[Line]:
    what = "unchanged cycle of 300 jobs in 100 healthy pools"
    return [
        _at_most(
            f"{what} / in one pool, CPU",
            n["hundred"] / n["one"],
            1.1,
            detail=f"{_ms(n['hundred'])} / {_ms(n['one'])}",
        ),
        Line(
            what=f"{what}: table writes",
            target="2: its turn, how it went",
            reached=f"{n['writes']:.0f}",
            met=n["writes"] <= 2,
        ),
    ]


def _latency(n: Mapping[str, float]) -> list[Line]:
    rows = {"status change": "", "start task failure": "start_task_"}
    return [
        _at_most(
            f"{what} -> webhook received, local stack polling every 5 s, p99",
            n[f"{of}p99"],
            6,
            " s",
            f"of {n[f'{of}failures']:.0f} failures; median {n[f'{of}median']:.1f} s",
        )
        for what, of in rows.items()
    ]


def _cost(n: Mapping[str, float]) -> list[Line]:
    seconds = n["seconds_300"]
    what = "modelled cost: 300 active jobs of 100 nodes, every minute, Flex Consumption 512 MB, 50 ms a call"
    detail = f"{seconds:.1f} s a cycle"
    return [_at_most(what, monthly_usd(seconds), 5, " USD a month", detail)]


_ROWS: tuple[tuple[str, Callable[[Mapping[str, float]], list[Line]]], ...] = (
    ("listing", _listing),
    ("mass_failure", _mass_failure),
    ("growth", _growth),
    ("memory", _memory),
    ("many_jobs", _many_jobs),
    ("pools", _pools),
    ("old_jobs", _old_jobs),
    ("throttling", _throttling),
    ("imports", _imports),
    ("latency", _latency),
    ("cost", _cost),
)
