"""Azure Monitor's rules over the lines that the app writes in each trouble: they fire then, and else are silent."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from shared.errors import AccountDeniedError, BatchError, StoreUnavailableError, ThrottledError
from shared.ports import Put, Row
from shared.state.rows import OWN
from shared.webhook import WebhookRequest
from tests.stack.alerts.conftest import RulesFor
from tests.stack.alerts.played import Happen, Period, beginning, play
from tests.stack.alerts.rules import Rows, Rule, Workspace
from tests.support.deployment import ACCOUNT, OTHER_ACCOUNT, Deployment, a_job, a_node, a_run, deploy
from tests.support.fake_table import FakeTable
from tests.support.fakes import FakeClock, refusal
from tests.support.webhook_settings import PAGER, SIGNED, SLACK

TEAMS = {"name": "team", "format": "teams", "url": "https://x.logic.azure.com/workflows/1"}
OTHER = {**SIGNED, "name": "other", "url": "https://b.example/other"}
POISON = "Message has reached MaxDequeueCount of 5. Moving message to queue 'prepwatch-deliveries-poison'."
LATE = {"name": "late", "format": "slack", "urlSetting": "LATE_URL"}
TAKEN = {"logic.azure": refusal(202), "slack": refusal(200, b"ok"), "pagerduty": refusal(202)}

DENIED = AccountDeniedError("Forbidden", "No.", status=403)

_NUMBERS = count()


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    """One database for all."""
    return Workspace()


def _fails_now(deployment: Deployment, minute: int) -> None:
    """A job fails every ten minutes."""
    if minute % 10 == 0:
        run = a_run(failed=True, ended=deployment.clock.now)
        deployment.batch.add(a_job(f"job-{next(_NUMBERS)}", created=deployment.clock.now), a_node(preparation=run))


def _refuses(error: BatchError, account: str = ACCOUNT, since: int = 5) -> Happen:
    def happen(deployment: Deployment, minute: int) -> None:
        if minute >= since:
            deployment.batches[account].failures["list_jobs"] = error

    return happen


def _answers(status: int, *, at: str = "", since: int = 0) -> Happen:
    """Jobs fail, and from that minute on the receivers at such an address answer so."""

    def happen(deployment: Deployment, minute: int) -> None:
        def answer(request: WebhookRequest) -> None:
            taken = next((taken for service, taken in TAKEN.items() if service in request.url), refusal(204))
            deployment.sender.answer = refusal(status) if at in request.url and minute >= since else taken

        deployment.sender.during = answer
        _fails_now(deployment, minute)

    return happen


class _Away(FakeTable):
    """A table that is away."""

    def get(self, partition: str, key: str) -> Row | None:
        raise StoreUnavailableError("away")

    def query(self, partition: str, start: str, end: str) -> Iterator[Row]:
        raise StoreUnavailableError("away")


class _Hiccups(FakeTable):
    """A table that gives no answer about a webhook now and then."""

    asked = 0

    def get(self, partition: str, key: str) -> Row | None:
        self.asked += key == "digest|chat"
        if key == "digest|chat" and self.asked % 10 == 0:
            raise StoreUnavailableError("busy")
        return super().get(partition, key)


def _row_breaks(partition: str, key: str) -> Happen:
    """Jobs fail, and after a while a row is of a newer version."""

    def happen(deployment: Deployment, minute: int) -> None:
        _answers(500, at="nobody.example")(deployment, minute)
        if minute == 20:
            deployment.table.transact(partition, [Put(key=key, columns={"v": 99})])

    return happen


def _switched_off(deployment: Deployment, minute: int) -> None:
    _answers(500)(deployment, minute)
    if minute == 20:
        deployment.ask(lambda routes, asked: routes.webhooks.disable_webhook(asked), name="ops")


def _breaks(deployment: Deployment, minute: int) -> None:
    _fails_now(deployment, minute)

    def defect(_job: str) -> None:
        raise ZeroDivisionError

    deployment.batch.before_page = defect


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A trouble, and for what each rule is to fire at its end; the others are to be silent."""

    fires: Mapping[str, set[str]]
    happen: Happen = _fails_now
    webhooks: tuple[Mapping[str, object], ...] = (SIGNED,)
    accounts: int = 1
    table: type[FakeTable] = FakeTable
    period: Period = field(default_factory=Period)
    schedule: str = "0 * * * * *"
    said: str | None = None

    def rows(self) -> Rows:
        """What Azure Monitor holds at its end."""
        deployment = deploy(
            *self.webhooks,
            accounts=self.accounts,
            table=self.table(),
            clock=FakeClock(beginning(self.period)),
            POLL_SCHEDULE=self.schedule,
            LATE_URL="@Microsoft.KeyVault(SecretUri=https://kv.vault.azure.net/secrets/x)",
        )
        played = play(deployment, self.period, self.happen)
        host = [(played.now - timedelta(minutes=10), self.said)] if self.said else []
        return Rows(now=played.now, lines=[*played.lines, *host], runs=played.runs)


