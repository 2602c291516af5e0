"""Numbers in the text form of OpenMetrics 1.0.0, which Prometheus reads.

Owns the form. Does not own what is measured (`api.metrics`). Pure.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class MetricType(StrEnum):
    """The types of metrics that are used here; the samples of a counter are named with `_total`."""

    GAUGE = "gauge"
    COUNTER = "counter"


class Sample(Struct, frozen=True, kw_only=True):
    """One number and what it is of."""

    labels: Mapping[str, str]
    value: float


class Family(Struct, frozen=True, kw_only=True):
    """All samples of one name; `unit` is empty, or what the name ends with."""

    name: str
    kind: MetricType
    help: str
    unit: str = ""
    samples: tuple[Sample, ...]


def to_text(families: Iterable[Family]) -> bytes:
    """The exposition of the families, complete to its end mark."""
    lines = [line for family in families for line in _lines(family)]
    return "\n".join([*lines, "# EOF", ""]).encode()


def _lines(family: Family) -> Iterable[str]:
    yield f"# TYPE {family.name} {family.kind}"
    if family.unit:
        yield f"# UNIT {family.name} {family.unit}"
    yield f"# HELP {family.name} {_escaped(family.help)}"
    name = f"{family.name}_total" if family.kind is MetricType.COUNTER else family.name
    for sample in family.samples:
        labels = ",".join(f'{key}="{_escaped(value)}"' for key, value in sample.labels.items())
        yield f"{name}{{{labels}}} {_number(sample.value)}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
