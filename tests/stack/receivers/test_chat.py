"""The stand-ins for Slack and Teams hold what is posted against the limits that those document."""

from datetime import timedelta

import pytest

from local.webhook_receiver.slack import SlackWebhook
from local.webhook_receiver.teams import TeamsWorkflow
from tests.stack.receivers.requests import NOW, card, plain, post, slack

SECTION = {"type": "section", "text": plain("why")}
LINK = {"type": "context", "elements": [{"type": "mrkdwn", "text": "<https://x.example|x>", "verbatim": True}]}
RUN = {"type": "TextRun", "text": "why", "weight": "bolder"}
RICH = {"type": "RichTextBlock", "inlines": [RUN, {"type": "TextRun", "text": " not"}], "separator": True}


def header(characters: int) -> dict[str, object]:
    """A header of that length."""
    return {"type": "header", "text": plain("x" * characters)}


def section(characters: int) -> dict[str, object]:
    """A section of that length."""
    return {"type": "section", "text": plain("x" * characters)}


def test_slack_takes_a_message() -> None:
    """A message within the limits is answered with ok, and shown as people read it."""
    verdict = SlackWebhook().receive(
        post(slack(header(150), {"type": "section", "text": plain("a &lt;b&gt; &amp;c")}, LINK))
    )
    assert (verdict.status, verdict.answer, verdict.accepted) == (200, "ok", True)
    assert verdict.shows == ("x" * 150, "a <b> &c", "<https://x.example|x>")


@pytest.mark.parametrize(
    ("body", "answer", "why"),
    [
        pytest.param(b"{", "invalid_payload", "not a JSON object", id="no JSON"),
        pytest.param([], "invalid_payload", "not a JSON object", id="no object"),
        pytest.param({}, "no_text", "neither text nor blocks", id="nothing said"),
        pytest.param({"text": ""}, "no_text", "empty", id="empty text"),
        pytest.param({"text": "x" * 40_001}, "msg_too_long", "40001 characters", id="long text"),
        pytest.param(slack(*[section(2900)] * 5), "msg_too_long", "not up to 13200", id="long message"),
        pytest.param(slack(), "invalid_blocks", "blocks is not a list of 1 to 50", id="no block"),
        pytest.param(slack(*[SECTION] * 51), "invalid_blocks", "blocks is not a list of 1 to 50", id="51 blocks"),
        pytest.param(slack(header(151)), "invalid_blocks", "has 151 characters, not 1 to 150", id="long header"),
        pytest.param(slack(header(0)), "invalid_blocks", "has 0 characters", id="empty header"),
        pytest.param(slack(section(3001)), "invalid_blocks", "has 3001 characters", id="long section"),
        pytest.param(slack({"type": "section"}), "invalid_blocks", "neither text nor fields", id="empty section"),
        pytest.param(
            slack({"type": "section", "fields": [plain("x")] * 11}), "invalid_blocks", "list of 1 to 10", id="11 fields"
        ),
        pytest.param(
            slack({"type": "section", "fields": [plain("x" * 2001)]}), "invalid_blocks", "not 1 to 2000", id="field"
        ),
        pytest.param(
            slack({"type": "context", "elements": [plain("x")] * 11}), "invalid_blocks", "1 to 10", id="11 elements"
        ),
        pytest.param(
            slack({"type": "header", "text": {"type": "mrkdwn", "text": "*x*"}}),
            "invalid_blocks",
            "not plain_text",
            id="markup in a header",
        ),
        pytest.param(
            slack({"type": "section", "text": {**plain("x"), "verbatim": True}}),
            "invalid_blocks",
            "has verbatim",
            id="unknown member",
        ),
        pytest.param(slack({"type": "carousel"}), "invalid_blocks", "'carousel'", id="unknown block"),
        pytest.param(slack("x"), "invalid_blocks", "blocks[0] is not an object", id="no block at all"),
    ],
)
def test_slack_refuses(body: object, answer: str, why: str) -> None:
    """What Slack refuses is answered with 400 and Slack's own word, and the reason names the place."""
    verdict = SlackWebhook().receive(post(body))
    assert (verdict.status, verdict.answer, verdict.accepted) == (400, answer, False)
    assert why in verdict.reason


