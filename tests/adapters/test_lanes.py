"""Work runs beside its submitter, in lanes that keep to their width, hide no failure and lose no line of the log."""

import logging
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import timedelta

import pytest

from shared.adapters.lanes import ThreadLanes
from shared.journal import write_defect, write_line

SOON = timedelta(seconds=20)  # a bound against hanging, never waited for
NOW = timedelta(0)


def wait_for(event: threading.Event) -> None:
    """Work that takes until somebody says so."""
    assert event.wait(SOON.total_seconds())


def test_a_lane_runs_as_many_pieces_at_once_as_it_is_wide_and_no_more() -> None:
    """Of 9 pieces on a lane of width 3, three meet at a time; a fourth never runs beside them."""
    lanes, meeting, lock, submitted = ThreadLanes(), threading.Barrier(3), threading.Lock(), threading.Event()
    running, most = 0, 0

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        wait_for(submitted)
        meeting.wait(SOON.total_seconds())
        with lock:
            running -= 1

    for _ in range(9):
        lanes.submit("list", 3, work)
    submitted.set()
    assert lanes.join("list", SOON)
    assert most == 3


def test_work_is_started_in_the_order_of_arrival() -> None:
    """A lane of width 1 does its pieces one after the other, first come first served."""
    lanes, done = ThreadLanes(), list[int]()
    for number in range(50):
        lanes.submit("one", 1, lambda number=number: done.append(number))  # type: ignore[misc]  # mypy infers no default of a lambda
    assert lanes.join(timeout=SOON)
    assert done == list(range(50))


def test_a_slow_lane_holds_up_only_itself() -> None:
    """While one lane waits, another finishes, and a join tells them apart."""
    lanes, release = ThreadLanes(), threading.Event()
    lanes.submit("slow", 1, lambda: wait_for(release))
    done = threading.Event()
    lanes.submit("quick", 1, done.set)
    assert lanes.join("quick", SOON)
    assert done.is_set()
    assert not lanes.join("slow", NOW)
    assert not lanes.join(timeout=NOW)
    release.set()
    assert lanes.join(timeout=SOON)


def test_joining_what_never_ran_is_at_once() -> None:
    """A lane that nobody used is empty."""
    assert ThreadLanes().join("none", NOW)
    assert ThreadLanes().join(timeout=NOW)


def test_a_thread_is_used_again_while_its_lane_has_work_and_then_ends() -> None:
    """Queued work runs on the thread that is there, and nothing is left running when the lane is empty."""
    lanes, threads, release = ThreadLanes(), list[threading.Thread](), threading.Event()
    lanes.submit("one", 1, lambda: wait_for(release))
    for _ in range(5):
        lanes.submit("one", 1, lambda: threads.append(threading.current_thread()))
    release.set()
    assert lanes.join(timeout=SOON)
    assert len(threads) == 5
    assert len(set(threads)) == 1
    assert threads[0].daemon
    threads[0].join(SOON.total_seconds())
    assert not threads[0].is_alive()


def failing(error: BaseException) -> None:
    """Fail with this error."""
    raise error


def test_one_failure_is_raised_by_join_once_and_stops_nothing() -> None:
    """The pieces after a failed one run, the join raises the very error, the next join is clean."""
    lanes, after, error = ThreadLanes(), threading.Event(), KeyError("defect")
    lanes.submit("one", 1, lambda: failing(error))
    lanes.submit("one", 1, after.set)
    with pytest.raises(KeyError) as caught:
        lanes.join("one", SOON)
    assert caught.value is error
    assert after.is_set()
    assert lanes.join("one", NOW)


def test_several_failures_are_raised_together() -> None:
    """Two failed pieces, of any lanes, make one ExceptionGroup with both."""
    lanes = ThreadLanes()
    lanes.submit("one", 1, lambda: failing(KeyError("a")))
    lanes.submit("two", 1, lambda: failing(ValueError("b")))
    with pytest.raises(ExceptionGroup) as caught:
        lanes.join(timeout=SOON)
    assert sorted(map(repr, caught.value.exceptions)) == ["KeyError('a')", "ValueError('b')"]


def test_a_failure_is_told_although_the_time_ran_out() -> None:
    """A join that can't wait for the rest still raises what has failed."""
    lanes, release, failed = ThreadLanes(), threading.Event(), threading.Event()
    lanes.submit("one", 1, lambda: failing(KeyError("a")))
    lanes.submit("one", 1, failed.set)
    lanes.submit("one", 1, lambda: wait_for(release))
    assert failed.wait(SOON.total_seconds())
    with pytest.raises(KeyError):
        lanes.join("one", NOW)
    release.set()
    assert lanes.join("one", SOON)


