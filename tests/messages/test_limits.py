"""Messages stay within each service's limits, and other people's text stays text."""

import json
import re
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.digests.jobs.notices import jobs_notice
from shared.messages.format_table import render_notice
from shared.messages.ids import incident_key
from shared.messages.slack import escape
from shared.state.jobs import Trouble
from tests.support.told_jobs import ACCOUNT, CHAT, LINKS, NOW, head, news, page_of, webhook

STATE_FORMATS = (*CHAT, "pagerduty")
NODES = tuple((f"pool-{number % 7}", f"tvm-{number:04}_p") for number in range(200))
# What breaks out of markup, of mentions and of a line, or takes more room than it shows.
HOSTILE = (
    "*bold* _it_ `code` ```block``` ~s~ [x](https://evil.example) <https://evil.example|x> <!channel> <@U1> @here "
    '<at>all</at> {{DATE(2026-01-01,SHORT)}} ${expr} :fire: "\\ </script>\r\n\x00\x1b[31m\u202egnp.exe\u2066\u200b '
)


_LIVE = {"teams": ("<at>", "{{", "${"), "slack": ()}
"""What must not stand in a text as it is; in Slack's rich text nothing comes alive."""
_LINK = re.compile(r"(?<!\\)\[|(?<!\\)<[A-Za-z/!?]|(?<!\\)`")


def _messages(kind: str, jobs: int, failed: int, text: str) -> dict[str, object]:
    heads = [head(f"job-{number:04}", failed=failed, text=text) for number in range(jobs)]
    if kind == "pagerduty":
        notice = page_of(*heads, nodes=NODES)
    else:
        notice = jobs_notice(ACCOUNT, [news(job, nodes=NODES) for job in heads], LINKS)
    request = render_notice(webhook(kind), notice)
    _check(kind, request.body)
    body = json.loads(request.body)
    assert isinstance(body, dict)
    return body


def _check(kind: str, body: bytes) -> None:
    _CHECKS[kind](json.loads(body), len(body))


def _check_teams(body: dict[str, object], size: int) -> None:
    assert size <= 18_000
    assert body["type"] == "message"
    attachments = body["attachments"]
    assert isinstance(attachments, list)
    (attachment,) = attachments
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.2")
    top, *parts = card["body"]
    assert (top["type"], top["bleed"]) == ("Container", True)
    blocks = [*top["items"], *parts]
    assert {block["type"] for block in blocks} == {"TextBlock"}
    assert all(block["text"] and block["wrap"] for block in blocks)
    assert not [block["text"] for block in blocks if _LINK.search(block["text"])]
    assert body["summary"]
    assert all(action["type"] == "Action.OpenUrl" for action in card.get("actions", []))
    assert "entities" not in card["msteams"]


