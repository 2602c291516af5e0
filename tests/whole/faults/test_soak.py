"""The soak in its short form: several processes at once, under faults."""

from pathlib import Path

from local.azurite import Azurite
from trials.soak.run import soak


def test_bad_weather_loses_and_invents_nothing(azurite: Azurite, tmp_path: Path) -> None:
    """Two pollers and two deliverers that are killed and cut off tell every failure, and none twice for no reason."""
    outcome = soak(azurite, 12, 1, tmp_path)
    assert outcome.good, f"{outcome}\n{outcome.verdict!r}\n{outcome.still_due}"
    assert outcome.failures > 0
    assert outcome.faults["killed"] > 0
