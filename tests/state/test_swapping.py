"""What is read, decided and written is begun anew when another writer was first."""

import pytest

from shared.errors import LostRaceError, RowConflictError, StoreError, StoreUnavailableError
from shared.state.swapping import until_written

RACES = (RowConflictError("changed"), LostRaceError("changed"))


def _write(errors: list[StoreError], made: list[str]) -> str:
    made.append("read")
    if errors:
        raise errors.pop()
    return "written"


@pytest.mark.parametrize("race", RACES, ids=lambda race: type(race).__name__)
@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_lost_race_is_run_again(race: StoreError, lost: int) -> None:
    """Whoever loses twice reads and decides anew, and has its third result."""
    made: list[str] = []
    errors = [race] * lost
    assert until_written(lambda: _write(errors, made), "It") == "written"
    assert len(made) == lost + 1


@pytest.mark.parametrize("race", RACES, ids=lambda race: type(race).__name__)
def test_three_lost_races_are_enough(race: StoreError) -> None:
    """Who loses three times gives up, saying what others are writing."""
    made: list[str] = []
    with pytest.raises(LostRaceError, match="It is being written by others"):
        until_written(lambda: _write([race], made), "It")
    assert len(made) == 3


def test_other_errors_end_it() -> None:
    """A table that is away is no race: nothing is tried again."""
    made: list[str] = []
    with pytest.raises(StoreUnavailableError):
        until_written(lambda: _write([StoreUnavailableError("away")], made), "It")
    assert made == ["read"]
