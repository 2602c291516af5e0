"""The local stack hands the app the right settings, and remembers what must not change."""

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local.memory import Memory, recall
from local.run import host_settings, schedule
from shared.messages.formats import FORMATS
from shared.settings.settings import load_settings

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MEMORY = Memory(
    batch_port=10001,
    receiver_port=10002,
    batch_key="a2V5",
    webhook_secret="whsec_bm90IGEgc2VjcmV0LCBhIGxvY2FsIHNhbXBsZQ==",
    story_start=NOW.isoformat(),
)


def settings(*, interval_seconds: int = 5, **given: str) -> dict[str, str]:
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
    ("interval_seconds", "budget", "stale_after"),
    [(1, "1", "300"), (5, "3", "300"), (60, "40", "300"), (900, "40", "1840")],
)
def test_budget_and_staleness_fit_the_interval(interval_seconds: int, budget: str, stale_after: str) -> None:
    """A cycle ends before the next begins, and two missed ones are allowed before the app counts as stale."""
    host = settings(interval_seconds=interval_seconds)

    assert (host["POLL_BUDGET_SECONDS"], host["STALE_AFTER_SECONDS"]) == (budget, stale_after)


def test_the_simulator_is_watched_by_default() -> None:
    """Without accounts given, the host watches the simulator with its key, whatever key lies about."""
    host = settings(BATCH_ACCOUNT_KEY="another account's", TRACKED_JOBS="nightly-*")

    assert host["BATCH_ACCOUNT_URLS"] == "http://127.0.0.1:10001"
    assert (host["BATCH_ACCOUNT_NAME"], host["BATCH_ACCOUNT_KEY"]) == ("local", "a2V5")
    assert host["TRACKED_JOBS"] == "nightly-*"


def test_given_accounts_are_watched_instead() -> None:
    """Accounts of the environment are watched with what opens them, and with nothing of the simulator's."""
    host = settings(BATCH_ACCOUNT_URLS="https://real.westeurope.batch.azure.com")

    assert host["BATCH_ACCOUNT_URLS"] == "https://real.westeurope.batch.azure.com"
    assert "BATCH_ACCOUNT_KEY" not in host


def test_a_webhook_of_each_format_is_there() -> None:
    """The app accepts what the stack sets: a webhook of each format, all of them on this machine."""
    webhooks = load_settings(settings()).webhooks

    assert {webhook.format for webhook in webhooks} == set(FORMATS)
    assert {urlsplit(webhook.url).hostname for webhook in webhooks} == {"127.0.0.1"}


def test_given_webhooks_take_the_place_of_ours() -> None:
    """Webhooks of the environment are told instead of the local ones, beside the signed one."""
    assert settings(WEBHOOKS="[]")["WEBHOOKS"] == "[]"


def test_state_stays_on_this_machine() -> None:
    """A storage account that the environment names for other purposes is not written to."""
    assert settings(AzureWebJobsStorage="real")["AzureWebJobsStorage"] == "UseDevelopmentStorage=true"


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
