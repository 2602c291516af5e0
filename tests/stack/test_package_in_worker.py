"""What is deployed runs by itself: the package, with nothing but requirements.txt, under the production worker."""

import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from local.azurite import Azurite
from local.batch_simulator.statuses import Cause, Phase, failed
from tests.stack.package import build_package
from tests.stack.worker import http, run_worker, timer
from tests.support.stack import app_environment, running_account, running_receiver

JOB = "nightly"


def test_the_package_alone_polls_and_answers(azurite: Azurite, tmp_path: Path) -> None:
    """The unpacked zip is indexed whole, polls a Batch account into Table storage, delivers, and answers `summary`."""
    package, app = tmp_path / "package.zip", tmp_path / "app"
    build_package(package)
    with zipfile.ZipFile(package) as archive:
        archive.extractall(app)
    with running_account() as (world, account), running_receiver() as receiver:
        began = datetime.now(UTC) - timedelta(minutes=5)
        world.add_job(JOB, creation_time=began, pool="pool-1")
        cause = Cause(code="DiskFull", message="There is not enough disk space.", category="ServerError")
        broken = failed(JOB, Phase.PREPARATION, cause, start=began, end=began + timedelta(seconds=9))
        world.set_status(JOB, "pool-1", "node-1", preparation=broken)
        environment = app_environment(account.url, receiver.url, azurite.connection_string)
        run = run_worker(app, [timer("poll"), http("summary"), http("dashboard")], environment=environment)

    assert run.error is None
    assert [result.error for result in run.results] == [None, None, None]
    summary, dashboard = run.results[1].answer, run.results[2].answer
    assert summary is not None
    assert json.loads(summary.body)["totals"]["preparation"]["failed"] == 1
    assert receiver.nodes("prepwatch.preparation.failed") == [(JOB, "node-1")]
    assert dashboard is not None
    assert b"<title>" in dashboard.body
