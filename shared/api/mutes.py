"""The mutes that people have set: listed, put and deleted.

Owns where mutes are kept and which ones are refused. Does not own what a mute does (`digests.mutes`) or HTTP.
"""

import re
from datetime import datetime

from msgspec import Struct

from shared.api.refusals import Problem, invalid, not_found
from shared.digests.mutes import Mute, read_mutes
from shared.patterns import valid_glob
from shared.ports import Clock, Delete, Put, Table
from shared.redaction import one_line
from shared.state.rows import OWN, mute_key, to_columns

MAX_GLOBS = 100
MAX_TEXT_BYTES = 1024

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class MuteRequest(Mute, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of PUT /api/mutes/{name}: a mute; `name` and `active`, as answers have them, are passed over."""

    name: str = ""
    active: bool = False


class MuteView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A mute as people see it; `active` while it holds something back."""

    name: str
    jobs: tuple[str, ...]
    pools: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str
    active: bool


class MutesView(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of GET /api/mutes."""

    value: tuple[MuteView, ...]
    next_link: str | None = None


class Mutes(Struct, frozen=True, kw_only=True):
    """Keeps the mutes of all accounts."""

    table: Table
    clock: Clock

    def list_mutes(self) -> tuple[MuteView, ...]:
        """Every mute by name, those that have ended or not yet begun too.

        Raises:
            StoreError: The table can't be read.
        """
        now = self.clock()
        return tuple(_view(name, mute, now) for name, mute in read_mutes(self.table).items())

    def put_mute(self, name: str, mute: Mute) -> MuteView:
        """Set or replace a mute.

        Raises:
            InvalidError: With every field that is wrong and how to mend it.
            StoreError: It is not known whether the mute is set.
        """
        now = self.clock()
        if problems := _problems(name, mute, now):
            raise invalid(problems)
        clean = Mute(
            jobs=mute.jobs,
            pools=mute.pools,
            starts_at=mute.starts_at,
            ends_at=mute.ends_at,
            created_by=one_line(mute.created_by, limit=MAX_TEXT_BYTES),
            comment=one_line(mute.comment, limit=MAX_TEXT_BYTES),
        )
        self.table.transact(OWN, [Put(key=mute_key(name), columns=to_columns(clean))])
        return _view(name, clean, now)

    def delete_mute(self, name: str) -> None:
        """End a mute: what it held back is told.

        Raises:
            NotFoundError: There is no such mute.
            StoreError: It is not known whether the mute is gone.
        """
        if _NAME.fullmatch(name) is None or self.table.get(OWN, mute_key(name)) is None:
            raise not_found("mute", name)
        self.table.transact(OWN, [Delete(key=mute_key(name))])


def _problems(name: str, mute: Mute, now: datetime) -> tuple[Problem, ...]:
    aware = mute.starts_at.tzinfo is not None and mute.ends_at.tzinfo is not None
    checks = (
        ("name", _NAME.fullmatch(name) is not None, "must be 1 to 64 letters, digits, '.', '-' and '_'."),
        ("jobs", bool(mute.jobs or mute.pools), "or pools must name what is to be muted, by ids or globs."),
        ("jobs", len(mute.jobs) <= MAX_GLOBS, f"must name at most {MAX_GLOBS} job ids or globs."),
        ("jobs", all(map(valid_glob, mute.jobs)), "must hold job ids, in which * and ? stand for anything."),
        ("pools", len(mute.pools) <= MAX_GLOBS, f"must name at most {MAX_GLOBS} pool ids or globs."),
        ("pools", all(map(valid_glob, mute.pools)), "must hold pool ids, in which * and ? stand for anything."),
        ("startsAt", mute.starts_at.tzinfo is not None, "must say its offset from UTC, for example by a Z."),
        ("endsAt", mute.ends_at.tzinfo is not None, "must say its offset from UTC, for example by a Z."),
        ("endsAt", not aware or mute.starts_at < mute.ends_at, "must be later than startsAt."),
        ("endsAt", not aware or now < mute.ends_at, "is over already: choose a moment to come."),
        ("createdBy", bool(mute.created_by.strip()), "must say who mutes."),
        ("comment", bool(mute.comment.strip()), "must say why."),
    )
    return tuple(Problem(field=field, message=f"{field} {wrong}") for field, right, wrong in checks if not right)


def _view(name: str, mute: Mute, now: datetime) -> MuteView:
    return MuteView(
        name=name,
        jobs=mute.jobs,
        pools=mute.pools,
        starts_at=mute.starts_at,
        ends_at=mute.ends_at,
        created_by=mute.created_by,
        comment=mute.comment,
        active=mute.starts_at <= now < mute.ends_at,
    )
