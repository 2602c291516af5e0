"""Commands of the Azure CLI that people are handed to copy as they stand.

Owns the commands, their arguments and the quoting for a shell; a test holds each against what the CLI itself asks for.
Does not own which one helps (`messages.remedies`, `api.diagnostics`). A node is never reimaged: pools of virtual
machines can't. Sources: https://learn.microsoft.com/cli/azure/batch, azure-cli 2.91.
"""

from collections.abc import Iterable
from shlex import quote

from msgspec import Struct

from shared.batch.model import STDERR, Phase


class PoolReference(Struct, frozen=True, kw_only=True):
    """A pool of an account, by the account's host: `contoso.westeurope.batch.azure.com`."""

    account: str
    pool_id: str


def download_file(pool: PoolReference, node_id: str, path: str) -> str:
    """Fetches a file of a node, `path` being as Batch lists it, into the current directory."""
    # Without a directory in front the CLI takes the destination's for a missing one.
    destination = f"./{path.rpartition('/')[2]}"
    return _batch("node file download", pool, "--node-id", node_id, "--file-path", path, "--destination", destination)


def stderr_path(job_id: str, phase: Phase) -> str:
    """Where a job's preparation or release task writes its stderr on a node, as Batch lists it."""
    return f"workitems/{job_id}/job-1/job{phase.value}/{STDERR}"


def remove_nodes(pool: PoolReference, node_ids: Iterable[str]) -> str:
    """Removes nodes from a pool; one that scales by itself brings others."""
    return _batch("node delete", pool, "--node-list", *node_ids)


def show_node(pool: PoolReference, node_id: str) -> str:
    """Shows a node's state and errors."""
    return _batch("node show", pool, "--node-id", node_id, "--query", "{state:state, errors:errors}")


def show_nodes(pool: PoolReference) -> str:
    """Shows of each node of a pool its state and errors."""
    return _batch("node list", pool, "--query", "[].{id:id, state:state, errors:errors}")


def rerun_start_tasks(pool: PoolReference) -> str:
    """Reboots every node of a pool whose start task failed, which runs it again; for a POSIX shell."""
    chosen = """--filter "state eq 'starttaskfailed'" --query "[].id" --output tsv"""  # quoted as people would
    return f"{_batch('node list', pool)} {chosen} | xargs -n1 {_batch('node reboot', pool, '--node-id')}"


def remove_unprepared_nodes(pool: PoolReference, job_id: str) -> str:
    """Removes every node of a pool on which a job's preparation failed, a hundred at a time; for a POSIX shell."""
    chosen = """--query "[?jobPreparationTaskExecutionInfo.result=='failure'].nodeId" --output tsv"""
    return f"{show_statuses(pool.account, job_id)} {chosen} | xargs -n100 {_batch('node delete', pool, '--node-list')}"


def show_pool(pool: PoolReference, query: str) -> str:
    """Shows of a pool what a JMESPath query asks for."""
    return _batch("pool show", pool, "--query", query)


def show_job(account: str, job_id: str, query: str) -> str:
    """Shows of a job what a JMESPath query asks for."""
    return f"az batch job show {_account(account)} --job-id {quote(job_id)} --query {quote(query)}"


def show_statuses(account: str, job_id: str) -> str:
    """Shows how the preparation and release tasks of a job stand, node by node."""
    return f"az batch job prep-release-status list {_account(account)} --job-id {quote(job_id)}"


def assign_role(role: str, assignee: str, scope: str) -> str:
    """Lets an identity act in a role; `assignee` and `scope` are words of a shell already, such as `resource_id`."""
    return f'az role assignment create --role "{role}" --assignee {assignee} --scope {scope}'


def resource_id(kind: str, name: str) -> str:
    """A word of a shell that stands for a resource's id."""
    return _output(f"az resource list --resource-type {quote(kind)} --name {quote(name)}")


def principal_of(display_name: str) -> str:
    """A word of a shell that stands for the id of the identity of that name."""
    return _output(f"az ad sp list --display-name {quote(display_name)}")


def _batch(command: str, pool: PoolReference, *arguments: str) -> str:
    rest = "".join(f" {quote(argument)}" for argument in arguments)
    return f"az batch {command} {_account(pool.account)} --pool-id {quote(pool.pool_id)}{rest}"


def _account(host: str) -> str:
    # The CLI refuses an endpoint without the account's name.
    return f"--account-name {quote(host.partition('.')[0])} --account-endpoint {quote(host)}"


def _output(command: str) -> str:
    return f"\"$({command} --query '[0].id' --output tsv)\""
