"""How ids and globs match: tracked jobs and pools, and the filters of webhooks.

Owns the matching. Does not own where patterns come from, nor what happens to what matches.
"""

import fnmatch
import functools
import re
from collections.abc import Iterable
from typing import Self

from msgspec import Struct

_JOB_ID = re.compile(r"[A-Za-z0-9_:-]{1,128}")
_POOL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_GLOB = re.compile(r"[A-Za-z0-9_:*?-]{1,128}")


class PatternError(ValueError):
    """A list of patterns can't be used; the message says which entry by its position, never its text."""


def valid_job_id(text: str) -> bool:
    """Whether Batch can have a job of this id; a `:` stands in the ids of jobs that a schedule makes."""
    return _JOB_ID.fullmatch(text) is not None


def valid_pool_id(text: str) -> bool:
    """Whether Batch can have a pool of this id."""
    return _POOL_ID.fullmatch(text) is not None


def valid_glob(text: str) -> bool:
    """Whether some id can match it, of a job or of a pool."""
    return _GLOB.fullmatch(text) is not None


def matches_any(globs: Iterable[str], text: str) -> bool:
    """Whether one of the globs matches the whole text, whatever the case; only `*` and `?` are special."""
    for glob in globs:  # noqa: SIM110 - any() makes a generator, which costs more than most matches
        if glob == "*" or _compile(glob).match(text) is not None:
            return True
    return False


class IdPatterns(Struct, frozen=True, kw_only=True):
    """Which jobs or pools are tracked: those that `included` matches and `excluded` does not."""

    included: tuple[str, ...] = ("*",)
    excluded: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read comma-separated ids and globs, where `!` excludes; exclusions alone leave all others.

        Raises:
            PatternError: an entry can't match any id, or there is no entry; tell who wrote the list.
        """
        entries = [entry.strip() for entry in text.split(",") if entry.strip()]
        if not entries:
            raise PatternError("has no entry")
        for position, entry in enumerate(entries, start=1):
            if not valid_glob(entry.removeprefix("!")):
                raise PatternError(f"has an entry that matches no id (entry {position})")
        excluded = tuple(entry.removeprefix("!") for entry in entries if entry.startswith("!"))
        included = tuple(entry for entry in entries if not entry.startswith("!"))
        return cls(included=included or ("*",), excluded=excluded)

    def matches(self, id_: str) -> bool:
        """Whether what has this id is tracked; an exclusion wins over every inclusion, wherever it stands."""
        return matches_any(self.included, id_) and not matches_any(self.excluded, id_)


@functools.lru_cache(maxsize=1024)
def _compile(glob: str) -> re.Pattern[str]:
    # fnmatch's translation takes linear time however many stars there are; a bracket would open a
    # set of characters, so it is given as a set of its own. ASCII: `K` is not the Kelvin sign.
    return re.compile(fnmatch.translate(glob.replace("[", "[[]")), re.IGNORECASE | re.ASCII)
