"""Query parameters as the Batch service reads them: which are known, required and within range.

Owns the refusals. Does not know what an operation does with the values.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from local.batch_simulator.filters import FilterError, Predicate, Property, parse_filter
from local.batch_simulator.protocol import Request, bad_parameter

# What azure-batch 14.2 sends, then the four that the specification names from 2024-07 on.
API_VERSIONS = (
    "2024-02-01.19.0",
    "2024-07-01.20.0",
    "2025-06-01.21.0",
    "2025-06-01",
    "2026-10-01",
)
MAX_RESULTS = 1000
_EVERYWHERE = frozenset({"api-version", "timeout"})


class Parameters:
    """The query of one request, looked up without regard to the case of the names."""

    def __init__(self, request: Request, allowed: Collection[str]) -> None:
        """Read the query; `allowed` are the operation's own parameters in lower case.

        Raises:
            BatchError: api-version is missing or unknown, or there is a parameter that the operation lacks.
        """
        self._given = {name.lower(): (name, value) for name, value in request.query.items()}
        version = self.text("api-version")
        if not version:
            raise bad_parameter("MissingRequiredQueryParameter", "api-version", "", "It is required.")
        if version not in API_VERSIONS:
            reason = f"Supported are {', '.join(API_VERSIONS)}."
            raise bad_parameter("UnsupportedRequestVersion", "api-version", version, reason)
        for lower, (name, value) in self._given.items():
            if lower not in _EVERYWHERE and lower not in allowed:
                reason = "This operation does not know it."
                raise bad_parameter("UnsupportedQueryParameter", name, value, reason)
        self.version = version
        self.integer("timeout", minimum=1, maximum=None)

    def text(self, name: str) -> str | None:
        """The value as sent; None when absent or empty."""
        return self._given.get(name, ("", ""))[1] or None

    def integer(self, name: str, *, minimum: int, maximum: int | None) -> int | None:
        """A whole number; None when absent.

        Raises:
            BatchError: it is no number, or out of range.
        """
        text = self.text(name)
        if text is None:
            return None
        spelled = self._given[name][0]
        try:
            value = int(text)
        except ValueError:
            reason = "The value is not an integer."
            raise bad_parameter("InvalidQueryParameterValue", spelled, text, reason) from None
        if value < minimum or (maximum is not None and value > maximum):
            reason = f"The value must be at least {minimum}" + (f" and at most {maximum}." if maximum else ".")
            raise bad_parameter("OutOfRangeQueryParameterValue", spelled, text, reason)
        return value

    def page_size(self, most: int = MAX_RESULTS) -> int:
        """How many entries a page may have, which is also how many it has when nothing is asked.

        Raises:
            BatchError: maxresults is not within 1 and `most`.
        """
        return self.integer("maxresults", minimum=1, maximum=most) or most

    def predicate(self, properties: Mapping[str, Property]) -> Predicate | None:
        """What $filter selects; None when everything.

        Raises:
            BatchError: InvalidQueryParameterValue with the reason.
        """
        text = self.text("$filter")
        if text is None:
            return None
        try:
            return parse_filter(text, properties)
        except FilterError as exc:
            raise bad_parameter("InvalidQueryParameterValue", "$filter", text, str(exc)) from exc

    def selection(self, known: Collection[str]) -> Sequence[str] | None:
        """The names in $select; None when everything.

        Raises:
            BatchError: InvalidQueryParameterValue naming the property that is not known.
        """
        text = self.text("$select")
        if text is None:
            return None
        names = [name.strip() for name in text.split(",")]
        for name in names:
            if name not in known:
                reason = f"The property '{name}' is unknown."
                raise bad_parameter("InvalidQueryParameterValue", "$select", text, reason)
        return names


def select(entity: Mapping[str, Any], names: Sequence[str] | None) -> Mapping[str, Any]:
    """`entity` with the named properties only; None keeps all."""
    return entity if names is None else {name: entity[name] for name in names if name in entity}
