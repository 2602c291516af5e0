"""A turn is one's own until it is given back, lost, or not kept."""

from datetime import timedelta

import pytest

from shared.errors import StoreUnavailableError
from shared.nudges.turns import CYCLE_LEASE, KEEP_EVERY, WAIT, Running, Turn, Turns, Wait
from shared.ports import Delete, Put
from shared.state.rows import RUNNING, SCHEMA_VERSION, to_columns
from tests.support.fake_table import FakeTable, Fault
from tests.support.fakes import FakeClock, InlineLanes

ACCOUNT = "a.example"


class World:
    """A table and a clock, and turns of several who share them; `meanwhile` happens while somebody waits."""

    def __init__(self) -> None:
        self.table, self.clock = FakeTable(), FakeClock()
        self.meanwhile: list[tuple[timedelta, object]] = []
        self._ids = 0

    def turns(self) -> Turns:
        """Somebody's."""
        return Turns(
            table=self.table,
            account=ACCOUNT,
            lanes=InlineLanes(),
            clock=self.clock,
            pause=self._pause,
            new_id=self._new_id,
        )

    def after(self, wait: timedelta, happen: object) -> None:
        """Let something happen when so much time has passed."""
        self.meanwhile.append((wait, happen))
        self.began = self.clock.now

    def _new_id(self) -> str:
        self._ids += 1
        return f"lease-{self._ids}"

    def _pause(self, duration: timedelta) -> None:
        self.clock.advance(duration)
        for wait, happen in list(self.meanwhile):
            if self.clock.now - self.began >= wait:
                self.meanwhile.remove((wait, happen))
                happen()  # type: ignore[operator]  # it is a callable


def _taken(world: World) -> tuple[Turns, Turn]:
    turns = world.turns()
    turn = turns.take(Wait.UNTIL_IT_LIVES)
    assert turn is not None
    return turns, turn


def test_a_free_turn_is_had_with_one_write() -> None:
    """Nobody waits, nothing is read, and one row is written."""
    world = World()
    _, turn = _taken(world)
    assert (turn.waited, len(world.table.writes)) == (False, 1)


@pytest.mark.parametrize("wait", list(Wait))
def test_who_comes_second_joins(wait: Wait) -> None:
    """When the one that runs has ended, there is nothing left to do."""
    world = World()
    holder, turn = _taken(world)
    world.after(timedelta(seconds=8), lambda: holder.give_back(turn))
    began = world.clock.now
    assert world.turns().take(wait) is None
    assert timedelta(seconds=8) <= world.clock.now - began < timedelta(seconds=9)


def test_a_sign_of_life_is_enough_for_the_timer() -> None:
    """Who only wants that somebody polls goes when the lease is kept; who wants the end stays for it."""
    world = World()
    holder, turn = _taken(world)
    world.after(KEEP_EVERY, lambda: holder.keep(turn))
    began = world.clock.now
    assert world.turns().take(Wait.UNTIL_IT_LIVES) is None
    assert world.clock.now - began < KEEP_EVERY + timedelta(seconds=1)
    for tick in range(1, 5):
        world.after(tick * KEEP_EVERY, lambda: holder.keep(turn))
    world.after(timedelta(seconds=45), lambda: holder.give_back(turn))
    assert world.turns().take(Wait.UNTIL_IT_ENDS) is None


@pytest.mark.parametrize("wait", list(Wait))
def test_a_holder_that_died_is_taken_over(wait: Wait) -> None:
    """After a lease without a sign of life, and it learns that when it comes back."""
    world = World()
    holder, turn = _taken(world)
    began = world.clock.now
    taken = world.turns().take(wait)
    assert taken is not None
    assert taken.waited
    assert world.clock.now - began == CYCLE_LEASE
    holder.keep(turn)
    assert (turn.lost, holder.is_held(turn)) == (True, False)
    holder.give_back(turn)
    assert world.table.get(ACCOUNT, RUNNING) is not None


def test_nobody_waits_for_ever() -> None:
    """A cycle that is kept alive for minutes is left to itself."""
    world = World()
    holder, turn = _taken(world)
    for tick in range(1, 20):
        world.after(tick * KEEP_EVERY, lambda: holder.keep(turn))
    began = world.clock.now
    assert world.turns().take(Wait.UNTIL_IT_ENDS) is None
    assert world.clock.now - began <= WAIT + timedelta(seconds=1)


@pytest.mark.parametrize("fault", list(Fault))
def test_a_lost_answer_is_settled_by_the_next(fault: Fault) -> None:
    """Whether the row was written or not, whoever waits a lease has the turn."""
    world = World()
    world.table.fail_next(fault)
    with pytest.raises(StoreUnavailableError):
        world.turns().take(Wait.UNTIL_IT_LIVES)
    began = world.clock.now
    assert world.turns().take(Wait.UNTIL_IT_LIVES) is not None
    assert world.clock.now - began <= CYCLE_LEASE


@pytest.mark.parametrize("fault", list(Fault))
def test_keeping_survives_a_table_that_is_away(fault: Fault) -> None:
    """A sign of life that got lost, or whose answer did, costs nobody the turn."""
    world = World()
    holder, turn = _taken(world)
    world.table.fail_next(fault)
    holder.keep(turn)
    assert not turn.lost
    world.clock.advance(KEEP_EVERY)
    holder.keep(turn)
    assert (turn.lost, holder.is_held(turn)) == (False, True)


def test_the_end_goes_with_what_it_is_recorded_with() -> None:
    """The operation that ends a turn fails for one that was taken over."""
    world = World()
    holder, turn = _taken(world)
    world.table.transact(ACCOUNT, [turn.end()])
    assert world.table.get(ACCOUNT, RUNNING) is None
    assert holder.is_held(turn) is False


def test_work_gives_its_turn_back_however_it_ends() -> None:
    """What it comes to is handed on, what it raises too, and the next begins at once."""
    world = World()

    def fail(_turn: Turn) -> None:
        raise KeyError("defect")

    assert world.turns().run(lambda turn: turn.lease, Wait.UNTIL_IT_LIVES) == "lease-1"
    with pytest.raises(KeyError):
        world.turns().run(fail, Wait.UNTIL_IT_LIVES)
    began = world.clock.now
    assert world.turns().run(lambda turn: turn.lease, Wait.UNTIL_IT_LIVES) == "lease-3"
    assert world.clock.now == began


def test_a_row_that_can_not_be_read_holds_nobody_up() -> None:
    """A lease of another version is taken over: it holds nothing that anybody would miss."""
    world = World()
    world.table.transact(ACCOUNT, [Put(key=RUNNING, columns={"v": SCHEMA_VERSION + 1, "data0": b"x"})])
    assert world.turns().take(Wait.UNTIL_IT_LIVES) is not None


def test_another_that_follows_the_one_met_is_not_waited_for() -> None:
    """The cycle that was met has ended, although another has begun meanwhile."""
    world = World()
    holder, turn = _taken(world)

    def follow() -> None:
        world.table.transact(ACCOUNT, [Delete(key=RUNNING)])
        later = Running(lease="later", leased_until=world.clock.now + CYCLE_LEASE)
        world.table.transact(ACCOUNT, [Put(key=RUNNING, columns=to_columns(later))])

    world.after(timedelta(seconds=3), follow)
    assert world.turns().take(Wait.UNTIL_IT_ENDS) is None
    assert not holder.is_held(turn)
