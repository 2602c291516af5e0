"""What each service that is stood in for has in common: a request comes in, a verdict goes out.

Owns these words. Does not own any service's rules, nor what is done with a verdict (`receiver`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A POST; names of headers are in lower case, *path* is what follows the host, with the query."""

    path: str = "/"
    headers: Mapping[str, str]
    body: bytes
    at: datetime

    @property
    def media_type(self) -> str:
        """The content type in lower case, without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a service answers, whether it takes the request, and why (not).

    *shows* is what people get to see of it, line by line; *facts* are added to the record.
    """

    status: int
    reason: str
    accepted: bool = True
    answer: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    shows: tuple[str, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)


class RefusedError(Exception):
    """A service would not take this; *answer* is what it says, the message what is wrong with the request."""

    def __init__(self, why: str, *, answer: str = "", status: int = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(why)
        self.answer = answer
        self.status = status

    @property
    def verdict(self) -> Verdict:
        """The refusal as a verdict."""
        return Verdict(status=self.status, reason=str(self), accepted=False, answer=self.answer)


class Service(Protocol):
    """One that takes webhooks."""

    def receive(self, request: Request) -> Verdict:
        """Judge a request, and remember what the service would remember of it."""
        ...


def json_object(body: bytes, *, answer: str = "") -> dict[str, object]:
    """The object that a body holds.

    Raises:
        RefusedError: It holds none; *answer* is what the service says to that.
    """
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise RefusedError("the body is not a JSON object", answer=answer)
    return value