def test_another_lanes_failure_waits_for_its_own_join() -> None:
    """Joining one lane neither raises nor forgets what failed on another."""
    lanes = ThreadLanes()
    lanes.submit("one", 1, lambda: failing(KeyError("a")))
    lanes.submit("two", 1, lambda: None)
    assert lanes.join("two", SOON)
    with pytest.raises(KeyError):
        lanes.join(timeout=SOON)


INVOCATION: ContextVar[str] = ContextVar("invocation", default="none")


def test_work_sees_the_context_of_its_submitter() -> None:
    """Context variables are those of the moment of submission, also on a thread that another one started."""
    lanes, seen = ThreadLanes(), list[str]()
    for invocation in ("first", "second"):
        token = INVOCATION.set(invocation)
        lanes.submit("one", 1, lambda: seen.append(INVOCATION.get()))
        INVOCATION.reset(token)
    assert lanes.join(timeout=SOON)
    assert seen == ["first", "second"]


def test_work_may_submit_more_work() -> None:
    """A join waits for what the work itself has queued, on whatever lane."""
    lanes, done = ThreadLanes(), threading.Event()
    lanes.submit("one", 1, lambda: lanes.submit("two", 1, done.set))
    assert lanes.join(timeout=SOON)
    assert done.is_set()


class Heard(logging.Handler):
    """Keeps every line with the thread that logged it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.lines.append((threading.get_ident(), record.getMessage().partition(" ")[0]))


@pytest.fixture
def heard() -> Iterator[Heard]:
    """What reaches the log of the app."""
    handler, logger = Heard(), logging.getLogger("prepwatch")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.setLevel(level)
    logger.removeHandler(handler)


def test_what_work_logs_is_logged_by_whoever_joins(heard: Heard) -> None:
    """Lines of work, and of the work that it submits itself, are logged on the thread of the invocation."""
    lanes = ThreadLanes()

    def outer() -> None:
        write_line("outer")
        lanes.submit("inner", 1, lambda: write_line("inner"))
        lanes.join("inner", SOON)

    lanes.submit("outer", 1, outer)
    assert lanes.join("outer", SOON)
    assert heard.lines == [(threading.get_ident(), "outer"), (threading.get_ident(), "inner")]


def test_lines_are_logged_while_others_still_work(heard: Heard) -> None:
    """A long piece of work keeps no line of a finished one back."""
    lanes, release = ThreadLanes(), threading.Event()
    lanes.submit("one", 2, lambda: write_line("quick"))
    lanes.submit("one", 2, lambda: wait_for(release))
    assert not lanes.join("one", timedelta(seconds=0.5))
    assert [line for _, line in heard.lines] == ["quick"]
    release.set()
    assert lanes.join("one", SOON)


def test_lines_before_a_failure_are_logged(heard: Heard) -> None:
    """Work that fails takes no line with it, and its traceback is logged where it can be."""
    lanes, error = ThreadLanes(), KeyError("defect")

    def fail() -> None:
        write_line("before")
        write_defect("job-defect-tried", error)
        failing(error)

    lanes.submit("one", 1, fail)
    with pytest.raises(KeyError):
        lanes.join("one", SOON)
    assert heard.lines == [(threading.get_ident(), "before"), (threading.get_ident(), "job-defect-tried")]


def test_two_invocations_log_what_is_their_own(heard: Heard) -> None:
    """Lines of a lane that two invocations share are logged by the one whose work it was."""
    lanes, both = ThreadLanes(), threading.Barrier(2)

    def invocation(name: str) -> None:
        both.wait(SOON.total_seconds())
        for _ in range(20):
            lanes.submit("shared", 2, lambda: write_line(name))
        lanes.join("shared", SOON)
        write_line(f"end-of-{name}")

    threads = [threading.Thread(target=invocation, args=(name,)) for name in ("first", "second")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON.total_seconds())
    for name, thread in zip(("first", "second"), threads, strict=True):
        assert {where for where, line in heard.lines if line.endswith(name)} == {thread.ident}
        assert [line for _, line in heard.lines].count(name) == 20


def test_what_comes_too_late_to_be_joined_is_logged_with_the_next_line(heard: Heard) -> None:
    """A line of work that outlasts the wait for it is not lost."""
    lanes, release, said = ThreadLanes(), threading.Event(), threading.Event()

    def late() -> None:
        wait_for(release)
        write_line("late")
        said.set()

    lanes.submit("one", 1, late)
    assert not lanes.join("one", NOW)
    release.set()
    wait_for(said)
    write_line("next")
    assert [line for _, line in heard.lines] == ["late", "next"]
    assert lanes.join("one", SOON)