FIVE_MINUTES = Period(minutes=120, every=5)
TROUBLES = {
    "all well": Trouble(fires={}),
    "all well, polled each five minutes": Trouble(fires={}, period=FIVE_MINUTES, schedule="0 */5 * * * *"),
    "all well, several accounts": Trouble(fires={}, accounts=2),
    "an hour's outage is over": Trouble(
        fires={}, happen=lambda deployment, minute: _answers(503 if minute < 20 else 204)(deployment, minute)
    ),
    "Batch refuses the account": Trouble(fires={"prepwatch-is-blind": {ACCOUNT}}, happen=_refuses(DENIED)),
    "Batch throttles": Trouble(
        fires={"prepwatch-is-blind": {ACCOUNT}}, happen=_refuses(ThrottledError("TooManyRequests", "Wait.", status=429))
    ),
    "Batch does not answer": Trouble(
        fires={"prepwatch-is-blind": {ACCOUNT}}, happen=_refuses(BatchError("NoAnswer", "Timeout.", status=None))
    ),
    "the role on a new account takes ten minutes to arrive": Trouble(
        fires={}, happen=_refuses(DENIED, since=0), period=Period(minutes=12)
    ),
    "the role on a new account never arrives": Trouble(
        fires={"prepwatch-is-blind": {ACCOUNT}}, happen=_refuses(DENIED, since=0), period=Period(minutes=20)
    ),
    "Batch refuses one of two accounts": Trouble(
        fires={"prepwatch-is-blind": {OTHER_ACCOUNT}}, happen=_refuses(DENIED, OTHER_ACCOUNT), accounts=2
    ),
    "nothing runs": Trouble(
        fires={"prepwatch-has-not-run": {""}}, period=Period(asleep=frozenset({"poll", "poll_account", "deliver"}))
    ),
    "nobody takes the second queue": Trouble(fires={}, accounts=2, period=Period(asleep=frozenset({"poll_account"}))),
    "the table is away": Trouble(
        fires={
            "prepwatch-has-not-run": {""},
            "prepwatch-function-fails": {"poll"},
            "prepwatch-purge-fails": {""},
        },
        table=_Away,
    ),
    "a webhook takes nothing": Trouble(
        fires={"prepwatch-is-not-heard": {"ops"}}, happen=_answers(500, at="a.example"), webhooks=(SIGNED, TEAMS)
    ),
    "a flow was deleted": Trouble(fires={"prepwatch-is-not-heard": {"team"}}, happen=_answers(404), webhooks=(TEAMS,)),
    "nothing is to be told, and the table is busy now and then": Trouble(
        fires={}, happen=lambda _deployment, _minute: None, webhooks=(SLACK, OTHER), table=_Hiccups
    ),
    "a webhook's row can't be read": Trouble(
        fires={"prepwatch-is-not-heard": {"ops"}}, happen=_row_breaks(OWN, "webhook|ops"), webhooks=(SIGNED, OTHER)
    ),
    "what chat was told can't be read": Trouble(
        fires={"prepwatch-is-not-heard": {"chat"}}, happen=_row_breaks(ACCOUNT, "digest|chat"), webhooks=(SLACK, OTHER)
    ),
    "a webhook waits for its secret, and nothing fails": Trouble(
        fires={"prepwatch-is-not-heard": {"late"}},
        happen=lambda _deployment, _minute: None,
        webhooks=(LATE, OTHER),
    ),
    "an address was revoked": Trouble(
        fires={"prepwatch-gave-up": {"chat"}}, happen=_answers(404, since=40), webhooks=(SLACK,)
    ),
    "a receiver is gone": Trouble(fires={"prepwatch-gave-up": {"ops"}}, happen=_answers(410)),
    "a pager's key is wrong": Trouble(
        fires={"prepwatch-gave-up": {"pager"}, "prepwatch-is-not-heard": {"pager"}},
        happen=_answers(400),
        webhooks=(PAGER,),
    ),
    "a person switched a webhook off": Trouble(fires={}, happen=_switched_off),
    "a message is poison": Trouble(fires={"prepwatch-nudge-is-poison": {""}}, said=POISON),
    "a defect": Trouble(fires={"prepwatch-has-a-defect": {""}}, happen=_breaks),
}


@pytest.mark.defects
@pytest.mark.parametrize("name", TROUBLES)
def test_each_rule_sees_its_trouble_and_no_other(name: str, rules: Mapping[str, Rule], workspace: Workspace) -> None:
    """At the end of an hour of it a rule fires for the account, webhook or function concerned; the others do not."""
    trouble = TROUBLES[name]
    rows = trouble.rows()
    fired = {rule.name: found for rule in rules.values() if (found := workspace.fires(rule, rows))}
    assert fired == dict(trouble.fires)


