"""The local stack hands the app the right settings, and remembers what must not change."""

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local.memory import Memory, recall
from local.run import welcome
from local.stack_settings import host_settings, problems, schedule
from shared.messages.format_table import FORMATS
from shared.settings.settings import load_settings

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MEMORY = Memory(
    batch_port=10001,
    receiver_port=10002,
    batch_key="a2V5",
    webhook_secret="whsec_bm90IGEgc2VjcmV0LCBhIGxvY2FsIHNhbXBsZQ==",
    story_start=NOW.isoformat(),
)


REAL = "https://real.westeurope.batch.azure.com"


def settings(*, interval_seconds: int | None = 5, **given: str) -> dict[str, str]:
    """Return the host's settings for a machine whose environment holds what is *given*."""
    return host_settings(
        MEMORY, given=given, storage="UseDevelopmentStorage=true", port=7071, interval_seconds=interval_seconds
    )


@pytest.mark.parametrize(
    ("interval_seconds", "expression"),
    [
        (1, "*/1 * * * * *"),
        (5, "*/5 * * * * *"),
        (30, "*/30 * * * * *"),
        (60, "0 */1 * * * *"),
        (900, "0 */15 * * * *"),
    ],
)
def test_an_interval_becomes_a_schedule(interval_seconds: int, expression: str) -> None:
    """Seconds that divide a minute, and minutes that divide an hour, have an NCRONTAB expression."""
    assert schedule(interval_seconds) == expression


@pytest.mark.parametrize("interval_seconds", [-5, 0, 7, 90, 420, 3600])
def test_an_uneven_interval_is_refused(interval_seconds: int) -> None:
    """An interval that NCRONTAB can't keep even is refused by its number."""
    with pytest.raises(ValueError, match=f"interval of {interval_seconds} s"):
        schedule(interval_seconds)


@pytest.mark.parametrize(
    ("interval_seconds", "budget"),
    [(1, "1"), (5, "3"), (60, "40"), (900, "40")],
)
def test_the_budget_fits_the_interval(interval_seconds: int, budget: str) -> None:
    """A cycle ends before the next begins."""
    assert settings(interval_seconds=interval_seconds)["POLL_BUDGET_SECONDS"] == budget


def test_the_simulator_is_watched_by_default() -> None:
    """Without accounts given, the host watches the simulator with its key, whatever key lies about."""
    host = settings(BATCH_ACCOUNT_KEY="another account's", TRACKED_JOBS="nightly-*")

    assert host["BATCH_ACCOUNT_URLS"] == "http://127.0.0.1:10001"
    assert (host["BATCH_ACCOUNT_NAME"], host["BATCH_ACCOUNT_KEY"]) == ("local", "a2V5")
    assert host["TRACKED_JOBS"] == "nightly-*"


def test_given_accounts_are_watched_instead() -> None:
    """Accounts of the environment are watched with what opens them, and with nothing of the simulator's."""
    host = settings(BATCH_ACCOUNT_URLS=REAL)

    assert host["BATCH_ACCOUNT_URLS"] == REAL
    assert "BATCH_ACCOUNT_KEY" not in host


@pytest.mark.parametrize("account", [{}, {"BATCH_ACCOUNT_URLS": REAL}], ids=["simulated", "real"])
@pytest.mark.parametrize(
    ("given", "used"),
    [
        pytest.param({"POLL_SCHEDULE": "0 */15 * * * *"}, {"POLL_BUDGET_SECONDS": "40"}, id="schedule"),
        pytest.param({"POLL_SCHEDULE": "*/9 * * * * *"}, {"POLL_BUDGET_SECONDS": "6"}, id="what-fits-the-schedule"),
        pytest.param({"STALE_AFTER_SECONDS": "900", "POLL_BUDGET_SECONDS": "7"}, {}, id="limits"),
        pytest.param({"WEBHOOK_URL": "https://a.example", "WEBHOOK_SECRET": "whsec_x"}, {}, id="webhook"),
        pytest.param({"WEBHOOKS": "[]"}, {}, id="webhooks"),
        pytest.param({"WEBHOOK_ALLOW_HTTP": "false", "PUBLIC_URL": "https://a.example"}, {}, id="others"),
        pytest.param({"STDERR_TAIL_BYTES": "0", "HEARTBEAT_URL": "https://b.example"}, {}, id="tails"),
        pytest.param(
            {"POLL_SCHEDULE": "", "WEBHOOK_URL": ""}, {"POLL_SCHEDULE": "*/5 * * * * *"}, id="empty-is-not-set"
        ),
    ],
)
def test_what_is_given_is_used(account: dict[str, str], given: dict[str, str], used: dict[str, str]) -> None:
    """What a person sets is used for the simulated account as for a real one; ours fill in what is left, and fit it."""
    host = settings(interval_seconds=None, **account, **given)

    assert {name: value for name, value in given.items() if value}.items() | used.items() <= host.items()


def test_an_address_of_ones_own_gets_no_secret_of_ours() -> None:
    """A webhook that is given by halves is completed by nobody: its other half is missing, and is said to be."""
    host = settings(BATCH_ACCOUNT_URLS=REAL, WEBHOOK_URL="https://a.example")

    assert "WEBHOOK_SECRET" not in host
    assert [problem.split(" ")[0] for problem in problems(host, Path())] == ["WEBHOOK_SECRET"]


def test_an_interval_of_the_command_line_comes_before_the_environment() -> None:
    """Who asks for an interval gets it, whatever schedule is set."""
    given = {"BATCH_ACCOUNT_URLS": REAL, "POLL_SCHEDULE": "0 0 * * * *"}

    assert settings(interval_seconds=10, **given)["POLL_SCHEDULE"] == "*/10 * * * * *"


