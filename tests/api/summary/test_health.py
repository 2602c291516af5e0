"""GET /api/health, and what both say when the table is away."""

from shared.errors import StoreUnavailableError
from shared.web.routes import Routes
from tests.support.deployment import deploy
from tests.support.fake_table import FakeTable


class _Away(FakeTable):
    def get(self, partition: str, key: str) -> None:
        """Give no answer."""
        raise StoreUnavailableError("away")


def test_store_away() -> None:
    """Without its table the app says so, and when to come again."""
    deployment = deploy(table=_Away())
    told = deployment.ask(Routes.summary)
    assert (told.status, told.body["error"]["code"], told.headers["retry-after"]) == (503, "StoreUnavailable", "5")


def test_health() -> None:
    """Health is 200, or 503 when stale, kept for ten seconds, and says of what is wrong only what it is in general."""
    deployment = deploy()
    statuses = [deployment.ask(Routes.health).status]
    deployment.poll()
    deployment.clock.advance(seconds=9)
    statuses.append(deployment.ask(Routes.health).status)
    deployment.clock.advance(seconds=1)
    statuses.append(deployment.ask(Routes.health).status)
    deployment.clock.advance(seconds=300)
    told = deployment.ask(Routes.health)
    assert [*statuses, told.status] == [503, 503, 200, 503]
    assert told.body == {"reasons": ["an account has not been read for too long: GET /api/summary names it"]}


def test_health_without_store() -> None:
    """A store that is away is no reason to fall over."""
    assert deploy(table=_Away()).ask(Routes.health).status == 503
