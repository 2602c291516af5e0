"""What Azure Monitor's rules and the documented queries are, and what they find.

Owns reading them, asking Microsoft's parser of them, and running them over rows. Does not own the rows (`played`) or
what is to be found (the tests).
"""

import importlib
import importlib.util
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from local.node import node
from tests.stack.infra.judge import Expanded
from tests.support.needs import need

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted((ROOT / "docs").glob("*.md"))
PARSER = ROOT / "node_modules/@kusto/language-service-next"
_TRACES = "(TimeGenerated: datetime, Message: string, SeverityLevel: int, Properties: dynamic, OperationName: string, "
_REQUESTS = "(TimeGenerated: datetime, Id: string, Name: string, Success: bool, ResultCode: string, DurationMs: real, "
_EXCEPTIONS = "(TimeGenerated: datetime, ProblemId: string, ExceptionType: string, OuterMessage: string, "
_ALL = "OperationId: string, ItemCount: int, AppRoleName: string, AppRoleInstance: string, _ResourceId: string)"
TABLES = {"AppTraces": _TRACES + _ALL, "AppRequests": _REQUESTS + _ALL, "AppExceptions": _EXCEPTIONS + _ALL}
"""Columns of the workspace's tables. Source: Azure Monitor's table reference, AppTraces, AppRequests, AppExceptions."""

_WINDOW = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule: what it asks, how far it looks back, when it fires, and for what apart (None: for all of it)."""

    name: str
    query: str
    window: timedelta
    every: timedelta
    operator: str
    threshold: int
    dimension: str | None
    resolves: bool
    quiet: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What the workspace holds: lines of the log, and runs of functions with whether they succeeded."""

    now: datetime
    lines: Sequence[tuple[datetime, str]]
    runs: Sequence[tuple[datetime, str, bool]]


def rules_of(made: Expanded) -> list[Rule]:
    """The rules that a deployment makes and switches on."""
    rules = made.of_type("Microsoft.Insights/scheduledQueryRules")
    return [_rule(resource) for resource in rules if resource["properties"]["enabled"] is True]


def _rule(resource: Mapping[str, Any]) -> Rule:
    said = resource["properties"]
    (asked,) = said["criteria"]["allOf"]
    names = [dimension["name"] for dimension in asked["dimensions"]]
    quiet = said.get("muteActionsDuration")
    assert (asked["timeAggregation"], len(names) < 2) == ("Count", True)
    return Rule(
        name=resource["name"],
        query=asked["query"],
        window=span(said["windowSize"]),
        every=span(said["evaluationFrequency"]),
        operator=asked["operator"],
        threshold=asked["threshold"],
        dimension=names[0] if names else None,
        resolves=said["autoMitigate"],
        quiet=span(quiet) if quiet else None,
    )


def span(text: str) -> timedelta:
    """An ISO 8601 duration of days, hours and minutes."""
    found = _WINDOW.fullmatch(text)
    assert found is not None, text
    days, hours, minutes = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes)


def documented() -> dict[str, str]:
    """The queries of the documents, by page and first line."""
    blocks = ((page.name, block) for page in PAGES for block in _blocks(page.read_text(encoding="utf-8")))
    return {f"{name}: {block.splitlines()[0]}": block for name, block in blocks}


def _blocks(page: str) -> list[str]:
    return re.findall(r"(?ms)^```kusto\n(.*?)^```", page)


def wrong_with(queries: Iterable[str]) -> list[list[str]]:
    """What Microsoft's parser finds wrong with each query; that a fuzzy union's table is not there is none of it."""
    need(PARSER.is_dir(), "KQL by Microsoft's parser: run `python3 dev.py test` once, it fetches it")
    asked = json.dumps({"tables": TABLES, "queries": list(queries)})
    command = [str(node()), str(Path(__file__).with_name("kusto_check.cjs"))]
    environment = {"NODE_PATH": str(ROOT / "node_modules")}
    done = subprocess.run(
        command, input=asked, capture_output=True, text=True, check=True, timeout=120, env=environment
    )
    said: list[list[str]] = json.loads(done.stdout)
    return said


class Workspace:
    """Rows in a database that answers KQL; `now()` in a query is the moment of asking."""

    def __init__(self) -> None:
        need(importlib.util.find_spec("duckdb_kql") is not None, "KQL over rows: run `python3 dev.py test` once")
        self._kql = importlib.import_module("duckdb_kql")
        self._database = self._kql.connect()
        self._database.execute("SET TimeZone = 'UTC'")
        for name, schema in TABLES.items():
            columns = (column.split(": ") for column in schema.strip("()").split(", "))
            kinds = ", ".join(f'"{column}" {_KINDS[kind]}' for column, kind in columns)
            self._database.execute(f"CREATE TABLE {name} ({kinds})")

    def hold(self, rows: Rows, since: datetime) -> None:
        """Hold what was written since then, and nothing else."""
        for name in TABLES:
            self._database.execute(f"DELETE FROM {name}")  # noqa: S608 - a name of ours
        lines = [[at, line] for at, line in rows.lines if at > since]
        runs = [list(run) for run in rows.runs if run[0] > since]
        for made, into in (
            (lines, "AppTraces (TimeGenerated, Message)"),
            (runs, "AppRequests (TimeGenerated, Name, Success)"),
        ):
            columns = [list(column) for column in zip(*made, strict=True)]
            if columns:  # a column at a time: row by row takes longer than all the queries
                asked = ", ".join(["unnest(?)"] * len(columns))
                self._database.execute(f"INSERT INTO {into} SELECT {asked}", columns)

    def ask(self, query: str) -> list[dict[str, Any]]:
        """The rows that a query finds."""
        found = self._kql.query(self._database, query)
        return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]

    def fires(self, rule: Rule, rows: Rows) -> set[str]:
        """For what a rule fires now: values of its dimension, "" for a rule without one; nothing when it is silent."""
        self.hold(rows, rows.now - rule.window)
        found = self.ask(rule.query)
        counts = Counter(str(row[rule.dimension]) if rule.dimension else "" for row in found)
        if rule.dimension is None:
            counts.setdefault("", 0)
        meets = {
            "GreaterThan": lambda number: number > rule.threshold,
            "LessThan": lambda number: number < rule.threshold,
        }
        return {value for value, number in counts.items() if meets[rule.operator](number)}


_KINDS = {
    "datetime": "TIMESTAMP",
    "string": "VARCHAR",
    "int": "INTEGER",
    "real": "DOUBLE",
    "bool": "BOOLEAN",
    "dynamic": "JSON",
}
