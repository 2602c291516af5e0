"""The queries of the Grafana dashboard and of the alert rules are valid, and ask for metrics that there are."""

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.api.openmetrics import MetricType
from shared.web.http import Request
from tests.support.deployment import a_job, a_node, a_run, deploy
from tests.support.needs import need

DOCS = Path(__file__).resolve().parents[1] / "docs"
DASHBOARD: dict[str, Any] = json.loads((DOCS / "grafana-dashboard.json").read_text(encoding="utf-8"))
PAGE = (DOCS / "operate.md").read_text(encoding="utf-8")


def _queries() -> Iterator[Any]:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield pytest.param(target["expr"].replace("$account", ".*"), id=panel["title"])
    for group in yaml.safe_load((DOCS / "prometheus-rules.yaml").read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            yield pytest.param(rule["expr"], id=rule["alert"])


def _parsed(query: str) -> str:
    need(
        importlib.util.find_spec("promql_parser") is not None,
        "promql-parser is missing: `python3 dev.py test` installs it",
    )
    return str(importlib.import_module("promql_parser").parse(query).prettify())


@pytest.fixture(scope="module")
def labels() -> dict[str, set[str]]:
    """The labels of each metric by the name of its samples, as an app answers that has told a failure."""
    deployment = deploy()
    deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True)))
    deployment.requests[deployment.app.routes.events.accounts[0]].add(200)
    deployment.poll()
    deployment.poll()
    found = {}
    for family in deployment.app.routes.system.metrics_source.run():
        name = f"{family.name}_total" if family.kind is MetricType.COUNTER else family.name
        found[name] = {label for sample in family.samples for label in sample.labels}
    assert deployment.app.routes.system.metrics(Request()).status == 200
    return found


@pytest.mark.parametrize("query", list(_queries()))
def test_a_query_is_valid_and_asks_for_what_there_is(query: str, labels: dict[str, set[str]]) -> None:
    """Prometheus' grammar takes it; each metric is one of the app's, and each label one of that metric's."""
    text = _parsed(query)
    asked = re.findall(r"\b(prepwatch_\w+)(?:{([^}]*)})?", text)
    named = {name for name, _ in asked}
    assert named or "up{" in text
    assert named <= labels.keys()
    for name, matchers in asked:
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) <= labels[name]
    for group in re.findall(r"\bby\s*\(([^)]*)\)", text):
        assert {label.strip() for label in group.split(",")} <= set.union(*(labels[name] for name in named))


def test_every_panel_can_be_understood() -> None:
    """Each panel says what it shows, asks the chosen data source, and has a place of its own."""
    places = [tuple(panel["gridPos"].values()) for panel in DASHBOARD["panels"]]
    assert len(places) == len(set(places))
    for panel in DASHBOARD["panels"]:
        assert panel["title"]
        assert panel["description"]
        assert panel["datasource"]["uid"] == "${datasource}"
