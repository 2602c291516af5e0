"""Every way of deploying, expanded by Azure's own engine."""

from pathlib import Path

import pytest

from shared.settings.settings import load_settings
from tests.stack.infra.azd import parameters
from tests.stack.infra.bicep import INFRA, Bicep
from tests.stack.infra.conftest import Compile, Expand
from tests.stack.infra.judge import complaints
from tests.stack.infra.ways import WAYS, Way
from tests.support.deployment import build
from tests.support.fake_batch import FakeBatch
from tests.support.fakes import FakeQueues

QUICK = {"one account", "all at once"}

each_way = pytest.mark.parametrize(
    "way",
    [pytest.param(way, id=name, marks=() if name in QUICK else pytest.mark.slow) for name, way in WAYS.items()],
)


@each_way
def test_azure_takes_it_and_makes_what_it_must(way: Way, bare: Path, expand: Expand) -> None:
    """Azure begins the deployment; all that must be there is made and nothing else, each setting in its place."""
    assert complaints(way, expand(way, bare)) == []


@each_way
def test_azure_takes_it_with_its_secrets_hidden(way: Way, bicep: Bicep, compiled: Compile) -> None:
    """The template as it is deployed is accepted too, and what it would make shows no secret."""
    main = INFRA / "main.bicep"
    snapshot = bicep.snapshot(compiled(main), parameters(way.variables, compiled(main)))

    told = repr([snapshot.resources, snapshot.outputs, snapshot.warnings])
    assert [name for name, secret in way.secrets.items() if secret in told] == []


@each_way
def test_the_app_starts_from_its_settings(way: Way, bare: Path, expand: Expand) -> None:
    """The app reads the settings that it gets, and after a poll its diagnostics name nothing of the deployment."""
    settings = load_settings(expand(way, bare).environment)
    app, _ = build(
        settings,
        batch={account.label: FakeBatch() for account in settings.accounts},
        check_address=lambda _address: None,
        queues=FakeQueues() if settings.queue_storage is not None else None,
    )

    for poller in app.pollers.values():
        poller.run()
    checks = app.routes.system.checks.run()

    assert len(checks) > 3
    # A deployment without any webhook is told so.
    wrong = {check.name for check in checks if not check.ok}
    assert wrong == (set() if settings.webhooks else {"webhooks"})
