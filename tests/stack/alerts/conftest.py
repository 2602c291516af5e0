"""The compiler and the engine that work out what the alert rules are."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stack.alerts.rules import Rule, rules_of
from tests.stack.infra.conftest import Expand, bare, bicep, compiled, expand
from tests.stack.infra.ways import ONE, Way

RulesFor = Callable[[str], dict[str, Rule]]

__all__ = ["bare", "bicep", "compiled", "expand"]


@pytest.fixture(scope="session")
def rules_for(expand: Expand, bare: Path) -> RulesFor:
    """The alert rules, by name, of an app that polls by a schedule."""

    def rules(schedule: str) -> dict[str, Rule]:
        way = Way(variables={**ONE, "ALERT_EMAIL": "ops@example.com", "POLL_SCHEDULE": schedule})
        return {rule.name: rule for rule in rules_of(expand(way, bare))}

    return rules


@pytest.fixture(scope="session")
def rules(rules_for: RulesFor) -> dict[str, Rule]:
    """Those of an app that polls each minute."""
    return rules_for("")
