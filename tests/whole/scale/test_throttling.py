"""An account that Batch throttles now and then, or all the time: what is read, and what is said."""

from datetime import timedelta

from tests.support.throttled_account import START, ThrottledAccount

JOBS = 60


def test_light_throttling_is_not_felt() -> None:
    """One 429 in fifty listings, each with a second's Retry-After: every job is read every minute, nothing is told."""
    account = ThrottledAccount(JOBS, every=50)
    account.run(12)

    assert set(account.read.values()) == {JOBS}
    assert account.listings > 12 * JOBS  # it was throttled
    assert account.sender.ids == []
    cycle = account.cycle
    assert (cycle.read_up_to, cycle.trouble, cycle.not_before) == (START + timedelta(minutes=11), None, None)
    assert (cycle.good_cycles, cycle.waiting) == (12, {})


def test_heavy_throttling_is_told_when_the_account_is_blind() -> None:
    """When nothing at all can be read, that is told once and on time, though Batch wants no request."""
    account = ThrottledAccount(JOBS, every=50)
    account.run(1)
    account.every = 1
    account.run(5)
    assert account.sender.ids == []
    account.run(2)
    assert len(account.sender.ids) == 1
    account.run(10)
    assert len(account.sender.ids) == 1


def test_a_throttled_account_gets_on() -> None:
    """Every second listing refused: cycles read what they can, the next goes on, and no cycle is put off."""
    account = ThrottledAccount(JOBS, every=2)
    account.run(8)

    assert len(account.read) == 8
    assert account.cycle.throttles == 0
    assert START + timedelta(minutes=7) - (account.cycle.read_up_to or START) <= timedelta(minutes=3)
    assert account.sender.ids == []
