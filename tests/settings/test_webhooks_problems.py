"""What is said about webhooks that are configured wrongly."""

import pytest

from tests.support.webhook_settings import (
    CANARY,
    GRID,
    PAGER,
    SECRET,
    SIGNED,
    SLACK,
    accepted,
    read,
    without,
)


def test_no_token_over_http() -> None:
    """Event Grid's own host does without a key only over https, for the token would be readable on the way."""
    url = str(GRID["url"]).replace("https", "http")
    _, ((setting, _),) = read({**GRID, "url": url}, allow_http=True)
    assert setting == "WEBHOOKS[0].keySetting"


@pytest.mark.parametrize(
    ("members", "setting", "wrong"),
    [
        pytest.param({**SIGNED, "nmae": 1}, "WEBHOOKS[0].nmae", "unknown", id="unknown member"),
        pytest.param({**SIGNED, f"{CANARY}=": 1}, "WEBHOOKS[0].(", "unknown", id="unknown member not shown"),
        pytest.param(without(SIGNED, "name"), "WEBHOOKS[0].name", "missing", id="no name"),
        pytest.param({**SIGNED, "name": CANARY.upper()}, "WEBHOOKS[0].name", "unusable", id="name"),
        pytest.param({**SIGNED, "name": "a" * 41}, "WEBHOOKS[0].name", "unusable", id="long name"),
        pytest.param({**SIGNED, "name": 7}, "WEBHOOKS[0].name", "unusable", id="name is a number"),
        pytest.param({**SIGNED, "format": CANARY}, "WEBHOOKS[0].format", "unknown", id="format"),
        pytest.param({**SIGNED, "format": ["slack"]}, "WEBHOOKS[0].format", "unknown", id="format is a list"),
        pytest.param(without(SLACK, "url"), "WEBHOOKS[0]", "either url or urlSetting", id="no address"),
        pytest.param({**SLACK, "urlSetting": "HOOK_URL"}, "WEBHOOKS[0]", "either url or", id="two addresses"),
        pytest.param({**SLACK, "url": 7}, "WEBHOOKS[0].url", "not text", id="address is a number"),
        pytest.param({**SLACK, "url": CANARY}, "WEBHOOKS[0].url", "not a web address", id="address"),
        pytest.param({**SLACK, "url": f"https://a.example:0/{CANARY}"}, "WEBHOOKS[0].url", "port 0", id="port 0"),
        *(
            pytest.param(
                {**SLACK, "format": "teams", "url": f"https://{host}/{CANARY}"}, "WEBHOOKS[0].url", "retired", id=host
            )
            for host in ("contoso.webhook.office.com", "outlook.office.com", "OUTLOOK.office365.com")
        ),
        *(
            pytest.param(
                {**SLACK, "format": form, "url": f"https://{host}/{CANARY}"},
                "WEBHOOKS[0].url",
                f"is {owner}'s address, where nothing of the format {form} is taken; put it into WEBHOOKS with the",
                id=f"{host} as {form}",
            )
            for form, host, owner in (
                ("teams", "hooks.slack.com", "slack"),
                ("teams", "HOOKS.slack-gov.com", "slack"),
                ("slack", "events.pagerduty.com", "pagerduty"),
                ("teams", "events.eu.pagerduty.com", "pagerduty"),
            )
        ),
        pytest.param(
            {**SIGNED, "url": f"https://hooks.slack.com/{CANARY}"}, "WEBHOOKS[0].url", "is slack's", id="signed chat"
        ),
        pytest.param({**PAGER, "url": f"https://hooks.slack.com/{CANARY}"}, "WEBHOOKS[0].url", "is slack's", id="page"),
        pytest.param({**SLACK, "url": ""}, "WEBHOOKS[0].url", "is empty; write", id="address is empty"),
        pytest.param({**SLACK, "url": "  "}, "WEBHOOKS[0].url", "is empty; write", id="address is blank"),
        pytest.param({**SLACK, "url": None}, "WEBHOOKS[0].url", "not text", id="address is null"),
        pytest.param({**SLACK, "url": f"https://u:{CANARY}@a.example"}, "WEBHOOKS[0].url", "password", id="user"),
        pytest.param(
            {**without(SLACK, "url"), "urlSetting": "CHAT_URL"},
            "WEBHOOKS[0].urlSetting",
            "names the app setting CHAT_URL, which is missing",
            id="missing setting",
        ),
        pytest.param(
            {**without(SLACK, "url"), "urlSetting": f"https://a.example/{CANARY}"},
            "WEBHOOKS[0].urlSetting",
            "does not name an app setting",
            id="an address in the place of a setting's name",
        ),
        pytest.param(
            {**without(SIGNED, "secrets"), "secretSettings": ["whsec_" + CANARY * 2]},
            "WEBHOOKS[0].secretSettings[0]",
            "does not name an app setting",
            id="a secret in the place of a setting's name",
        ),
        pytest.param(without(SIGNED, "secrets"), "WEBHOOKS[0]", "either secrets or", id="no secret"),
        pytest.param({**SIGNED, "secrets": []}, "WEBHOOKS[0].secrets", "at least one", id="empty secrets"),
        pytest.param({**SIGNED, "secrets": SECRET}, "WEBHOOKS[0].secrets", "JSON array", id="secret, no list"),
        pytest.param({**SIGNED, "secrets": [CANARY]}, "WEBHOOKS[0].secrets[0]", "24 to 64", id="short secret"),
        pytest.param(
            {**SIGNED, "secrets": [SECRET, f"whsec_{CANARY}!!{CANARY}"]},
            "WEBHOOKS[0].secrets[1]",
            "not a signing secret",
            id="not base64",
        ),
        pytest.param({**SIGNED, "secretSettings": ["PAGER_KEY"]}, "WEBHOOKS[0]", "either secrets or", id="two secrets"),
        pytest.param({**SLACK, "secrets": [SECRET]}, "WEBHOOKS[0].secrets", "no use with slack", id="unsigned"),
        pytest.param(without(PAGER, "keySetting"), "WEBHOOKS[0].keySetting", "missing", id="no routing key"),
        pytest.param({**PAGER, "keySetting": "SPACED"}, "SPACED", "not a key", id="key with white space"),
        pytest.param(
            {**SLACK, "keySetting": "PAGER_KEY"}, "WEBHOOKS[0].keySetting", "no use with slack", id="key for chat"
        ),
        pytest.param(
            {**GRID, "url": "https://eventgrid.azure.net.evil.example"},
            "WEBHOOKS[0].keySetting",
            "outside *.eventgrid.azure.net",
            id="token for a stranger",
        ),
        pytest.param(
            {**GRID, "url": "https://evileventgrid.azure.net"},
            "WEBHOOKS[0].keySetting",
            "outside *.eventgrid.azure.net",
            id="token for a similar host",
        ),
        pytest.param(
            {**PAGER, "keySetting": CANARY * 2},
            "WEBHOOKS[0].keySetting",
            "does not name an app setting",
            id="a key in the place of a setting's name",
        ),
        pytest.param({**SIGNED, "events": "*"}, "WEBHOOKS[0].events", "not a list", id="filter is a text"),
        pytest.param({**SIGNED, "jobs": []}, "WEBHOOKS[0].jobs", "at least one", id="empty filter"),
        pytest.param({**SIGNED, "jobs": [1]}, "WEBHOOKS[0].jobs", "not a list of texts", id="number in filter"),
        pytest.param(
            {**SIGNED, "jobs": [f"!{CANARY}"]}, "WEBHOOKS[0].jobs", "matches nothing", id="exclusion in filter"
        ),
        pytest.param({**SLACK, "pools": []}, "WEBHOOKS[0].pools", "at least one", id="empty filter of a chat"),
        pytest.param(
            {**SIGNED, "contentType": "text/html"}, "WEBHOOKS[0].contentType", "JSON media type", id="media type"
        ),
        pytest.param(
            {**SIGNED, "contentType": "application/json\r\nx: y"},
            "WEBHOOKS[0].contentType",
            "JSON media type",
            id="header smuggled in",
        ),
        pytest.param(
            {**SLACK, "contentType": "application/cloudevents+json"},
            "WEBHOOKS[0].contentType",
            "fixed with slack",
            id="media type of chat",
        ),
        pytest.param({**SIGNED, "enabled": "false"}, "WEBHOOKS[0].enabled", "without quotes", id="enabled"),
    ],
)
def test_one_wrong_member(members: dict[str, object], setting: str, wrong: str) -> None:
    """A wrong member gives one problem that names it, never its value, and no webhook."""
    webhooks, problems = read(members, allow_http=False, SPACED=f"{CANARY} {CANARY}")
    ((named, text),) = problems
    assert webhooks == ()
    assert named == setting or named.startswith(setting + "a name") or setting.endswith("(")
    assert wrong in text
    assert CANARY not in text.lower()


