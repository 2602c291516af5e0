"""Why a use case refuses what it was asked.

Owns the kinds of refusals, and what is refused when no account, or no single one, is meant. Knows no HTTP: which
status, code and hint a caller gets is decided by `web.errors`.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from msgspec import Struct

from shared.errors import PrepwatchError
from shared.messages.events import Origin


class Problem(Struct, frozen=True, kw_only=True):
    """One thing that is wrong with what was asked: which field, and in words how to mend it."""

    field: str
    message: str


class RefusalError(PrepwatchError):
    """What was asked can't be done; tell whoever asked.

    Args:
        message: Why, in a sentence.
        target: The part of what was asked that it concerns, None for all of it.
        reason: What names this reason among others of its kind, for programs; None when there is but one.
    """

    def __init__(self, message: str, *, target: str | None = None, reason: str | None = None) -> None:
        self.target = target
        self.reason = reason
        super().__init__(message)


class NotFoundError(RefusalError):
    """There is no such thing."""


class AmbiguousError(RefusalError):
    """Several things are meant; ask again and name one of `names` by `target`."""

    def __init__(self, message: str, *, target: str, names: Sequence[str]) -> None:
        self.names = tuple(names)
        super().__init__(message, target=target)


class InvalidError(RefusalError):
    """What was asked makes no sense; `problems` are all that is wrong with it, if more than one thing may be."""

    def __init__(self, message: str, *, target: str, problems: Sequence[Problem] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__(message, target=target)


class ConflictError(RefusalError):
    """It can't be done as things stand; `name_by` is what to name for it to be done all the same, None for nothing."""

    def __init__(self, message: str, *, target: str, reason: str, name_by: str | None = None) -> None:
        self.name_by = name_by
        super().__init__(message, target=target, reason=reason)


class TooSoonError(RefusalError):
    """It was done a moment ago; ask again after `wait`."""

    def __init__(self, message: str, *, target: str, wait: timedelta) -> None:
        self.wait = wait
        super().__init__(message, target=target)


_LISTED = {
    "job": "GET /api/jobs lists those that are known",
    "pool": "GET /api/pools lists those that are watched",
    "webhook": "GET /api/webhooks lists them",
    "mute": "GET /api/mutes lists them",
}
"""Where whoever meant another finds it; there may be such a job or pool in Batch all the same."""


def not_found(what: str, name: str, known: Iterable[str] = ()) -> NotFoundError:
    """There is no such thing of that name; `known` are the names that there are, where they are few."""
    there_are = ", ".join(sorted(known))
    hint = f" here; there are: {there_are}" if there_are else f" here: {_LISTED[what]}" if what in _LISTED else ""
    return NotFoundError(f"There is no {what} {name!r}{hint}.", target=name)


def named(origins: Iterable[Origin], account: str | None) -> tuple[Origin, ...]:
    """The account that is named, or all of them for None.

    Raises:
        NotFoundError: No account of that name is watched.
    """
    origins = tuple(origins)
    found = tuple(origin for origin in origins if account in {None, origin.account})
    if not found:
        raise not_found("account", account or "", (origin.partition for origin in origins))
    return found


def only_account(found: Sequence[Origin], what: str, name: str) -> Origin:
    """The one account in which something of that name was found.

    Raises:
        NotFoundError: It was found in none.
        AmbiguousError: It was found in several.
    """
    if not found:
        raise not_found(what, name)
    if len(found) > 1:
        names = [origin.partition for origin in found]
        raise AmbiguousError(f"Several accounts have a {what} {name!r}", target="account", names=names)
    return found[0]


def invalid(problems: Sequence[Problem]) -> InvalidError:
    """All of this is wrong."""
    message = " ".join(problem.message for problem in problems)
    return InvalidError(message, target=problems[0].field, problems=problems)
