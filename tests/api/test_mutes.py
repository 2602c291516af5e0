"""Mutes: what is refused, what is kept, and whom they hold back."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from shared.api.mutes import Mutes
from shared.api.refusals import InvalidError, NotFoundError
from shared.digests.mutes import Mute, muted_until
from tests.support.fake_table import FakeTable

NOW = datetime(2026, 11, 5, 22, 0, tzinfo=UTC)
NIGHT = Mute(jobs=("nightly-*",), starts_at=NOW, ends_at=NOW + timedelta(hours=8), created_by="op", comment="known")


def _mutes() -> Mutes:
    return Mutes(table=FakeTable(), clock=lambda: NOW)


@pytest.mark.parametrize(
    ("job_id", "after", "held"),
    [
        ("nightly-1", timedelta(0), True),
        ("NIGHTLY-1", timedelta(hours=7), True),
        ("nightly-1", timedelta(seconds=-1), False),
        ("nightly-1", timedelta(hours=8), False),
        ("daily-1", timedelta(hours=1), False),
    ],
    ids=["from its start", "whatever the case", "not before", "not at its end", "no other job"],
)
def test_what_a_mute_holds_back(job_id: str, after: timedelta, *, held: bool) -> None:
    """A mute holds back the jobs that it names, from its start until before its end."""
    assert muted_until([NIGHT], job_id, (), NOW + after) == (NIGHT.ends_at if held else None)


def test_several_mutes() -> None:
    """A job is muted until the last of its mutes ends."""
    longer = msgspec.structs.replace(NIGHT, ends_at=NOW + timedelta(hours=9))
    assert muted_until([longer, NIGHT], "nightly-1", (), NOW) == longer.ends_at


def test_put_list_delete() -> None:
    """A mute that was put is listed until it is deleted, and putting it again replaces it."""
    mutes = _mutes()
    mutes.put_mute("night", NIGHT)
    again = mutes.put_mute("night", msgspec.structs.replace(NIGHT, comment="now with password=hunter2\x1b[0m"))
    assert mutes.list_mutes() == (again,)
    assert again.active
    assert "hunter2" not in again.comment
    mutes.delete_mute("night")
    assert mutes.list_mutes() == ()
    with pytest.raises(NotFoundError):
        mutes.delete_mute("night")


@pytest.mark.parametrize(
    ("name", "wrong", "fields"),
    [
        pytest.param("a/b", {}, {"name"}, id="name"),
        pytest.param("night", {"jobs": ()}, {"jobs"}, id="no jobs"),
        pytest.param("night", {"jobs": ("a b",)}, {"jobs"}, id="impossible job"),
        pytest.param("night", {"ends_at": NOW}, {"endsAt"}, id="no time"),
        pytest.param("night", {"starts_at": NOW - timedelta(2), "ends_at": NOW - timedelta(1)}, {"endsAt"}, id="over"),
        pytest.param("night", {"starts_at": NOW.replace(tzinfo=None)}, {"startsAt"}, id="start without offset"),
        pytest.param("night", {"ends_at": NOW.replace(tzinfo=None)}, {"endsAt"}, id="end without offset"),
        pytest.param("", {"created_by": " ", "comment": ""}, {"name", "createdBy", "comment"}, id="all at once"),
    ],
)
def test_refused(name: str, wrong: dict[str, object], fields: set[str]) -> None:
    """A mute that makes no sense is refused with every field that is wrong, and nothing is kept."""
    mutes = _mutes()
    with pytest.raises(InvalidError) as refused:
        mutes.put_mute(name, msgspec.structs.replace(NIGHT, **wrong))
    assert {problem.field for problem in refused.value.problems} == fields
    assert mutes.list_mutes() == ()


def test_body_of_a_request() -> None:
    """The body has the fields of an Alertmanager silence, in camelCase."""
    body = b'{"jobs":["nightly-*"],"startsAt":"2026-11-05T22:00:00Z","endsAt":"2026-11-06T06:00:00Z",'
    assert msgspec.json.decode(body + b'"createdBy":"op","comment":"known"}', type=Mute) == NIGHT
