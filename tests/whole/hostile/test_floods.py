"""The whole app against a Batch account that floods and never ends, in one job among good ones."""

import time
import tracemalloc
from collections.abc import Iterator

from shared.adapters.batch_client import PAGE_LIMIT
from tests.support.hostile_batch import JSON, account, failed_node, page
from tests.support.scripted_http import Asked, ScriptedAnswer, ScriptedServer
from tests.support.whole_app import whole_app

MEBI = 1024 * 1024


def test_a_page_of_a_gigabyte_is_not_read() -> None:
    """An answer without end is cut off at the limit for a page: in bytes taken, in memory and in time."""
    sent = 0

    def flood() -> Iterator[bytes]:
        nonlocal sent
        yield b'{"value":["'
        for _ in range(1024):
            sent += MEBI
            yield b"x" * MEBI

    def gigabyte(_: Asked) -> ScriptedAnswer:
        return ScriptedAnswer(headers=JSON, body=flood())

    with account({"bad": gigabyte, "other": page(failed_node("n-1"))}) as batch:
        app = whole_app(batch.url)
        started = time.monotonic()
        tracemalloc.start()
        report = app.poll()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert time.monotonic() - started < 30
    assert (report.good, app.job("bad")["error"]["code"]) == (True, "AnswerTooLarge")
    assert sent < 3 * PAGE_LIMIT  # what the sockets on both sides hold is sent, but not read
    assert peak < 2.5 * PAGE_LIMIT
    assert app.post.types() == ["preparation.failed"]


def test_a_listing_that_fills_the_memory_page_by_page_is_given_up() -> None:
    """Pages that are each within bounds and never end are not collected beyond the limit for a listing."""
    filler = b"x" * (60 * MEBI)

    def heap(asked: Asked) -> ScriptedAnswer:
        number = asked.target.count("z")
        link = f"http://{asked.headers['host']}/jobs/bad/jobpreparationandreleasetaskstatus?skip={'z' * (number + 1)}"
        entry = b'{"nodeId":"n-%d","filler":"%b"}' % (number, filler)
        return ScriptedAnswer(headers=JSON, body=b'{"value":[%b],"odata.nextLink":"%b"}' % (entry, link.encode()))

    with account({"bad": heap, "other": page(failed_node("n-1"))}) as batch:
        app = whole_app(batch.url)
        report = app.poll()
        asked = sum("/bad/" in request.target for request in batch.log)

    assert (report.good, app.job("bad")["error"]["code"]) == (True, "ListingTooLarge")
    assert asked == 5
    assert app.post.types() == ["preparation.failed"]


def test_a_slow_drip_ends_with_its_deadline() -> None:
    """An answer that comes byte by byte for ever holds up its own job, for twice the budget at most."""
    closing: list[ScriptedServer] = []

    def drip() -> Iterator[bytes]:
        yield b'{"value":['
        while not closing[0].closing.wait(0.05):
            yield b" "

    plays = {"bad": lambda _: ScriptedAnswer(headers=JSON, body=drip()), "other": page(failed_node("n-1"))}
    with account(plays) as batch:
        closing.append(batch)
        app = whole_app(batch.url, POLL_BUDGET_SECONDS="1")
        started = time.monotonic()
        report = app.poll()
        assert time.monotonic() - started < 10

    assert (report.good, app.job("bad")["error"]["code"]) == (True, "DeadlineExceeded")
    assert app.post.types() == ["preparation.failed"]
