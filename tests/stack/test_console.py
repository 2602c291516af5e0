"""What a person sees of the local stack."""

import pytest

from local.console import Console

CYCLE = '[t] cycle {"account":"a","jobs":4,"notLookedAt":0,"errors":0,"good":true,"seconds":0.5}'
ADDRESS = "dashboard  http://localhost:7071/api/dashboard"


def shown(*lines: str, verbose: bool = False, part: str = "host") -> list[str]:
    """What is shown of what a part says; `default` is told to a receiver of the stack's own."""
    seen: list[str] = []
    console = Console(verbose=verbose, receivers={"default"}, show=lambda _name, line: seen.append(line))
    for line in lines:
        console.tell(part, line)
    return seen


@pytest.mark.parametrize(
    ("line", "told"),
    [
        pytest.param(CYCLE, "polled a: 4 jobs", id="poll"),
        pytest.param(
            '[t] cycle {"account":"a","jobs":1,"notLookedAt":2,"errors":3,"good":true,"seconds":0.5}',
            "polled a: 1 jobs, 2 not looked at, 3 with errors",
            id="poll-with-trouble",
        ),
        pytest.param(
            '[t] cycle {"account":"a","jobs":0,"notLookedAt":0,"errors":0,"good":false,"error":"Forbidden"}',
            "polled a: 0 jobs, not good: Forbidden",
            id="poll-that-came-to-nothing",
        ),
        pytest.param(
            '[t] job-error {"account":"a","job":"j","error":"Forbidden","requestId":"r"}',
            "job-error: account a, job j, error Forbidden",
            id="anything-else-of-the-app",
        ),
        pytest.param(
            '[t] attempt {"webhook":"default","event":"e","tries":2,"verdict":"retry","reason":"503","durationMs":9}',
            "attempt: webhook default, event e, verdict retry, reason 503",
            id="a-delivery-that-was-not-taken",
        ),
        pytest.param(
            '[t] attempt {"webhook":"theirs","event":"e","tries":1,"verdict":"delivered","reason":"204"}',
            "attempt: webhook theirs, event e, verdict delivered, reason 204",
            id="a-delivery-to-a-receiver-elsewhere",
        ),
        pytest.param("[t] The queue 'q' can't be read", "The queue 'q' can't be read", id="what-the-host-warns-of"),
        pytest.param("ended, starting it again", "ended, starting it again", id="what-the-supervisor-says"),
    ],
)  # fmt: skip
def test_what_happens_is_a_line(line: str, told: str) -> None:
    """What the host tells is shown in words, without what differs at each telling."""
    assert shown(line) == [told]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("", id="nothing"),
        pytest.param("  ", id="spaces"),
        pytest.param('[t] attempt {"webhook":"default","event":"e","verdict":"delivered"}', id="its-receiver-says-so"),
        pytest.param('[t] digest {"webhook":"default","account":"a","verdict":"delivered"}', id="a-chat-message-too"),
        pytest.param('[t] digest-postponed {"webhook":"w","error":"0:The update condition"}', id="a-moment-later"),
    ],
)
def test_what_is_no_news_is_no_line(line: str) -> None:
    """Empty lines, and deliveries that a receiver of the stack's own tells of, are left out."""
    assert shown(line) == []


def test_what_stays_the_same_is_said_once() -> None:
    """A poll, an error or a warning is a line when it is other than the last of its kind; another account's is one."""
    quicker, fewer = CYCLE.replace("0.5", "0.1"), CYCLE.replace("4", "3")
    other, warning = CYCLE.replace('"a"', '"b"'), "[t] no token"
    assert shown(CYCLE, quicker, warning, other, fewer, warning.replace("t]", "u]"), CYCLE) == [
        "polled a: 4 jobs",
        "no token",
        "polled b: 4 jobs",
        "polled a: 3 jobs",
        "polled a: 4 jobs",
    ]
    assert shown("ended", "ended") == ["ended", "ended"]


def test_other_parts_are_shown_as_they_speak() -> None:
    """Only the host says too much."""
    assert shown(CYCLE, CYCLE, part="batch") == [CYCLE, CYCLE]


def test_a_line_is_a_line() -> None:
    """What is too long for anybody to read is cut."""
    assert [len(line) for line in shown("[t] " + 1000 * "x")] == [304]


def test_verbose_shows_all() -> None:
    """Who asks for every line gets each as it was said."""
    long = "[t] " + 1000 * "x"
    assert shown(CYCLE, CYCLE, long, verbose=True) == [CYCLE, CYCLE, long]


def test_the_address_stays_in_sight() -> None:
    """The address comes again after so many lines that it has left the screen, and never because of itself."""
    seen: list[str] = []
    console = Console(verbose=False, show=lambda _name, line: seen.append(line))
    console.keep_in_sight(ADDRESS)
    for number in range(60):
        console.tell("batch", f"{number}")
    assert [number for number, line in enumerate(seen) if line == ADDRESS] == [0, 26, 52]
