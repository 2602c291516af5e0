"""Every KQL query of the project, by Microsoft's own parser and against the app's own lines."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.stack.alerts.rules import ROOT, Rule, documented, wrong_with

_LINE = re.compile(r'"([a-z]+(?:[-_][a-z]+)*) \{')
_FIELD = re.compile(r"\bsaid\.(\w+)")


WRONG = (
    "AppTraces | where message == 'x'",
    "traces | count",
    "AppTraces | summarize cycles = count(), others = count()",
    "AppRequests | where Name = 'poll'",
)
"""A column in lower case, a classic table, a word of the language as a name, one sign of equality."""


def _before_the_first_row(query: str) -> str:
    """The same in a workspace that has neither table yet."""
    return re.sub(r"\bApp(Traces|Requests)\b", r"App\1NotYet", query)


@pytest.fixture(scope="module")
def wrong(rules: Mapping[str, Rule]) -> dict[str, list[str]]:
    """What Microsoft's parser finds wrong, by query; all are asked at once, because it takes two seconds to begin."""
    own = [rule.query for rule in rules.values()]
    queries = [*own, *map(_before_the_first_row, own), *documented().values(), *WRONG]
    return dict(zip(queries, wrong_with(queries), strict=True))


def test_the_rules_are_queries_of_the_workspace(rules: Mapping[str, Rule], wrong: Mapping[str, list[str]]) -> None:
    """Each parses, and every name in it is a table, a column or a function."""
    assert {name: said for name, rule in rules.items() if (said := wrong[rule.query])} == {}


def test_the_documented_queries_are_too(wrong: Mapping[str, list[str]]) -> None:
    """So do those of the documents, as they stand there."""
    queries = documented()
    assert len(queries) >= 5
    assert {name: said for name, query in queries.items() if (said := wrong[query])} == {}


def test_a_table_that_is_not_there_yet_is_no_rows(rules: Mapping[str, Rule], wrong: Mapping[str, list[str]]) -> None:
    """Of a workspace that has neither table no rule's query is an error: Azure would switch the rule off for good."""
    found = [said for rule in rules.values() for said in wrong[_before_the_first_row(rule.query)]]
    assert len(found) == len(rules)
    assert all(said.startswith("Warning KS205") for said in found)


@pytest.mark.parametrize("query", WRONG)
def test_the_parser_finds_what_is_wrong(query: str, wrong: Mapping[str, list[str]]) -> None:
    """What the workspace would refuse, or misread, is said."""
    assert wrong[query]


def test_every_line_that_a_query_names_is_written(rules: Mapping[str, Rule]) -> None:
    """The names of lines in queries, and the fields that are asked of them, are those that the app writes."""
    written = dict(_lines())
    for name, query in {**{rule.name: rule.query for rule in rules.values()}, **documented()}.items():
        lines = set(_LINE.findall(query))
        assert lines <= set(written), name
        fields = {field for line in lines for field in written[line]}
        assert set(_FIELD.findall(query)) <= fields, name


def test_what_is_counted_is_not_sampled() -> None:
    """Lines and runs are all kept, however many there are: the rules rest on single ones."""
    settings = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))["logging"]["applicationInsights"]
    excluded = settings["samplingSettings"]["excludedTypes"].split(";")
    assert {"Request", "Trace"} <= set(excluded)


def _lines() -> Iterator[tuple[str, set[str]]]:
    """The names of the lines that the app writes, each with the fields that it may have."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "shared").rglob("*.py"):
        for call in _calls(path):
            first = call.args[0] if call.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                found.setdefault(first.value, set()).update(keyword.arg or "" for keyword in call.keywords)
    return iter(found.items())


def _calls(path: Path) -> Iterator[ast.Call]:
    for found in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(found, ast.Call) and getattr(found.func, "id", "") in {"write_line", "write_defect"}:
            yield found
