"""The rules of docs/prometheus-rules.yaml, by promtool, over what the app's own metrics say in each trouble."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.errors import AccountDeniedError, ThrottledError
from shared.web.http import Request
from tests.stack.alerts.played import Happen, Period, beginning, play
from tests.stack.alerts.rules import ROOT
from tests.support.deployment import Deployment, a_job, a_node, a_run, deploy
from tests.support.fakes import FakeClock, refusal
from tests.support.needs import need

RULES = ROOT / "docs/prometheus-rules.yaml"
Samples = dict[str, list[str]]
"""By series the value of each minute, as promtool reads it; `_` for none."""


def _printed() -> list[dict[str, Any]]:
    """What docs/operate.md prints for Prometheus: how it is to scrape, in two ways, and where the rules are."""
    page = (ROOT / "docs/operate.md").read_text(encoding="utf-8")
    return [yaml.safe_load(block) for block in re.findall(r"(?ms)^```yaml\n(.*?)^```", page)]


def _rules() -> dict[str, Any]:
    rules: dict[str, Any] = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    return rules


def _fails(deployment: Deployment, minute: int) -> None:
    if minute == 5:
        deployment.batch.add(a_job(), a_node(preparation=a_run(failed=True, ended=deployment.clock.now)))


def _fails_and_is_mended(deployment: Deployment, minute: int) -> None:
    _fails(deployment, minute)
    if minute == 6:
        deployment.batch.add(a_job(), a_node(preparation=a_run(ended=deployment.clock.now)))


def _answered(status: int) -> Happen:
    def happen(deployment: Deployment, minute: int) -> None:
        deployment.sender.answer = refusal(status)
        _fails_and_is_mended(deployment, minute)

    return happen


def _release_fails(at: int, job: str = "job") -> Happen:
    def happen(deployment: Deployment, minute: int) -> None:
        now = deployment.clock.now
        if minute == at:
            ended = a_run(failed=True, ended=now)
            deployment.batch.add(a_job(job, state="terminating"), a_node(preparation=a_run(), release=ended))
        if minute == at + 10:
            done = a_job(job, state="completed")
            deployment.batch.jobs[done.id] = done

    return happen


def _two_releases_fail(deployment: Deployment, minute: int) -> None:
    """The first job is forgotten a day and 20 minutes later, while the second is still known."""
    _release_fails(20, "first")(deployment, minute)
    _release_fails(200, "second")(deployment, minute)


def _refuses(error: Exception) -> Happen:
    def happen(deployment: Deployment, minute: int) -> None:
        if minute == 5:
            deployment.batch.failures["list_jobs"] = error  # type: ignore[assignment]  # of Batch, both

    return happen


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What happens, or what the metrics say; the alerts that fire in its last so many minutes, one: at its end."""

    fires: set[str]
    happen: Happen = lambda _deployment, _minute: None
    period: Period = field(default_factory=lambda: Period(minutes=40))
    says: Mapping[str, Sequence[float]] = field(default_factory=dict)
    is_up: bool = True
    last: int = 1

    def samples(self) -> Samples:
        """What Prometheus scraped."""
        found: Samples = {}
        start = beginning(self.period)

        def scrape(deployment: Deployment, minute: int) -> None:
            text = deployment.app.routes.system.metrics(Request()).body.decode()
            for line in text.splitlines():
                if not line.startswith("#"):
                    series, _, value = line.rpartition(" ")
                    if "_timestamp_seconds" in series:  # promtool's time begins at 0
                        value = str(float(value) - start.timestamp())
                    values = found.setdefault(series, [])
                    values += ["_"] * (minute // self.period.every - len(values))
                    values.append(value)
            self.happen(deployment, minute)

        play(deploy(clock=FakeClock(start)), self.period, scrape)
        steps = self.period.minutes // self.period.every
        added = {series: [str(value) for value in values] for series, values in self.says.items()}
        return {**found, **added, 'up{job="prepwatch"}': [str(int(self.is_up))] * steps}


DENIED = AccountDeniedError("Forbidden", "No.", status=403)
STUCK, LATE = 'prepwatch_stuck_jobs{account="a"}', 'prepwatch_jobs_not_looked_at{account="a"}'
TROUBLES = {
    "all well": Trouble(fires=set(), last=40),
    "Batch refuses": Trouble(fires={"PrepwatchIsBlind"}, happen=_refuses(DENIED)),
    "Batch throttles": Trouble(
        fires={"PrepwatchIsBlind", "PrepwatchIsThrottled"},
        happen=_refuses(ThrottledError("TooManyRequests", "Wait.", status=429)),
    ),
    "preparation fails": Trouble(fires={"BatchPreparationFails"}, happen=_fails),
    "and is mended": Trouble(fires=set(), happen=_fails_and_is_mended),
    "a release fails": Trouble(fires={"BatchReleaseFails"}, happen=_release_fails(30)),
    "a release failed, and its job is forgotten": Trouble(
        fires=set(), happen=_two_releases_fail, period=Period(minutes=26 * 60, every=5), last=22 * 60
    ),
    "a webhook takes nothing": Trouble(fires={"PrepwatchIsNotHeard", "PrepwatchNewsWaits"}, happen=_answered(500)),
    "a receiver is gone": Trouble(fires={"PrepwatchIsNotHeard", "PrepwatchDeliveriesDie"}, happen=_answered(410)),
    "the app does not answer": Trouble(fires={"PrepwatchIsAway"}, is_up=False),
    "a job is stuck": Trouble(fires={"BatchJobIsStuck"}, says={STUCK: [1] * 40}),
    "too little time": Trouble(fires={"PrepwatchHasTooLittleTime"}, says={LATE: [7] * 40}),
}


def _promtool(*arguments: str) -> str:
    program = shutil.which("promtool")
    need(program is not None, "Prometheus' own promtool reads the documented rules: Debian's package prometheus has it")
    done = subprocess.run([str(program), *arguments], capture_output=True, text=True, check=False, timeout=120)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_the_rules_are_rules() -> None:
    """Prometheus takes them, under the name by which the page has it read them."""
    assert _promtool("check", "rules", str(RULES)) == ""
    assert {"rule_files": [RULES.name]} in _printed()


def test_each_rule_says_in_words_what_is_wrong() -> None:
    """Whoever is woken by it reads a sentence, which names what it is about where there may be several."""
    for rule in (rule for group in _rules()["groups"] for rule in group["rules"]):
        words = rule.get("annotations", {}).get("summary", "")
        assert len(words) > 20, rule["alert"]
        assert ("$labels." in words) == (rule["alert"] != "PrepwatchIsAway"), rule["alert"]


def test_both_ways_to_scrape_are_taken(tmp_path: Path) -> None:
    """Prometheus takes them; headers, which Debian's promtool does not know yet, have their documented form."""
    ways = [block for block in _printed() if "scrape_configs" in block]
    assert len(ways) == 2
    headers = [job.pop("http_headers", {}) for way in ways for job in way["scrape_configs"]]
    assert [sorted(one) for one in headers] == [["x-functions-key"], []]
    assert headers[0]["x-functions-key"].keys() == {"files"}
    for number, way in enumerate(ways):
        file = tmp_path / f"{number}.yml"
        file.write_text(yaml.safe_dump(way))
        assert _promtool("check", "config", "--syntax-only", str(file)) == ""


def test_each_rule_fires_when_it_should(tmp_path: Path) -> None:
    """At the end of each trouble exactly those alerts are firing that it is about."""
    need(shutil.which("promtool") is not None, "Prometheus' own promtool: Debian's package prometheus has it")
    file = tmp_path / "tests.yml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "tests": [_asked(*one) for one in TROUBLES.items()]}))
    assert _promtool("test", "rules", str(file)) == ""


def _asked(name: str, trouble: Trouble) -> dict[str, Any]:
    samples = [{"series": series, "values": " ".join(values)} for series, values in trouble.samples().items()]
    firing = [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in sorted(trouble.fires)]
    return {
        "name": name,
        "interval": f"{trouble.period.every}m",
        "input_series": samples,
        "promql_expr_test": [
            {
                "expr": f'max by (alertname) (max_over_time(ALERTS{{alertstate="firing"}}[{trouble.last}m]))',
                "eval_time": f"{trouble.period.minutes - trouble.period.every}m",
                "exp_samples": firing,
            }
        ],
    }


def test_every_rule_was_seen_to_fire() -> None:
    """No rule is there that no trouble makes fire."""
    named = {rule["alert"] for group in _rules()["groups"] for rule in group["rules"]}
    assert named == {alert for trouble in TROUBLES.values() for alert in trouble.fires}


@pytest.mark.parametrize("metric", sorted(set(re.findall(r"prepwatch_\w+", json.dumps(_rules())))))
def test_every_metric_of_a_rule_is_measured(metric: str) -> None:
    """A rule over a metric that is not there would be silent for ever."""
    deployment = deploy()
    _release_fails(0)(deployment, 0)
    deployment.sender.answer = refusal(410)
    deployment.poll()
    text = deployment.app.routes.system.metrics(Request()).body.decode()
    assert f"\n{metric}{{" in text
