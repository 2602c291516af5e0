"""How a webhook fares from attempt to attempt, and when the installation is not heard."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from msgspec.structs import replace

from shared.delivery.answer_rules import LONGEST_WAIT, attempt_of, judge
from shared.delivery.failing_rules import (
    FAILING_AFTER,
    PROBE_EVERY,
    SUSPECT_AFTER,
    UNHEARD_AFTER,
    begin_probe,
    change_events,
    disable,
    enable,
    follow_webhook,
    in_words,
    is_suspect,
    next_try,
    try_again,
    unheard,
    waits,
)
from shared.messages.events import EventType
from shared.messages.format_table import FORMATS
from shared.state.telling import WebhookState
from shared.webhook import SendFailure, WebhookAnswer
from tests.support.builders import NOW, SITE, answer, webhook

MINUTE = timedelta(minutes=1)
OK, GONE, BUSY = answer(200), answer(410), answer(429)
NEVER_TAKEN = [
    *(answer(status) for status in (302, 400, 401, 403, 404, 413, 429, 500, 502)),
    *(answer(None, failure=failure) for failure in SendFailure),
]


def _after(state: WebhookState, answered: WebhookAnswer, now: datetime = NOW, *, probe: bool = False) -> WebhookState:
    judged = judge(FORMATS["cloudevents"], answered, 1, now)
    return follow_webhook(state, judged, attempt_of(judged, answered, now, probe=probe))


def _fare(*answers: WebhookAnswer) -> WebhookState:
    """A webhook that has answered so, a minute apart, the last time at NOW."""
    state = WebhookState(name="ops")
    for number, one in enumerate(answers, 1 - len(answers)):
        state = _after(state, one, NOW + number * MINUTE)
    return state


def test_a_reason_stands_within_a_sentence() -> None:
    """Why an attempt came to nothing is said without a full stop, as a sentence goes on or ends behind it."""
    refused = attempt_of(judge(FORMATS["cloudevents"], GONE, 1, NOW), GONE, NOW)
    assert in_words(replace(refused, reason="No Entra token.", answer="")) == "No Entra token"
    assert in_words(replace(refused, reason="status 410", answer="It is gone.")) == "status 410: It is gone"


@pytest.mark.parametrize("answered", NEVER_TAKEN, ids=lambda one: str(one.status or one.failure))
def test_three_in_a_row_make_it_failing(answered: WebhookAnswer) -> None:
    """Whatever the answer, a third attempt in a row that is not taken makes a webhook failing, since the first."""
    assert _fare(*[answered] * (FAILING_AFTER - 1)).failing_since is None
    failing = _fare(*[answered] * FAILING_AFTER)
    assert failing.failing_since == NOW - 2 * MINUTE
    assert failing.last is not None
    assert failing.last.reason == failing.reason


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([answer(500), answer(400), OK, answer(500), answer(404)], id="something was taken in between"),
        pytest.param([answer(500)] * 9 + [OK], id="it takes messages again"),
        pytest.param([answer(503, retry_after="900")], id="it asks for a quarter of an hour"),
    ],
)
def test_what_does_not_make_it_failing(answers: Sequence[WebhookAnswer]) -> None:
    """A success in between resets the count, and a little patience is no fault."""
    assert _fare(*answers).failing_since is None


def test_asking_for_long_patience_is_failing() -> None:
    """Who asks to be left alone for more than a quarter of an hour is failing at once, and left alone as long."""
    state = _fare(answer(429, retry_after="901"))
    assert (state.failing_since, state.not_before) == (NOW, NOW + timedelta(seconds=901))
    assert _fare(answer(503, retry_after="9" * 9)).not_before == NOW + LONGEST_WAIT


def test_asking_for_patience_again_and_again_is_failing() -> None:
    """Who asks for a little, and then for a little more, is failing once it comes to more than a quarter of an hour."""
    for minutes, too_much in ((15, True), (10, True), (8, True), (7, False), (3, False)):
        asks = answer(503, retry_after=f"{minutes * 60}")
        first = _after(WebhookState(name="ops"), asks)
        again = _after(first, asks, NOW + minutes * MINUTE)
        assert (first.failing_since, again.failing_since) == (None, NOW if too_much else None), minutes


def test_instances_whose_clocks_differ_agree_since_when_it_fails() -> None:
    """The end repeats since when it was failing, so no slower clock may move that, but one that jumps back by hours."""
    failing = _fare(*[answer(500)] * FAILING_AFTER)
    slower = _after(failing, answer(500), NOW - 2 * MINUTE - timedelta(seconds=2))
    assert slower.failing_since == failing.failing_since
    assert _after(failing, answer(500), NOW - timedelta(hours=5)).failing_since == NOW - timedelta(hours=5)


def test_patience_holds_back_the_whole_webhook() -> None:
    """429 without a Retry-After holds all its messages back for a minute, with one for as long as it says."""
    assert waits(_fare(BUSY), NOW + 0.9 * MINUTE)
    assert not waits(_fare(BUSY), NOW + MINUTE)
    assert waits(_fare(answer(503, retry_after="600")), NOW + 9 * MINUTE)
    assert not waits(_fare(BUSY, OK), NOW)


def test_a_failing_webhook_is_probed_by_its_own_clock() -> None:
    """At most every five minutes, by one of those who want to, however long it goes on; 429 makes it no faster."""
    state = _fare(*[answer(500)] * 3)
    probes = []
    for second in range(0, 3600, 20):
        now = NOW + timedelta(seconds=second)
        if (probing := begin_probe(state, now)) is not None:
            assert begin_probe(probing, now) is None
            probes.append(now)
            state = _after(probing, BUSY if len(probes) % 2 else answer(404), now + timedelta(seconds=7), probe=True)
    assert {later - before for before, later in pairwise(probes)} == {PROBE_EVERY}
    assert len(probes) == 11


def test_a_suspect_is_pinged_once_in_a_while() -> None:
    """A webhook that has not taken its last message may be asked how it is a minute later; one that is well is not."""
    state = _fare(answer(400), answer(400))
    assert begin_probe(state, NOW + 0.9 * SUSPECT_AFTER) is None
    probing = begin_probe(state, NOW + SUSPECT_AFTER)
    assert probing is not None
    assert begin_probe(probing, NOW + SUSPECT_AFTER) is None
    assert begin_probe(WebhookState(name="ops"), NOW) is None
    assert begin_probe(_fare(answer(410)), NOW + timedelta(hours=1)) is None


@pytest.mark.parametrize(
    ("answers", "retry_at", "suspect"),
    [
        pytest.param([OK], None, False, id="it takes messages"),
        pytest.param([answer(401)], None, True, id="nothing waits"),
        pytest.param([answer(401)], 1 * MINUTE, False, id="tried again in a minute"),
        pytest.param([answer(401)] * 2, PROBE_EVERY, False, id="tried again as soon as a probe would be"),
        pytest.param([answer(401)] * 2, 1.2 * PROBE_EVERY, True, id="an incident that may end later"),
        pytest.param([answer(500)], timedelta(hours=6), True, id="a delivery that was tried for long"),
    ],
)
def test_what_is_due_later_is_not_waited_for(
    answers: Sequence[WebhookAnswer], retry_at: timedelta | None, *, suspect: bool
) -> None:
    """A webhook that refused is pinged unless something that waits shows as soon how it fares, and is woken for it."""
    state, due = _fare(*answers), None if retry_at is None else NOW + retry_at
    assert is_suspect(state, due) is suspect
    assert next_try(state, due) == (NOW + SUSPECT_AFTER if suspect else due)


def test_success_ends_it_and_makes_all_due() -> None:
    """The first success of a failing webhook is the moment since when all that was tried before is due."""
    later = NOW + timedelta(hours=3)
    well = _after(_fare(*[answer(500)] * 8), OK, later, probe=True)
    assert (well.failures, well.failing_since, well.not_before, well.last, well.reason) == (0, None, None, None, "")
    assert well.recovered_at == later
    assert _fare(answer(500), OK).recovered_at is None


@pytest.mark.parametrize("taken", [True, False])
def test_asking_for_it_makes_all_due(taken: bool) -> None:  # noqa: FBT001 - parametrized
    """A ping that was taken ends the failing; enabling or redelivery asks at once; either makes all that waits due."""
    failing = _fare(*[answer(429, retry_after="86400")] * 3)
    after = try_again(failing, NOW, taken=taken)
    assert (after.failing_since is None) is taken
    assert (after.recovered_at, after.not_before) == (NOW, None)
    if not taken:
        assert begin_probe(after, NOW) is not None
        assert enable(failing, NOW) == after


def test_gone_is_disabled_until_somebody_enables_it() -> None:
    """410 alone disables; a later answer changes nothing of it; enabled, nothing is held against it."""
    gone = _fare(answer(500), answer(500), answer(500), GONE)
    assert (gone.disabled_since, gone.by_request) == (NOW, False)
    for later in (GONE, OK, answer(500)):
        assert _after(gone, later, NOW + MINUTE) == gone
    assert try_again(gone, NOW, taken=True) == gone
    assert enable(gone, NOW) == WebhookState(name="ops", recovered_at=NOW)


def _told(before: WebhookState, after: WebhookState) -> list[tuple[str, datetime]]:
    now = NOW + timedelta(hours=1)
    events = change_events(SITE, before, after, now)
    return [(event.type.removeprefix("prepwatch.webhook."), event.recorded_at) for event in events]


def test_every_beginning_has_its_end() -> None:
    """Failing ends with recovered, disabled with enabled, and what was both ends with both."""
    well, failing = WebhookState(name="ops"), _fare(*[answer(500)] * 3)
    gone, off = _after(failing, GONE, NOW + MINUTE), disable(well, NOW)
    both = enable(gone, NOW + 2 * MINUTE)

    def kinds(before: WebhookState, after: WebhookState) -> list[str]:
        return [kind for kind, _ in _told(before, after)]

    assert kinds(well, failing) == ["failing"]
    assert kinds(failing, _after(failing, OK)) == ["recovered"]
    assert kinds(failing, gone) == ["disabled"]
    assert kinds(gone, both) == ["enabled", "recovered"]
    assert kinds(well, off) == ["disabled"]
    assert kinds(off, enable(off, NOW)) == ["enabled"]
    assert kinds(failing, replace(failing, failures=4)) == []


def test_who_switched_it_off_is_said() -> None:
    """The event of a webhook that a person has switched off says so; the one of a receiver that is gone does not."""
    well = WebhookState(name="ops")
    (by_request,) = change_events(SITE, well, disable(well, NOW), NOW)
    (gone,) = change_events(SITE, well, _after(well, GONE), NOW)
    assert b'"byRequest":true' in by_request.body
    assert b'"byRequest":false' in gone.body
    assert by_request.type is gone.type is EventType.WEBHOOK_DISABLED


def test_a_clock_that_jumps_back_holds_nobody_for_hours() -> None:
    """A pause that a clock five hours ahead has set holds nobody back, nor does it move when a trouble began."""
    ahead = NOW + timedelta(hours=5)
    state = WebhookState(name="ops")
    for _ in range(3):
        state = _after(state, answer(500), ahead)
    probing = begin_probe(state, NOW)
    assert probing is not None
    after = _after(probing, answer(500), NOW, probe=True)
    assert (after.failing_since, after.not_before) == (NOW, NOW + PROBE_EVERY)
    assert _after(state, answer(500), NOW).not_before == NOW + PROBE_EVERY


DEAF = WebhookState(name="", failing_since=NOW - UNHEARD_AFTER)
NEW = WebhookState(name="", failing_since=NOW - UNHEARD_AFTER + timedelta(seconds=1))
WELL, OFF = WebhookState(name=""), WebhookState(name="", disabled_since=NOW - timedelta(days=1), by_request=True)
LOST = WebhookState(name="", disabled_since=NOW - timedelta(days=1))
SLACK, TEAMS, PAGER, MACHINE, GRID = "slack", "teams", "pagerduty", "cloudevents", "eventgrid"


@pytest.mark.parametrize(
    ("fare", "reasons"),
    [
        ({MACHINE: WELL, SLACK: WELL}, 0),
        ({MACHINE: DEAF, SLACK: WELL}, 1),
        ({MACHINE: NEW, SLACK: WELL}, 0),
        ({GRID: DEAF, PAGER: DEAF}, 2),
        ({PAGER: LOST, SLACK: WELL}, 1),
        ({PAGER: OFF, SLACK: WELL}, 0),
        ({PAGER: None, SLACK: WELL}, 1),
        ({MACHINE: WELL, SLACK: DEAF, TEAMS: WELL}, 0),
        ({MACHINE: WELL, SLACK: DEAF, TEAMS: DEAF}, 1),
        ({MACHINE: WELL, SLACK: DEAF, TEAMS: OFF}, 1),
        ({MACHINE: WELL, SLACK: DEAF, TEAMS: NEW}, 0),
        ({SLACK: OFF, TEAMS: OFF}, 0),
        ({}, 0),
    ],
)
def test_when_nobody_is_heard(fare: dict[str, WebhookState | None], reasons: int) -> None:
    """A pager or a program that takes nothing is enough, of chats all must; what people have done is no fault."""
    hooks = [webhook(kind, kind) for kind in fare]
    assert len(unheard(hooks, fare, NOW)) == reasons
    assert unheard([replace(hook, enabled=False) for hook in hooks], fare, NOW) == []
