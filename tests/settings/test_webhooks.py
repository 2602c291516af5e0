"""How webhooks are configured."""

import base64
import os

import pytest

from shared.messages.pagerduty import URL as PAGERDUTY_URL
from shared.webhook import Webhook
from tests.support.webhook_settings import (
    CANARY,
    ENVIRONMENT,
    GRID,
    OTHER_SECRET,
    PAGER,
    SECRET,
    SIGNED,
    SLACK,
    accepted,
    read,
)


def test_no_webhook() -> None:
    """Without any of the settings there is no webhook and no problem."""
    assert accepted() == ()
    assert accepted(WEBHOOKS="[]", WEBHOOK_URL="", WEBHOOK_SECRET=" ") == ()


def test_one_webhook_without_json() -> None:
    """WEBHOOK_URL and WEBHOOK_SECRET make a signed webhook named default that wants everything."""
    (webhook,) = accepted(WEBHOOK_URL="https://a.example/x?y=%2F", WEBHOOK_SECRET=SECRET + "\n")
    assert webhook == Webhook(
        name="default",
        format="cloudevents",
        url="https://a.example/x?y=%2F",
        secrets=(b"n" * 24,),
        content_type="application/cloudevents+json",
    )


def test_every_member_of_a_webhook() -> None:
    """Every member of an object arrives, event patterns with or without the common prefix."""
    (webhook,) = accepted(
        {
            **SIGNED,
            "secrets": [SECRET, OTHER_SECRET],
            "events": ["prepwatch.preparation.*", "job.stuck"],
            "jobs": ["nightly-*"],
            "accounts": ["a.*"],
            "pools": ["gpu?"],
            "contentType": "application/json",
            "enabled": False,
        }
    )
    assert webhook == Webhook(
        name="ops",
        format="cloudevents",
        url="https://a.example/hook",
        secrets=(b"n" * 24, b"o" * 64),
        events=("preparation.*", "job.stuck"),
        jobs=("nightly-*",),
        accounts=("a.*",),
        pools=("gpu?",),
        content_type="application/json",
        enabled=False,
    )


def test_every_format_can_be_filtered_by_pool() -> None:
    """Chat and pager take a filter by pool as the others do."""
    assert [each.pools for each in accepted({**SLACK, "pools": ["gpu?"]}, {**PAGER, "pools": ["cpu"]})] == [
        ("gpu?",),
        ("cpu",),
    ]


def test_members_that_name_other_settings() -> None:
    """Addresses, secrets and keys may lie in app settings of their own."""
    webhooks = accepted(
        {
            "name": "a",
            "format": "cloudevents",
            "urlSetting": "HOOK_URL",
            "secretSettings": ["NEW_SECRET", "OLD_SECRET"],
        },
        PAGER,
        {"name": "c", "format": "eventgrid", "url": "https://grid.example", "keySetting": "GRID_KEY"},
        NEW_SECRET=SECRET,
        OLD_SECRET=OTHER_SECRET,
        GRID_KEY="abc=",
    )
    assert webhooks[0].url == "https://b.example/?sig=x%2F+"
    assert webhooks[0].secrets == (b"n" * 24, b"o" * 64)
    assert [webhook.key for webhook in webhooks] == [None, ENVIRONMENT["PAGER_KEY"], "abc="]


@pytest.mark.parametrize("path", ["", "/hook", "/hook/", "/?a=b", "/hook/?a=%2F&b=c%20d", "?a"])
def test_the_address_stays_as_it_is(path: str) -> None:
    """What follows the host is sent as it was written, for receivers may sign or compare it."""
    (webhook,) = accepted({**SLACK, "url": f"https://a.example{path}"})
    assert webhook.url == f"https://a.example{path}"


def test_what_the_formats_take_for_granted() -> None:
    """Chat needs an address only, PagerDuty a key only, and Event Grid at its own host not even that."""
    teams = {"name": "teams", "format": "teams", "url": "https://flow.example/x"}
    webhooks = accepted(SLACK, teams, PAGER, GRID)
    assert [webhook.url for webhook in webhooks] == [SLACK["url"], teams["url"], PAGERDUTY_URL, GRID["url"]]
    assert [webhook.content_type for webhook in webhooks] == [
        *["application/json"] * 3,
        "application/cloudevents-batch+json; charset=utf-8",
    ]
    assert webhooks[3].key is None


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://receiver.example/"])
def test_http_is_for_those_who_ask(url: str) -> None:
    """An http address is refused, even on this machine, unless WEBHOOK_ALLOW_HTTP is on."""
    assert len(accepted({**SIGNED, "url": url}, allow_http=True)) == 1
    webhooks, ((setting, text),) = read({**SIGNED, "url": url})
    assert (webhooks, setting) == ((), "WEBHOOKS[0].url")
    assert "is http" in text


def test_repr_shows_no_secret() -> None:
    """A webhook may be logged: neither its address nor secret nor key is in its repr."""
    secret = os.urandom(24)
    webhooks = accepted(
        {**SIGNED, "url": f"https://a.example/{CANARY}", "secrets": [base64.b64encode(secret).decode()]},
        PAGER,
        PAGER_KEY=CANARY,
    )
    assert CANARY not in repr(webhooks)
    assert repr(secret) not in repr(webhooks)