def test_slack_takes_one_message_a_second() -> None:
    """A second message within a second is told when to come again, and is taken then."""
    webhook = SlackWebhook()
    answers = [
        webhook.receive(post(slack(SECTION), at=NOW + timedelta(milliseconds=after))) for after in (0, 400, 1000)
    ]
    assert [answer.status for answer in answers] == [200, 429, 200]
    assert answers[1].headers == {"Retry-After": "1"}


def test_teams_takes_a_card() -> None:
    """A card within the limits is answered with 202, and shown as people read it."""
    action = {"type": "Action.OpenUrl", "title": "Dashboard", "url": "https://x.example"}
    facts = {"type": "FactSet", "facts": [{"title": "Job", "value": "nightly"}]}
    verdict = TeamsWorkflow().receive(post(card(RICH, facts, {"type": "TextBlock", "text": "so"}, actions=[action])))
    assert (verdict.status, verdict.accepted) == (202, True)
    assert verdict.shows == ("why not", "Job: nightly", "so", "[Dashboard] https://x.example")


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        pytest.param(b"[", 400, "not a JSON object", id="no JSON"),
        pytest.param({"text": "x"}, 400, "type is not message", id="a connector's text"),
        pytest.param({**card(RICH), "attachments": card(RICH)}, 400, "attachments is not a list", id="no list"),
        pytest.param({"type": "message", "attachments": [{}]}, 400, "contentType is not", id="no card"),
        pytest.param(card(RICH, version="2.0"), 400, "of a version that Teams shows", id="version"),
        pytest.param(card(), 400, "body is not a list", id="empty"),
        pytest.param(card({"type": "Chart"}), 400, "'Chart'", id="unknown element"),
        pytest.param(card({"type": "TextBlock", "text": ""}), 400, "has no text", id="no text"),
        pytest.param(card({"type": "RichTextBlock", "inlines": [{**RUN, "color": "red"}]}), 400, "'red'", id="colour"),
        pytest.param(card({"type": "RichTextBlock", "inlines": ["x"]}), 400, "not an object", id="bare inline"),
        pytest.param(card({**RICH, "bold": True}), 400, "has bold", id="unknown member"),
        pytest.param(card(RICH, actions=[{"type": "Action.Submit"}]), 400, "opens no address", id="action"),
        pytest.param(card({"type": "TextBlock", "text": "x" * 28_672}), 413, "not up to 28672", id="28 KB"),
    ],
)
def test_teams_refuses(body: object, status: int, why: str) -> None:
    """What Teams would not show is refused aloud, and the reason names the place."""
    verdict = TeamsWorkflow().receive(post(body))
    assert (verdict.status, verdict.accepted) == (status, False)
    assert why in verdict.reason


@pytest.mark.parametrize(
    ("apart", "taken"),
    [
        pytest.param(timedelta(milliseconds=1), 4, id="a second"),
        pytest.param(timedelta(milliseconds=300), 60, id="half a minute"),
        pytest.param(timedelta(seconds=10), 100, id="an hour"),
        pytest.param(timedelta(seconds=45), 1800, id="a day"),
    ],
)
def test_teams_takes_so_many_requests(apart: timedelta, taken: int) -> None:
    """Requests that come evenly are taken until the limit of the shortest span that they exceed."""
    workflow = TeamsWorkflow()
    answers = [workflow.receive(post(card(RICH), at=NOW + number * apart)) for number in range(taken + 1)]
    assert [answer.status for answer in answers] == [202] * taken + [429]
    assert int(answers[-1].headers["Retry-After"]) >= 1


@pytest.mark.parametrize("service", [SlackWebhook(), TeamsWorkflow()], ids=["slack", "teams"])
def test_chat_takes_json_only(service: SlackWebhook | TeamsWorkflow) -> None:
    """A body that does not say that it is JSON is refused."""
    verdict = service.receive(post(card(RICH), headers={"content-type": "text/plain"}))
    assert (verdict.status, verdict.accepted) == (400, False)
