"""What is done about what keeps a job from going on."""

import pytest
from msgspec.structs import replace

from shared.batch.model import Phase
from shared.messages.remedies import cause_command, standstill_remedy
from shared.state.jobs import Cause
from shared.state.pools import Standstill, StandstillReason
from tests.messages.test_commands import ACCOUNT, NODE, STDERR, commands_in
from tests.printed.command_line import parse
from tests.support.fakes import START
from tests.support.told_jobs import head

JOB = "nightly"


def _cause(code: str, nodes: int = 1) -> Cause:
    return Cause(phase=Phase.PREPARATION, code=code, message="m", nodes=nodes, example=("pool-cpu", NODE))


@pytest.mark.parametrize(
    ("reason", "begins"),
    [
        (StandstillReason.START_TASK_FAILED, "az batch node list"),
        (StandstillReason.NODES_UNABLE, "az batch node list"),
        (StandstillReason.RESIZE_FAILED, "az batch pool show"),
        (StandstillReason.AUTOSCALE_FAILED, "az batch pool show"),
        (StandstillReason.PREPARATION_FAILED, "az batch node file download"),
        (StandstillReason.PREPARATION_SLOW, "az batch node file download"),
        (StandstillReason.POOL_GONE, "az batch job show"),
        (None, "az batch node file download"),
    ],
)
def test_every_standstill_has_a_remedy(reason: StandstillReason | None, begins: str) -> None:
    """Whatever keeps a job from moving, it is said what to do, and which command that the CLI takes comes first."""
    standstill = Standstill(since=START, reason=reason, pool_id="pool-cpu", tasks=3)
    remedy = standstill_remedy(ACCOUNT, replace(head(JOB), causes=(_cause("FailureExitCode"),)), standstill)
    assert remedy.words.endswith(".")
    assert remedy.command is not None
    assert remedy.command.startswith(begins)
    assert all(map(parse, commands_in(remedy.command)))


def test_a_standstill_without_a_cause_shows_how_the_nodes_stand() -> None:
    """Where no cause says more, the command lists the job's preparation tasks; without a pool there may be none."""
    standstill = Standstill(since=START, reason=StandstillReason.PREPARATION_SLOW)
    command = standstill_remedy(ACCOUNT, replace(head(JOB), causes=()), standstill).command
    assert command is not None
    assert parse(command)["job_id"] == JOB


@pytest.mark.parametrize(
    ("cause", "begins"),
    [
        pytest.param(_cause("FailureExitCode", 40), "az batch node file download", id="said in stderr.txt"),
        pytest.param(_cause("ResourceFileWriteFailed"), "az batch node delete", id="one node at fault"),
        pytest.param(_cause("ResourceFileWriteFailed", 2), "az batch node show", id="several nodes, one is known"),
        pytest.param(_cause("BlobNotFound"), "az batch job show", id="of the job"),
        pytest.param(_cause("FromTheFuture"), None, id="nobody knows what helps"),
        pytest.param(Cause(phase=Phase.RELEASE, code="FailureExitCode", message="m"), None, id="no node known"),
    ],
)
def test_a_command_goes_with_a_cause_where_it_helps(cause: Cause, begins: str | None) -> None:
    """What the task wrote is fetched from a node that has it, and a node alone at fault is removed."""
    command = cause_command(ACCOUNT, JOB, cause)
    assert (command is None) == (begins is None)
    if command is not None and begins is not None:
        assert command.startswith(begins)
        assert parse(command).get("pool_id", "pool-cpu") == "pool-cpu"
        assert parse(command).get("file_path", STDERR) == STDERR
