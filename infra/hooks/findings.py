"""Owns what a finding of the preflight is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that ends the deployment, or is wrong after it: in words, and the line that mends it."""

    what: str
    mend: str