def test_every_rule_was_seen_to_fire(rules: Mapping[str, Rule]) -> None:
    """No rule is there that no trouble makes fire."""
    assert set(rules) == {name for trouble in TROUBLES.values() for name in trouble.fires}


@pytest.mark.parametrize(
    ("schedule", "window"),
    [
        pytest.param("0 * * * * *", timedelta(minutes=30), id="each minute"),
        pytest.param("0 */5 * * * *", timedelta(minutes=30), id="each five minutes"),
        pytest.param("0 */15 * * * *", timedelta(minutes=45), id="each quarter"),
        pytest.param("0  */20  * * * *", timedelta(hours=1), id="thrice an hour"),
        pytest.param("0 0,30 * * * *", timedelta(hours=2), id="at two minutes of an hour"),
        pytest.param("0 0 * * * *", timedelta(hours=3), id="hourly"),
        pytest.param("0 0 */2 * * *", timedelta(hours=6), id="each two hours"),
        pytest.param("0 0 */12 * * *", timedelta(days=2), id="twice a day"),
        pytest.param("0 0 0,12 * * *", timedelta(days=2), id="at two hours of a day"),
        pytest.param("0 */5 8-17 * * *", timedelta(days=2), id="by day"),
        pytest.param("0 */5 * * * 0-6", timedelta(minutes=30), id="on all weekdays"),
        pytest.param("0 */5 * */1 * SUN-SAT", timedelta(minutes=30), id="on every day in other words"),
        pytest.param("0 */5 * 1-31 * *", timedelta(minutes=30), id="on all days of a month"),
        pytest.param("0 0 0,16 * * *", timedelta(days=2), id="just often enough"),
        pytest.param("0 0 0,17 * * *", None, id="not often enough"),
        pytest.param("0 0 6 * * *", None, id="daily"),
        pytest.param("0 */5 * * * MON-FRI", None, id="on workdays"),
    ],
)
def test_windows_follow_the_schedule(schedule: str, window: timedelta | None, rules_for: RulesFor) -> None:
    """Rules about what happens with each poll look back three polls or more; what polls too rarely has none of them."""
    found = rules_for(schedule)
    following = {rule.window for rule in found.values() if rule.resolves}
    assert following == ({window} if window else set())
    assert all(rule.every <= rule.window for rule in found.values())


def test_what_does_not_mend_itself_never_says_resolved(rules: Mapping[str, Rule]) -> None:
    """It is told once, and again when it has been quiet for hours; what mends itself says so."""
    resolving = {name for name, rule in rules.items() if rule.resolves}
    assert resolving == {
        *("prepwatch-has-not-run", "prepwatch-is-blind", "prepwatch-is-not-heard", "prepwatch-function-fails"),
    }
    assert all((rule.quiet is None) == rule.resolves for rule in rules.values())


def test_a_healthy_app_is_silent_however_late_its_lines_arrive(rules: Mapping[str, Rule], workspace: Workspace) -> None:
    """With lines that become visible five minutes late, as Azure Monitor's may."""
    rows = Trouble(fires={}).rows()
    late: Any = rows.now - timedelta(minutes=5)
    seen = Rows(
        now=rows.now,
        lines=[line for line in rows.lines if line[0] <= late],
        runs=[run for run in rows.runs if run[0] <= late],
    )
    assert {rule.name for rule in rules.values() if workspace.fires(rule, seen)} == set()


def test_hourly_polling_is_no_false_alarm(rules: Mapping[str, Rule], rules_for: RulesFor, workspace: Workspace) -> None:
    """Just before the next poll of twelve nothing fires, where the rules of an app that polls each minute would."""
    rows = Trouble(fires={}, period=Period(minutes=12 * 60, every=60), schedule="0 0 * * * *").rows()
    hourly = rules_for("0 0 * * * *")
    assert {name for name, rule in hourly.items() if workspace.fires(rule, rows)} == set()
    assert {name for name, rule in rules.items() if workspace.fires(rule, rows)} == {"prepwatch-has-not-run"}


def test_an_account_that_was_taken_away_is_no_false_alarm(rules: Mapping[str, Rule], workspace: Workspace) -> None:
    """The last lines of an account that is no longer watched, read up to a moment before, tell of no blindness."""
    rows = Trouble(fires={}).rows()
    ended, read = (rows.now - timedelta(minutes=minutes) for minutes in (28, 31))
    last = f'cycle {{"account":"{OTHER_ACCOUNT}","good":true,"readUpTo":"{read.isoformat()}"}}'
    after = Rows(now=rows.now, lines=[*rows.lines, (ended, last)], runs=rows.runs)
    assert {rule.name for rule in rules.values() if workspace.fires(rule, after)} == set()