@pytest.mark.parametrize("value", [f'[{{"name":"{CANARY}"', "{}", "7", '["a"]', "[" * 100_000, "null"])
def test_what_is_no_array_of_objects(value: str) -> None:
    """WEBHOOKS that is not a JSON array of objects is one problem, which shows how it should look."""
    webhooks, ((setting, text),) = read(WEBHOOKS=value)
    assert (webhooks, setting) == ((), "WEBHOOKS")
    assert "array of objects, for example" in text
    assert CANARY not in text


@pytest.mark.parametrize(
    ("environment", "setting"),
    [
        ({"WEBHOOK_URL": "https://a.example"}, "WEBHOOK_SECRET"),
        ({"WEBHOOK_SECRET": SECRET}, "WEBHOOK_URL"),
        ({"WEBHOOK_URL": f"https://a.example#{CANARY}", "WEBHOOK_SECRET": SECRET}, "WEBHOOK_URL"),
        ({"WEBHOOK_URL": f"https://hooks.slack.com/{CANARY}", "WEBHOOK_SECRET": SECRET}, "WEBHOOK_URL"),
        ({"WEBHOOK_URL": "https://a.example", "WEBHOOK_SECRET": CANARY}, "WEBHOOK_SECRET"),
    ],
)
def test_half_a_default_webhook(environment: dict[str, str], setting: str) -> None:
    """The address and the secret of the default webhook need each other, and both to be right."""
    webhooks, ((named, text),) = read(allow_http=False, **environment)
    assert (webhooks, named) == ((), setting)
    assert CANARY not in text


