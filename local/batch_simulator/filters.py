"""The $filter grammar of the Batch service: which expressions it takes, and what they select.

Owns parsing and meaning. Does not know where the entities come from nor how a refusal is put on the wire.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, TypeAlias

Entity: TypeAlias = Mapping[str, Any]
Predicate: TypeAlias = Callable[[Entity], bool]
Value: TypeAlias = str | int | datetime


class Kind(StrEnum):
    """The literal that a property is compared with."""

    STRING = "String"
    DATE_TIME = "DateTime"
    INT = "Int"


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """What the service allows to be done with one property."""

    kind: Kind
    operators: frozenset[str]


class FilterError(ValueError):
    """The service would refuse this expression with 400; the message is the reason to put into the answer."""


EQUALITY = frozenset({"eq", "ne"})
ORDER = EQUALITY | {"ge", "gt", "le", "lt"}
PREFIX = ORDER | {"startswith"}

_STRING = Property(kind=Kind.STRING, operators=EQUALITY)
_DATE_TIME = Property(kind=Kind.DATE_TIME, operators=ORDER)
_INT = Property(kind=Kind.INT, operators=ORDER)
_NAME = Property(kind=Kind.STRING, operators=PREFIX)

# These tables follow https://learn.microsoft.com/rest/api/batchservice/odata-filters-in-batch. The page gives
# only eq for the two states; the service widened it to ne elsewhere, so both are taken.
STATUS_PROPERTIES: Mapping[str, Property] = {
    "poolId": _STRING,
    "nodeId": _STRING,
    **{
        f"{phase}/{name}": kind
        for phase in ("jobPreparationTaskExecutionInfo", "jobReleaseTaskExecutionInfo")
        for name, kind in (
            ("state", _STRING),
            ("result", _STRING),
            ("startTime", _DATE_TIME),
            ("endTime", _DATE_TIME),
            ("exitCode", _INT),
        )
    },
}
JOB_PROPERTIES: Mapping[str, Property] = {
    "id": _NAME,
    "state": _STRING,
    "stateTransitionTime": _DATE_TIME,
    "creationTime": _DATE_TIME,
    "lastModified": _DATE_TIME,
    "executionInfo/startTime": _DATE_TIME,
    "executionInfo/endTime": _DATE_TIME,
    "executionInfo/poolId": _NAME,
}
# Of pools and tasks the page gives eq alone for the state; of nodes eq and ne.
NODE_PROPERTIES: Mapping[str, Property] = {
    "state": _STRING,
    "stateTransitionTime": _DATE_TIME,
    "lastBootTime": _DATE_TIME,
    "allocationTime": _DATE_TIME,
    "startTaskInfo/state": Property(kind=Kind.STRING, operators=frozenset({"eq"})),
    "startTaskInfo/result": _STRING,
    "startTaskInfo/exitCode": _INT,
    "startTaskInfo/startTime": _DATE_TIME,
    "startTaskInfo/endTime": _DATE_TIME,
}
POOL_PROPERTIES: Mapping[str, Property] = {
    "id": _NAME,
    "state": Property(kind=Kind.STRING, operators=frozenset({"eq"})),
    "allocationState": Property(kind=Kind.STRING, operators=frozenset({"eq"})),
    "stateTransitionTime": _DATE_TIME,
    "allocationStateTransitionTime": _DATE_TIME,
    "creationTime": _DATE_TIME,
    "lastModified": _DATE_TIME,
    "vmSize": _STRING,
}
COUNT_PROPERTIES: Mapping[str, Property] = {"poolId": Property(kind=Kind.STRING, operators=frozenset({"eq"}))}
TASK_PROPERTIES: Mapping[str, Property] = {
    "id": _NAME,
    "state": Property(kind=Kind.STRING, operators=frozenset({"eq"})),
    "stateTransitionTime": _DATE_TIME,
    "creationTime": _DATE_TIME,
    "lastModifiedTime": _DATE_TIME,
    "executionInfo/startTime": _DATE_TIME,
    "executionInfo/endTime": _DATE_TIME,
    "executionInfo/exitCode": _INT,
    "executionInfo/result": _STRING,
}

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<date>(?i:DateTime)'(?P<date_text>[^']*)')
      | (?P<text>'(?:[^']|'')*')
      | (?P<int>-?\d+)
      | (?P<name>[A-Za-z_][\w/]*)
      | (?P<mark>[(),])
    )""",
    re.VERBOSE,
)
_ORDERINGS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "ge": lambda a, b: a >= b,
    "gt": lambda a, b: a > b,
    "le": lambda a, b: a <= b,
    "lt": lambda a, b: a < b,
    "startswith": lambda a, b: a.startswith(b),
}


