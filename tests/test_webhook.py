"""Which events a webhook wants."""

import pytest

from shared.messages.format_table import FORMATS
from shared.webhook import Webhook

FILTERED = Webhook(
    name="x",
    format="cloudevents",
    url="https://a.example",
    content_type="application/json",
    events=("preparation.*", "account.*"),
    jobs=("nightly-*",),
    accounts=("a.example",),
    pools=("gpu-*",),
)


@pytest.mark.parametrize(
    ("event_type", "job_id", "account", "pools", "wanted"),
    [
        pytest.param("prepwatch.preparation.failed", "Nightly-1", "A.example", ["gpu-1"], True, id="all match"),
        pytest.param("preparation.failed", "nightly-1", "a.example", ["gpu-1"], True, id="without prefix"),
        pytest.param("prepwatch.release.failed", "nightly-1", "a.example", ["gpu-1"], False, id="event"),
        pytest.param("prepwatch.preparation.failed", "daily-1", "a.example", ["gpu-1"], False, id="job"),
        pytest.param("prepwatch.preparation.failed", "nightly-1", "b.example", ["gpu-1"], False, id="account"),
        pytest.param("prepwatch.preparation.failed", "nightly-1", "a.example", ["cpu"], False, id="pool"),
        pytest.param("prepwatch.preparation.failed", "nightly-1", "a.example", ["cpu", "gpu-1"], True, id="a pool"),
        pytest.param("prepwatch.preparation.resolved", "nightly-1", "a.example", [], True, id="no pools"),
        pytest.param("prepwatch.account.unreachable", None, "a.example", [], True, id="no job"),
        pytest.param("prepwatch.account.unreachable", None, None, [], True, id="no account"),
    ],
)
def test_filters(event_type: str, job_id: str | None, account: str | None, pools: list[str], *, wanted: bool) -> None:
    """A webhook wants what all its filters let pass, and they pass what has nothing that they could judge."""
    assert FILTERED.wants(event_type, job_id=job_id, account=account, pools=pools) is wanted


def test_formats_that_tell_state() -> None:
    """Chat and pager are told how things stand, the other formats every event."""
    assert {kind for kind, known in FORMATS.items() if known.tells_state} == {
        "teams",
        "slack",
        "pagerduty",
    }
