"""Teams cards as Microsoft's own renderer draws them, with the host configurations of Teams, light and dark."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from playwright.sync_api import Browser

from local.events_page import closed_example, examples
from shared.batch.causes import MAX_MESSAGE_CHARACTERS
from shared.digests.chat_rules import News
from shared.digests.jobs.notices import jobs_notice
from shared.ledger.recipients import is_told_by_event
from shared.messages.format import Message
from shared.messages.format_table import render, render_notice
from shared.state.jobs import JobEnd, JobHead, PhaseCounts, Trouble
from shared.state.pools import Standstill, StandstillCause, StandstillReason
from shared.state.telling import Told
from tests.messages.test_limits import HOSTILE, NODES
from tests.support.needs import need
from tests.support.told_jobs import ACCOUNT, LINKS, NOW, head, news, webhook

ROOT = Path(__file__).resolve().parents[3]
RENDERER = ROOT / "node_modules" / "adaptivecards" / "dist" / "adaptivecards.min.js"
HERE = Path(__file__).parent
TEAMS = webhook("teams")
WIDTHS = (320, 700)
TEXTS = {
    "plain": "Access for one of the specified Azure Blob(s) is denied: contoso.blob.core.windows.net/setup/tools.tgz",
    "hostile": HOSTILE * 40,
    "emoji": "\U0001f525" * 5000,
    "CJK": "\u6a5f\u68b0\u304c\u6b62\u307e\u308b" * 900,
    "one word": "w" * 5000,
}
LONG = "n" * 64


def _still(reason: StandstillReason, text: str) -> JobHead:
    cause = StandstillCause(code="AccountCoreQuotaReached", message=text[:200])
    stuck = Standstill(since=NOW, confirmed=True, reason=reason, pool_id=LONG, cause=cause, tasks=412)
    return replace(head(LONG, failed=0), stuck=replace(stuck, by_state={"idle": 40}), preparation=PhaseCounts())


def _cards() -> Iterator[tuple[str, list[News]]]:
    told = Told(job_id="nightly", counted_from=NOW, preparation=12, standing=True, since=NOW, at=NOW)
    for name, longest in TEXTS.items():
        text = longest[:MAX_MESSAGE_CHARACTERS]
        many = [head(f"render-{number:03}", failed=38, text=text) for number in range(30)]
        yield f"one job, {name}", [news(head("nightly", failed=12, text=text), nodes=NODES)]
        yield f"long ids, {name}", [news(replace(head(LONG, failed=12, text=text), pool_id=LONG), nodes=NODES)]
        yield f"thirty jobs, {name}", [news(job, nodes=NODES) for job in many]
        yield f"thirty pools, {name}", [news(replace(job, pool_id=f"p{job.job_id}")) for job in many]
        trouble = Trouble(code=text[:99], message=text, since=NOW, request_id="r-1", event_id="e")
        yield f"out of sight, {name}", [news(replace(head(failed=0), trouble=trouble))]
        for reason in StandstillReason:
            yield f"{reason}, {name}", [news(_still(reason, text))]
        yield (
            f"stand still, {name}",
            [news(replace(_still(StandstillReason.NODES_UNABLE, text), job_id=f"j{number}")) for number in range(9)],
        )
    over = replace(head(failed=0), preparation=PhaseCounts(succeeded=12), preparation_failed_ever=12)
    yield "works again", [news(over, told=told)]
    yield "ended", [news(replace(over, closed=JobEnd.ENDED, preparation=PhaseCounts(failed=12)), told=told)]
    yield "release", [news(replace(over, release=PhaseCounts(failed=3), release_failed_ever=3), told=told)]


def _bodies() -> Iterator[tuple[str, bytes]]:
    for name, told in _cards():
        yield name, render_notice(TEAMS, jobs_notice(ACCOUNT, told, LINKS)).body
    for event in (*examples().values(), closed_example()):
        if is_told_by_event(TEAMS, event.type):
            later = NOW + timedelta(hours=1)
            yield event.type.value, render(TEAMS, Message(id=event.id, body=event.body), later).body


def _drawn(browser: Browser) -> list[dict[str, Any]]:
    """Every card, drawn in both themes and widths, in one page."""
    need(RENDERER.exists(), "adaptivecards is not installed: `python3 dev.py test` installs it")
    cards = [{"name": name, "card": json.loads(body)["attachments"][0]["content"]} for name, body in _bodies()]
    configs = {
        theme: json.loads((HERE / "teams_host_config" / f"{theme}.json").read_text(encoding="utf-8"))
        for theme in ("light", "dark")
    }
    page = browser.new_page()
    page.add_script_tag(path=RENDERER)
    page.add_script_tag(path=HERE / "cards.js")
    asked = {"cards": cards, "configs": configs, "widths": list(WIDTHS)}
    measured: list[dict[str, Any]] = page.evaluate("measureCards", asked)
    page.close()
    return measured


def test_cards_as_microsoft_draws_them(browser: Browser) -> None:
    """Nothing to warn of, nothing wider than its card, contrast of 4.5 at least, at most 25 lines: at any width."""
    drawn = _drawn(browser)
    assert len(drawn) > 200
    wrong = {
        "warned of": [one for one in drawn if one["warnings"]],
        "wider than its card": [one for one in drawn if one["wide"]],
        "hard to read": [one for one in drawn if one["contrast"] < 4.5],
        "longer than 25 lines": [one for one in drawn if one["lines"] > 25],
    }
    assert {name: [(one["name"], one["theme"], one["width"]) for one in found] for name, found in wrong.items()} == {
        name: [] for name in wrong
    }