def parse_filter(text: str, properties: Mapping[str, Property]) -> Predicate:
    """Turn an expression into the predicate that it states.

    Property names are compared as written, values without regard to case. An absent property equals nothing:
    of all operators only `ne` selects it.

    Raises:
        FilterError: unknown property or operator, wrong literal, or no expression at all.
    """
    parser = _Parser(_tokens(text), properties)
    predicate = parser.disjunction()
    parser.end()
    return predicate


def parse_time(text: str) -> datetime:
    """Read RFC 3339 or RFC 1123; without an offset it is UTC.

    Raises:
        ValueError: it is neither.
    """
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        value = parsedate_to_datetime(text)
    return value if value.tzinfo else value.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    value: Value


def _tokens(text: str) -> list[_Token]:
    tokens, position = [], 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise FilterError(f"Unexpected text at position {position}.")
        tokens.append(_token(match))
        position = match.end()
    return tokens


def _token(match: re.Match[str]) -> _Token:
    kind = match.lastgroup or ""
    raw = match[kind]
    if match["date"] is not None:
        try:
            return _Token(Kind.DATE_TIME, parse_time(match["date_text"]))
        except ValueError as exc:
            raise FilterError(f"{raw} is not a date and time.") from exc
    if kind == "text":
        return _Token(Kind.STRING, raw[1:-1].replace("''", "'").lower())
    return _Token(Kind.INT, int(raw)) if kind == "int" else _Token(kind, raw)


class _Parser:
    """Recursive descent: `or` binds weaker than `and`, parentheses strongest."""

    def __init__(self, tokens: list[_Token], properties: Mapping[str, Property]) -> None:
        self._tokens = tokens
        self._properties = properties
        self._position = 0

    def disjunction(self) -> Predicate:
        terms = [self._conjunction()]
        while self._take_word("or"):
            terms.append(self._conjunction())
        return lambda entity: any(term(entity) for term in terms)

    def end(self) -> None:
        if self._position < len(self._tokens):
            raise FilterError(f"Unexpected '{self._tokens[self._position].value}' after the expression.")

    def _conjunction(self) -> Predicate:
        terms = [self._term()]
        while self._take_word("and"):
            terms.append(self._term())
        return lambda entity: all(term(entity) for term in terms)

    def _term(self) -> Predicate:
        if self._take_mark("("):
            inner = self.disjunction()
            self._expect_mark(")")
            return inner
        name = str(self._take("name", "a property").value)
        if name == "startswith" and self._take_mark("("):
            name = str(self._take("name", "a property").value)
            self._expect_mark(",")
            predicate = self._comparison(name, "startswith")
            self._expect_mark(")")
            return predicate
        return self._comparison(name, str(self._take("name", "an operator").value))

    def _comparison(self, name: str, operator: str) -> Predicate:
        known = self._properties.get(name)
        if known is None:
            raise FilterError(f"The property '{name}' is unknown or can't be filtered by.")
        if operator not in known.operators:
            raise FilterError(f"The operator '{operator}' is not allowed for the property '{name}'.")
        wanted = self._take(known.kind, f"a literal of type {known.kind}").value
        compare, path = _ORDERINGS[operator], name.split("/")

        def predicate(entity: Entity) -> bool:
            actual = _look_up(entity, path, known.kind)
            return operator == "ne" if actual is None else compare(actual, wanted)

        return predicate

    def _take(self, kind: str, wanted: str) -> _Token:
        if self._position >= len(self._tokens):
            raise FilterError(f"The expression ends where {wanted} is expected.")
        token = self._tokens[self._position]
        if token.kind != kind:
            raise FilterError(f"'{token.value}' stands where {wanted} is expected.")
        self._position += 1
        return token

    def _take_word(self, word: str) -> bool:
        return self._take_if(lambda token: token.kind == "name" and str(token.value).lower() == word)

    def _take_mark(self, mark: str) -> bool:
        return self._take_if(lambda token: token.kind == "mark" and token.value == mark)

    def _expect_mark(self, mark: str) -> None:
        if not self._take_mark(mark):
            raise FilterError(f"'{mark}' is missing.")

    def _take_if(self, accepts: Callable[[_Token], bool]) -> bool:
        found = self._position < len(self._tokens) and accepts(self._tokens[self._position])
        self._position += found
        return found


def _look_up(entity: Entity, path: list[str], kind: Kind) -> Value | None:
    value: Any = entity
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    if value is None:
        return None
    match kind:
        case Kind.STRING:
            return str(value).lower()
        case Kind.DATE_TIME:
            return parse_time(str(value))
        case Kind.INT:
            return int(value)