def test_twenty_webhooks_are_enough() -> None:
    """Twenty webhooks are accepted, and one more is refused."""
    many = [{**SLACK, "name": f"chat-{number}"} for number in range(21)]
    assert len(accepted(*many[:20])) == 20
    _, ((setting, text),) = read(*many)
    assert setting == "WEBHOOKS"
    assert "21 webhooks" in text


def test_names_are_unique() -> None:
    """A name stands for one webhook, `default` for that of WEBHOOK_URL."""
    _, twice = read(SLACK, {**PAGER, "name": SLACK["name"]})
    _, default = read({**SLACK, "name": "default"}, WEBHOOK_URL="https://a.example", WEBHOOK_SECRET=SECRET)
    assert [setting for setting, _ in twice + default] == ["WEBHOOKS", "WEBHOOKS"]
    assert accepted({**SLACK, "name": "default"})


def test_all_problems_of_all_webhooks() -> None:
    """Every wrong member of every object is said, and the right webhook among them is still read."""
    webhooks, problems = read(
        {**SIGNED, "name": "A B", "secrets": ["x"], "enabled": 1},
        PAGER,
        {**SLACK, "url": "ftp://a", "pools": "p"},
    )
    assert [webhook.name for webhook in webhooks] == ["pager"]
    assert [setting for setting, _ in problems] == [
        "WEBHOOKS[0].name",
        "WEBHOOKS[0].enabled",
        "WEBHOOKS[0].secrets[0]",
        "WEBHOOKS[2].pools",
        "WEBHOOKS[2].url",
    ]
