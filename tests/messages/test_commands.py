"""Every command that people are handed is one that the Azure CLI takes as it stands."""

import re
import shlex
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.batch.advice import ADVICE
from shared.batch.model import Phase
from shared.digests.jobs.notices import jobs_notice
from shared.messages import commands
from shared.messages.commands import (
    PoolReference,
    assign_role,
    download_file,
    principal_of,
    remove_nodes,
    resource_id,
    show_statuses,
)
from shared.messages.remedies import Remedy, cause_command, standstill_remedy
from shared.state.jobs import Cause
from shared.state.pools import Standstill, StandstillCause, StandstillReason
from tests.printed.command_line import parse
from tests.support.told_jobs import NOW, head, news

ACCOUNT = "contoso.westeurope.batch.azure.com"
POOL = PoolReference(account=ACCOUNT, pool_id="pool-cpu")
NODE = "tvmps_03c1a2b94be0f7d1c5e88b0f2a9d47e6c1a50042d8f3b7e9_d"
STDERR = "workitems/nightly/job-1/jobpreparation/stderr.txt"
_INNER = re.compile(r'"\$\((.*?)\)"')


def commands_in(line: str) -> Iterator[str]:
    """The command, those whose output is one of its words, and the one that xargs gives each line of its output."""
    line, *each = re.split(r" \| xargs -n\d+ ", line)
    yield from _INNER.findall(line)
    yield _INNER.sub("of-another-command", line)
    yield from (f"{command} of-the-command-before" for command in each)


def _of_code(code: str, *, all_known: bool = False) -> str:
    cause = Cause(phase=Phase.PREPARATION, code=code, message="", nodes=2)
    named = [("pool cpu", "n0"), ("pool cpu", "n1")]
    return cause_command(ACCOUNT, "it's nightly", cause, named, all_known=all_known) or ""


def _remedy_of(reason: StandstillReason, code: str = "FromTheFuture") -> Remedy:
    cause = StandstillCause(code=code, message="m")
    standstill = Standstill(since=NOW, confirmed=True, reason=reason, pool_id="pool cpu", cause=cause, tasks=9)
    return standstill_remedy(ACCOUNT, head("it's nightly"), standstill)


_PRINTED = {
    "download": download_file(POOL, NODE, STDERR),
    "remove one": remove_nodes(POOL, [NODE]),
    "remove two": remove_nodes(POOL, [NODE, "tvmps_1_p"]),
    "show statuses": show_statuses(ACCOUNT, "nightly"),
    "role": assign_role("Azure Batch Account Reader", principal_of("prepwatch"), resource_id("Microsoft.Batch/x", "a")),
    "role of an id": assign_role("Storage Table Data Contributor", "1-2-3", "/subscriptions/s"),
    **{f"of {code}": _of_code(code) for code in ADVICE},
    **{f"of {code}, all known": _of_code(code, all_known=True) for code in ADVICE},
    **{f"of {reason}": _remedy_of(reason).command or "" for reason in StandstillReason},
    "after failed preparation": _remedy_of(StandstillReason.PREPARATION_FAILED).afterwards or "",
}
"""Every command that a message prints, one of each kind, for every code and every reason."""


@pytest.mark.parametrize("line", [pytest.param(line, id=name) for name, line in _PRINTED.items()])
def test_the_cli_takes_it(line: str) -> None:
    """Each command exists, has every argument that it needs, and none that it does not know."""
    for command in commands_in(line):
        assert parse(command)


def test_every_builder_of_commands_is_in_the_table() -> None:
    """No function makes a command that the table above has no line of."""
    builders = {name for name, made in vars(commands).items() if not name.startswith("_") and callable(made)}
    builders -= {"PoolReference", "Phase", "Struct", "Iterable", "quote", "stderr_path"}
    kinds = {"download_file", "remove_nodes", "remove_unprepared_nodes", "rerun_start_tasks"}
    kinds |= {"show_node", "show_nodes", "show_pool"}
    assert builders == {*kinds, "show_job", "show_statuses", "assign_role", "resource_id", "principal_of"}
    names = ("node file download", "node delete", "node show", "node list", "node reboot", "pool show", "job show")
    for name in names:
        assert any(f"az batch {name} " in line for line in _PRINTED.values()), name


@pytest.mark.parametrize("code", ADVICE)
def test_each_code_has_a_command(code: str) -> None:
    """Of each known code a command shows more or mends it, with job, pool and node as the shell hands them over."""
    said = parse(_of_code(code))
    assert said["account_name"] == "contoso"
    assert (said.get("job_id") or "it's nightly", said.get("pool_id") or "pool cpu") == ("it's nightly", "pool cpu")


@pytest.mark.parametrize("reason", StandstillReason, ids=str)
def test_each_standstill_has_its_remedy(reason: StandstillReason) -> None:
    """Each reason says what to do, and has a command: never a reimage."""
    remedy = _remedy_of(reason)
    assert 40 < len(remedy.words) < 220
    assert remedy.command
    assert "reimage" not in remedy.words + remedy.command


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("AccountSpotCoreQuotaReached", "quota"),
        ("AllocationTimedout", "too few"),
        ("FromTheFuture", "what the error asks for"),
    ],
)
def test_a_resize_is_mended_by_its_code(code: str, words: str) -> None:
    """Quota and capacity are told apart, whatever the case of the code; another error names what to mend."""
    assert words in _remedy_of(StandstillReason.RESIZE_FAILED, code).words


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
    words = shlex.split(download_file(PoolReference(account=ACCOUNT, pool_id=pool), node, STDERR))
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
        pytest.param("ResourceFileWriteFailed", 12, 5, {"node_id": "n0"}, id="one to look at, none of twelve removed"),
        pytest.param("BlobNotFound", 1, 1, {"job_id": "nightly"}, id="what the job downloads"),
        pytest.param("CommandLaunchFailed", 1, 1, {"job_id": "nightly"}, id="what the job runs"),
        pytest.param("ApplicationPackageError", 1, 1, {"pool_id": "pool"}, id="what the pool installs"),
        pytest.param("FromTheFuture", 1, 1, None, id="nobody knows what helps"),
    ],
)
def test_when_a_command_is_handed(code: str, opened: int, nodes: int, named: dict[str, object] | None) -> None:
    """Messages about one job hand the command that helps with its cause, for all nodes that it is about."""
    handed = _commands_of(code, opened, nodes)
    assert len(handed) == (named is not None)
    for command in handed:
        said = parse(command)
        assert {name: said[name] for name in named or {}} == named