def _check_slack(body: dict[str, object], size: int) -> None:
    assert size < 13_200
    blocks = body["blocks"]
    assert isinstance(blocks, list)
    assert 1 <= len(blocks) <= 50
    header, *others = blocks
    assert (header["type"], header["text"]["type"]) == ("header", "plain_text")
    assert 1 <= len(header["text"]["text"].encode("utf-16-le")) // 2 <= 150
    _check_escaped(header["text"]["text"])
    for block in others:
        assert block["type"] == "rich_text"
        section, *commands = block["elements"]
        assert {command["type"] for command in commands} <= {"rich_text_preformatted"}
        assert {element["type"] for element in section["elements"]} <= {"text", "link"}
        assert 1 <= sum(len(element["text"].encode("utf-16-le")) // 2 for element in section["elements"]) <= 3000
    _check_escaped(str(body["text"]))


def _check_escaped(text: str) -> None:
    rest = text.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
    assert not set(rest) & set("&<>")


def _check_pagerduty(body: dict[str, object], size: int) -> None:
    assert size <= 512_000
    assert len(str(body["routing_key"])) == 32
    assert 1 <= len(str(body["dedup_key"])) <= 255
    assert body["event_action"] in {"trigger", "resolve"}
    payload = body.get("payload")
    if isinstance(payload, dict):
        assert 1 <= len(payload["summary"]) <= 1024
        assert payload["severity"] in {"critical", "error", "warning", "info"}
        assert payload["source"]


_CHECKS: dict[str, Callable[[dict[str, object], int], None]] = {
    "teams": _check_teams,
    "slack": _check_slack,
    "pagerduty": _check_pagerduty,
}


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


@pytest.mark.parametrize("text", ["no such blob", HOSTILE, HOSTILE * 40, "&" * 5000, "\U0001f525" * 5000, '"\\' * 3000])
@pytest.mark.parametrize(("jobs", "failed"), [(1, 1), (1, 5000), (3, 40), (30, 5000)])
@pytest.mark.parametrize("kind", STATE_FORMATS, ids=str)
def test_limits(kind: str, jobs: int, failed: int, text: str) -> None:
    """However many nodes and jobs fail, and whatever Batch says, a message keeps to the documented limits."""
    _assert_limits(kind, jobs, failed, text)


@pytest.mark.parametrize("kind", STATE_FORMATS, ids=str)
def test_limits_of_a_thousand_jobs(kind: str) -> None:
    """So it is when more jobs fail than any message has room for, as it is with thirty whatever Batch says."""
    _assert_limits(kind, 1000, 5000, HOSTILE)


def _assert_limits(kind: str, jobs: int, failed: int, text: str) -> None:
    body = _messages(kind, jobs, failed, text)
    said = "of 5000 nodes" if kind == "pagerduty" else "newly failed"
    assert any(said in text for text in _texts(body))


@pytest.mark.parametrize("text", [HOSTILE, HOSTILE * 40, "&" * 5000, "\U0001f525" * 5000])
@pytest.mark.parametrize("chat", CHAT, ids=str)
def test_limits_of_troubles(chat: str, text: str) -> None:
    """Why a job can't be read is told within the limits too, and nothing in it comes alive."""
    trouble = Trouble(code=text, message=text, since=NOW, request_id=text, event_id="e")
    lost = [news(replace(head(f"job-{number}", failed=0), trouble=trouble)) for number in range(30)]
    for some in (lost[:1], lost):
        body = render_notice(webhook(chat), jobs_notice(ACCOUNT, some, LINKS)).body
        _check(chat, body)
        texts = list(_texts(json.loads(body)))
        assert any("an't be read" in said for said in texts)
        assert all(said.replace("\n", "").isprintable() for said in texts)
        assert not [said for said in texts for tag in _LIVE[chat] if tag in said and "//prepwatch.example/" not in said]


@pytest.mark.parametrize(("code", "times"), [("BlobNotFound", 1), ("&" * 99, 2)], ids=["fits", "cut"])
def test_slack_says_a_title_again_only_where_its_header_is_cut(code: str, times: int) -> None:
    """A single job's heading stands once in the blocks, and once more in full when the header had no room for it."""
    words = "Preparation failed on 7 of 5000 nodes"
    job = replace(head("n" * 128, failed=7), causes=tuple(replace(one, code=code) for one in head().causes[:1]))
    body = render_notice(webhook("slack"), jobs_notice(ACCOUNT, [news(job)], LINKS)).body
    blocks = list(_texts(json.loads(body)["blocks"]))
    assert sum(words in said for said in blocks) == times
    assert any(f"{words} ({code})" in said for said in blocks) or times == 1
    assert any("n" * 128 in said for said in blocks)


@settings(max_examples=40, deadline=None)
@given(text=st.text(max_size=3000), jobs=st.integers(1, 4))
@pytest.mark.parametrize("kind", STATE_FORMATS, ids=str)
def test_any_text(kind: str, text: str, jobs: int) -> None:
    """No text that anybody can think of breaks a limit, a structure or an escape."""
    _messages(kind, jobs, 7, text)


@pytest.mark.parametrize("kind", STATE_FORMATS, ids=str)
def test_nothing_breaks_out(kind: str) -> None:
    """Control characters, reordering marks, mentions and functions of a card reach nobody alive."""
    texts = list(_texts(_messages(kind, 2, 5, HOSTILE)))
    said = [text for text in texts if "bold" in text]
    assert said, "the message of Batch is shown"
    ours = tuple(f"{opening}https://prepwatch.example/" for opening in ("", "<"))
    for text in texts:
        if text.startswith(ours):
            continue
        lines = text.replace("\n", "")
        assert lines.isprintable()
        if kind != "pagerduty":
            assert not any(tag in text for tag in _LIVE[kind])


def test_small_message_says_it_all() -> None:
    """What fits is told whole: how many of how many, why, what to do, where, and what was left out."""
    whole = head("job-0000", failed=40)
    item = news(replace(whole, causes=whole.causes[:1]), nodes=NODES)
    request = render_notice(webhook("slack"), jobs_notice(ACCOUNT, [item], LINKS))
    texts = "\n".join(_texts(json.loads(request.body)))
    for words in ("40 newly failed; 40 of 5000", "BlobNotFound on 40 nodes: no such blob", "Check the resource file's"):
        assert words in texts


def test_many_jobs_say_how_many_are_left_out() -> None:
    """With a thousand jobs the worst are told and the rest counted."""
    for kind in CHAT:
        texts = list(_texts(_messages(kind, 1000, 5, "no such blob")))
        assert {f"job-{number:04}" for number in range(8)} <= set(re.findall(r"job-\d{4}", "\n".join(texts)))
        assert any("992 not named here" in text for text in texts)


@pytest.mark.parametrize(
    ("text", "limit", "escaped"),
    [
        pytest.param("a & b", 150, "a &amp; b", id="ampersand"),
        pytest.param("<!channel>", 150, "&lt;!channel&gt;", id="mention"),
        pytest.param("&lt;", 150, "&amp;lt;", id="escaped before"),
        pytest.param("plain", 5, "plain", id="just fits"),
        pytest.param("plainly", 5, "plai…", id="cut"),
        pytest.param("ab<cd", 6, "ab…", id="no escape is cut through"),
        pytest.param("ab<", 6, "ab&lt;", id="an escape that fits"),
        pytest.param("ab<", 5, "ab…", id="last escape does not fit"),
        pytest.param("", 5, "", id="empty"),
    ],
)
def test_slack_escapes(text: str, limit: int, escaped: str) -> None:
    """Slack's three characters are escaped, once, and within the limit."""
    assert escape(text, limit) == escaped
    assert len(escape(text, limit)) <= limit


def test_dedup_keys() -> None:
    """Incidents of different long subjects stay apart, and equal subjects share one."""
    one, other = "job:" + "a" * 300 + "1", "job:" + "a" * 300 + "2"
    assert len(incident_key(one)) == 255
    assert incident_key(one) != incident_key(other)
    assert incident_key(one) == incident_key(one)
    assert incident_key("job:acc:nightly") == "prepwatch:job:acc:nightly"