def test_private_receivers_of_ones_own_may_be_reached_beside_ours() -> None:
    """Networks that a person allows are allowed beside this machine, where our receivers are."""
    host = settings(BATCH_ACCOUNT_URLS=REAL, WEBHOOK_ALLOWED_CIDRS="10.0.0.0/8")

    assert host["WEBHOOK_ALLOWED_CIDRS"] == "10.0.0.0/8,127.0.0.0/8"


@pytest.mark.parametrize("given", [{}, {"BATCH_ACCOUNT_URLS": REAL}], ids=["simulated", "real"])
def test_nothing_is_wrong_with_what_the_stack_sets(given: dict[str, str], tmp_path: Path) -> None:
    """The stack starts without any setting of a person's own."""
    assert problems(settings(interval_seconds=None, **given), tmp_path) == []


def test_problems_are_those_of_the_app(tmp_path: Path) -> None:
    """Wrong settings are found before anything starts, also those that local.settings.json adds."""
    (tmp_path / "local.settings.json").write_text('{"Values": {"RETENTION_DAYS": "1"}}', encoding="utf-8")
    host = settings(interval_seconds=None, BATCH_ACCOUNT_URLS="batch", POLL_SCHEDULE="often")

    found = [problem.split(" ")[0] for problem in problems(host, tmp_path)]
    assert found == ["BATCH_ACCOUNT_URLS", "POLL_SCHEDULE", "RETENTION_DAYS"]


def test_a_broken_settings_file_is_a_problem(tmp_path: Path) -> None:
    """A local.settings.json that is none is found before anything starts as well."""
    (tmp_path / "local.settings.json").write_text("{", encoding="utf-8")

    (problem,) = problems(settings(), tmp_path)
    assert "local.settings.json is not JSON" in problem


def test_a_webhook_of_each_format_is_there() -> None:
    """The app accepts what the stack sets: a webhook of each format, all of them on this machine."""
    webhooks = load_settings(settings()).webhooks

    assert {webhook.format for webhook in webhooks} == set(FORMATS)
    assert {urlsplit(webhook.url).hostname for webhook in webhooks} == {"127.0.0.1"}


def test_given_webhooks_take_the_place_of_ours() -> None:
    """Webhooks of the environment are told instead of the local ones, beside the signed one."""
    assert settings(WEBHOOKS="[]")["WEBHOOKS"] == "[]"


OWN_SLACK = '[{"name":"slack","format":"slack","url":"http://127.0.0.1:9000/slack"}]'
OURS = "recorded in .local/received.jsonl and received-*.jsonl"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({}, f"webhooks   {OURS}: default, teams, slack, pagerduty, eventgrid", id="ours"),
        pytest.param({"WEBHOOKS": OWN_SLACK}, f"webhooks   {OURS}: default", id="the-signed-one-stays-here"),
        pytest.param({"WEBHOOKS": OWN_SLACK}, "webhooks   sent to your own receivers: slack", id="ones-own"),
        pytest.param(
            {"TRACKED_JOBS": "trian-*"}, "jobs       only those that TRACKED_JOBS lets through: trian-*", id="jobs"
        ),
    ],
)
def test_the_console_says_where_messages_go_and_which_jobs_are_watched(given: dict[str, str], said: str) -> None:
    """Whoever has set receivers or jobs reads which are used; what is recorded here is named as that."""
    assert said in welcome(settings(interval_seconds=5, **given), Path(".local"), MEMORY.receiver_port)


def test_state_of_the_simulated_account_stays_on_this_machine() -> None:
    """A storage account that the environment names for other purposes is not written to."""
    host = settings(
        AzureWebJobsStorage="real", STATE_STORAGE="real", STATE_STORAGE__tableServiceUri="https://a.example"
    )

    assert host["AzureWebJobsStorage"] == "UseDevelopmentStorage=true"
    assert not [name for name in host if name.startswith("STATE_STORAGE")]


def test_ports_and_secrets_are_remembered(tmp_path: Path) -> None:
    """The second start uses what the first one chose, so that the account is the same account."""
    told: list[str] = []

    assert recall(tmp_path / "stack.json", told.append, NOW) == recall(tmp_path / "stack.json", told.append, NOW)
    assert told == []


@pytest.mark.parametrize(("pause", "same"), [(timedelta(hours=5), True), (timedelta(hours=7), False)])
def test_jobs_live_on_while_the_stack_stands_still(tmp_path: Path, pause: timedelta, same: bool) -> None:  # noqa: FBT001 - a column
    """The account's story goes on after a pause, unless it is so long that nobody remembers the story."""
    recall(tmp_path / "stack.json", lambda _line: None, NOW)

    later = recall(tmp_path / "stack.json", lambda _line: None, NOW + pause)

    assert (datetime.fromisoformat(later.story_start) == NOW) is same


def test_a_taken_port_is_replaced_aloud(tmp_path: Path) -> None:
    """A remembered port that another program took meanwhile is replaced, and a person is told."""
    told: list[str] = []
    first = recall(tmp_path / "stack.json", told.append, NOW)

    with socket.create_server(("127.0.0.1", first.batch_port)):
        second = recall(tmp_path / "stack.json", told.append, NOW)

    assert second.batch_port != first.batch_port
    assert second.receiver_port == first.receiver_port
    assert told == [
        f"port {first.batch_port} of the last start is taken by another program: using {second.batch_port} instead"
    ]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"port": 1}'])
def test_a_broken_memory_is_not_guessed(tmp_path: Path, text: str) -> None:
    """A file that is not what was written is refused by its name, with what to do."""
    file = tmp_path / "stack.json"
    file.write_text(text)

    with pytest.raises(ValueError, match=r"stack\.json can't be read .* delete it"):
        recall(file, lambda _line: None, NOW)
