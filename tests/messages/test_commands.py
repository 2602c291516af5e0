"""Every command that people are handed is one that the Azure CLI takes as it stands."""

import re
import shlex
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.batch.model import Phase
from shared.digests.job_notices import jobs_notice
from shared.messages.commands import (
    Pool,
    assign_role,
    download_file,
    principal_of,
    remove_nodes,
    rerun_start_tasks,
    resource_id,
    show_nodes,
    show_pool,
    show_statuses,
)
from shared.state.jobs import Cause
from tests.printed.command_line import parse
from tests.support.told_jobs import head, news

ACCOUNT = "contoso.westeurope.batch.azure.com"
POOL = Pool(account=ACCOUNT, pool_id="pool-cpu")
NODE = "tvmps_03c1a2b94be0f7d1c5e88b0f2a9d47e6c1a50042d8f3b7e9_d"
STDERR = "workitems/nightly/job-1/jobpreparation/stderr.txt"
_INNER = re.compile(r'"\$\((.*?)\)"')


def commands_in(line: str) -> Iterator[str]:
    """The command, those whose output is one of its words, and the one that xargs gives each line of its output."""
    line, _, each = line.partition(" | xargs -n1 ")
    yield from _INNER.findall(line)
    yield _INNER.sub("of-another-command", line)
    if each:
        yield f"{each} of-the-command-before"


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(download_file(POOL, NODE, STDERR), id="download"),
        pytest.param(remove_nodes(POOL, [NODE]), id="remove one"),
        pytest.param(remove_nodes(POOL, [NODE, "tvmps_1_p"]), id="remove two"),
        pytest.param(show_nodes(POOL), id="show nodes"),
        pytest.param(rerun_start_tasks(POOL), id="run start tasks again"),
        pytest.param(show_pool(POOL, "resizeErrors"), id="show a pool"),
        pytest.param(show_statuses(ACCOUNT, "nightly"), id="show statuses"),
        pytest.param(
            assign_role("Azure Batch Account Reader", principal_of("prepwatch"), resource_id("Microsoft.Batch/x", "a")),
            id="role",
        ),
        pytest.param(assign_role("Storage Table Data Contributor", "1-2-3", "/subscriptions/s"), id="role of an id"),
    ],
)
def test_the_cli_takes_it(line: str) -> None:
    """Each command exists, has every argument that it needs, and none that it does not know."""
    for command in commands_in(line):
        assert parse(command)


def test_what_they_say() -> None:
    """A command names account, endpoint, pool and node, and what is fetched lies in the current directory then."""
    download, remove = parse(download_file(POOL, NODE, STDERR)), parse(remove_nodes(POOL, [NODE, "n2"]))
    for command in (download, remove):
        assert (command["account_name"], command["account_endpoint"]) == ("contoso", ACCOUNT)
        assert command["pool_id"] == "pool-cpu"
    assert (download["node_id"], download["file_path"], download["destination"]) == (NODE, STDERR, "./stderr.txt")
    assert remove["node_list"] == [NODE, "n2"]


@given(pool=st.text(min_size=1), node=st.text(min_size=1))
def test_no_name_breaks_out(pool: str, node: str) -> None:
    """Whatever a pool or a node is called, the shell hands the CLI that very name and nothing else."""
    words = shlex.split(download_file(Pool(account=ACCOUNT, pool_id=pool), node, STDERR))
    assert words[words.index("--pool-id") + 1] == pool
    assert words[words.index("--node-id") + 1] == node
    assert len(words) == 17


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("az batch node reimage --pool-id p --node-id n", "no command"),
        ("az batch node delete --pool-id p", "--node-list"),
        ("az batch node delete --pool-id p --node-list n --force", "--force"),
        ("az batch node delete --account-endpoint a --pool-id p --node-list n", "account's name"),
    ],
)
def test_what_the_cli_refuses_is_found(line: str, why: str) -> None:
    """A command that does not exist, lacks an argument or has one too many is refused here as the CLI does."""
    with pytest.raises(ValueError, match=why):
        parse(line)


def _commands_of(code: str, opened: int, nodes: int) -> tuple[str, ...]:
    """The commands of a message about a job whose nodes fail with this code, so many of them known by name."""
    cause = Cause(phase=Phase.PREPARATION, code=code, message="", nodes=opened, example=("pool", "n0"))
    job = replace(head(opened=opened, failed=opened), causes=(cause,))
    known = tuple(("pool", f"n{number}") for number in range(nodes))
    return jobs_notice(ACCOUNT, [news(job, nodes=known)], {}).sections[0].commands


@pytest.mark.parametrize(
    ("code", "opened", "nodes", "named"),
    [
        pytest.param("FailureExitCode", 12, 5, {"node_id": "n0"}, id="what one of them wrote"),
        pytest.param("ResourceFileWriteFailed", 2, 2, {"node_list": ["n0", "n1"]}, id="all nodes at once"),
        pytest.param("ResourceFileWriteFailed", 12, 5, None, id="not one of twelve"),
        pytest.param("BlobNotFound", 1, 1, None, id="no command helps"),
    ],
)
def test_when_a_command_is_handed(code: str, opened: int, nodes: int, named: dict[str, object] | None) -> None:
    """Messages about one job hand the command that helps with its cause, for all nodes that it is about."""
    commands = _commands_of(code, opened, nodes)
    assert len(commands) == (named is not None)
    for command in commands:
        said = parse(command)
        assert said["pool_id"] == "pool"
        assert {name: said[name] for name in named or {}} == named
