"""`python -m local.smoke --account URL`: does every read that Prepwatch does, and says what fits and what surprises.

Owns which reads are made. It only reads, with the caller's own identity (DefaultAzureCredential: `az login` is enough)
or BATCH_ACCOUNT_KEY. Answers are recorded scrubbed; look at them before you share them.
"""

import argparse
import base64
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence, Sized
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar
from uuid import uuid4

from azure.identity import DefaultAzureCredential

from local.arguments import whole_number
from local.smoke.recording import Recorded, RecordingTransport
from local.smoke.scrubbing import Scrubber, is_named_in, names_in
from local.smoke.surprises import surprises
from shared.adapters.batch_auth import BatchAuth, SharedKeyAuth, TokenAuth
from shared.adapters.batch_client import BatchClient
from shared.batch.model import NodeStatus
from shared.batch.pool_model import NODE_SELECT, ComputeNode, Task
from shared.batch.wire import DEFAULT_API_VERSION, decode_status, split_entries
from shared.errors import BatchError, JobNotFoundError, NoPreparationTaskError
from shared.polling.job_listing import JOB_SELECT, listing_filter
from shared.polling.standstills import RUNNING_FILTER, TASK_SELECT, WAITS_SELECT
from shared.pools.facts import POOL_SELECT
from shared.pools.watcher import NOT_ABLE
from shared.ports import ListingOptions
from shared.settings.address import parse_address
from shared.settings.catalog import DEFAULTS
from shared.settings.reader import InvalidValueError

FOLDER: Final = Path(__file__).resolve().parents[2] / "tests" / "adapters" / "recorded"
_REACH_BACK: Final = timedelta(days=7)
_TAIL_BYTES: Final = 256
_Result = TypeVar("_Result")
_SMALL_PAGE: Final = 2
_FEW_TASKS: Final = 10


class Smoke:
    """One walk over an account; `said` is what came of each read, `failed` counts the reads that came to nothing."""

    def __init__(self, client: BatchClient, *, most_jobs: int) -> None:
        self._client = client
        self._most_jobs = most_jobs
        self.failed = 0

    def run(self) -> None:
        """Every read that Prepwatch does, as it does them."""
        jobs = self._try("list jobs, filtered and selected", self._list_jobs) or []
        names = jobs[: self._most_jobs]
        if not names:
            print("       no job of the last seven days: run a job with a preparation task, and come again")
        statuses: list[NodeStatus] = []
        for number, name in enumerate(names, 1):
            statuses += self._look_into(number, name)
        pools = [status.pool_id for status in statuses if status.pool_id]
        pools += self._try("count the nodes of all pools", self._count_nodes) or []
        self._look_into_pool(next(iter(pools), None))
        ran = next(_places(statuses), None)
        if ran is None:
            print("       no node has run a preparation task: files could not be tried")
        else:
            self._try("read the end of stderr.txt", lambda: self._tail(*ran, "stderr.txt"))
            self._try("read a file that is not there", lambda: self._tail(*ran, f"{uuid4()}.txt"), (BatchError,))
        missing = f"prepwatch-smoke-{uuid4().hex}"
        self._try(
            "get a job that is not there", lambda: self._client.get_job(missing, select=None), (JobNotFoundError,)
        )

    def _look_into(self, number: int, name: str) -> list[NodeStatus]:
        self._try(f"get job {number}", lambda: self._client.get_job(name, select=JOB_SELECT))
        self._try(f"get what job {number} waits for", lambda: self._client.get_job(name, select=WAITS_SELECT))
        self._try(f"count tasks of job {number}", lambda: self._client.count_tasks(name))
        self._try(f"list running tasks of job {number}", lambda: self._running(name))
        return self._try(f"list statuses of job {number}", lambda: self._list(name)) or []

    def _look_into_pool(self, pool: str | None) -> None:
        if pool is None:
            print("       no pool: pools and their nodes could not be tried")
            return
        self._try("get a pool", lambda: self._client.get_pool(pool, select=POOL_SELECT))
        self._try("list the nodes of a pool that can't work", lambda: self._nodes(pool))

    def _count_nodes(self) -> list[str]:
        return [counts.pool_id for page in self._client.list_node_counts() for counts in page]

    def _nodes(self, pool: str) -> list[ComputeNode]:
        pages = self._client.list_nodes(pool, odata_filter=NOT_ABLE, select=NODE_SELECT)
        return [node for page in pages for node in page]

    def _running(self, job: str) -> list[Task]:
        pages = self._client.list_tasks(job, odata_filter=RUNNING_FILTER, select=TASK_SELECT, max_results=_FEW_TASKS)
        return next(iter(map(list, pages)), [])

    def _list_jobs(self) -> list[str]:
        start = datetime.now(UTC) - _REACH_BACK
        pages = self._client.list_jobs(odata_filter=listing_filter(start), select=JOB_SELECT)
        return [job.id for page in pages for job in page]

    def _list(self, job: str) -> list[NodeStatus]:
        try:
            whole = [
                entry
                for page in self._client.list_statuses(job, ListingOptions())
                for entry in split_entries(page.value)
            ]
        except NoPreparationTaskError:
            return []
        statuses = [decode_status(entry) for entry in whole]
        if len(statuses) > _SMALL_PAGE:
            first = self._client.list_status_page(job, ListingOptions(max_results=_SMALL_PAGE))
            if first.next_link is not None:
                self._client.list_status_page(job, ListingOptions(), link=first.next_link)
        return statuses

    def _tail(self, pool: str, node: str, directory: str, file: str) -> bytes:
        return self._client.read_file_tail(pool, node, f"{directory}/{file}", max_bytes=_TAIL_BYTES)

    def _try(
        self, what: str, read: Callable[[], _Result], refusals: tuple[type[BatchError], ...] = ()
    ) -> _Result | None:
        """Make one read and say what came of it; one with `refusals` fits when it ends in one of them."""
        try:
            result = read()
        except BatchError as error:
            if isinstance(error, refusals):
                print(f"fits   {what}: {error.code}")
                return None
            self.failed += 1
            print(f"FAILS  {what}: {error} (request id {error.request_id})")
            return None
        if refusals:
            self.failed += 1
            print(f"FAILS  {what}: it was answered")
        else:
            amount = f": {len(result)}" if isinstance(result, Sized) else ""
            print(f"fits   {what}{amount}")
        return result


def _places(statuses: Sequence[NodeStatus]) -> Iterator[tuple[str, str, str]]:
    for status in statuses:
        if status.preparation is not None and status.preparation.task_root_directory:
            yield status.pool_id or "", status.node_id or "", status.preparation.task_root_directory


def record(transport: RecordingTransport, folder: Path) -> int:
    """Write one scrubbed answer of each operation and status; how many.

    Raises:
        RuntimeError: A name is left in one; nothing is written then.
    """
    scrubber = Scrubber()
    chosen: dict[str, Recorded] = {}
    for exchange in transport.exchanges:
        # A page behind a link is kept beside a first one; of a kind the longest has the most to tell.
        link = "-link" if "skiptoken" in exchange.url.lower() else ""
        name = f"{exchange.operation}-{exchange.status}{link}"
        if name not in chosen or len(exchange.body) > len(chosen[name].body):
            chosen[name] = exchange
    texts = {name: json.dumps(scrubber.scrub(exchange), indent=1) + "\n" for name, exchange in chosen.items()}
    names = {name for exchange in transport.exchanges for name in names_in(exchange)}
    for name, text in texts.items():
        if any(is_named_in(known, text) for known in names):
            raise RuntimeError(f"{name} still names something of the account; nothing was written. Please report this.")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    return len(texts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Look at the account of the command line; 0 when every read fits."""
    options = _parser().parse_args(arguments)
    try:
        address = parse_address(options.account, allow_path=False)
    except InvalidValueError as error:
        print(f"--account {error}", file=sys.stderr)
        return 2
    transport = RecordingTransport(allow_http=address.origin.startswith("http:"))
    client = BatchClient(
        address.origin, auth=_auth(address.name), transport=transport, clock=_now, api_version=options.api_version
    )
    smoke = Smoke(client, most_jobs=options.jobs)
    smoke.run()
    found = surprises(transport.exchanges, _now())
    for surprise, times in found:
        print(f"{surprise} ({times}x)")
    if found:
        matter = sum(not surprise.harmless for surprise, _ in found)
        print(f"{len(found)} surprises, {matter} of which matter: {'please report those' if matter else 'all is well'}")
    folder = options.record / options.name
    number = record(transport, folder)
    print(f"{number} scrubbed answers in {folder}: look at them, then share them with the project")
    return 1 if smoke.failed else 0


def _auth(host: str) -> BatchAuth:
    if key := os.environ.get("BATCH_ACCOUNT_KEY"):
        return SharedKeyAuth(os.environ.get("BATCH_ACCOUNT_NAME") or host.partition(".")[0], base64.b64decode(key))
    scope = os.environ.get("BATCH_TOKEN_SCOPE") or DEFAULTS["BATCH_TOKEN_SCOPE"]
    return TokenAuth(DefaultAzureCredential(), scope=scope, clock=_now)


def _now() -> datetime:
    return datetime.now(UTC)


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]{1,40}", text):
        raise argparse.ArgumentTypeError("small letters, digits and hyphens, please: it becomes a folder's name")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dev.py smoke",
        description="Does every read that Prepwatch does on a real account, and says what fits, what fails and what "
        "surprises. It only reads, with your own identity (az login is enough) or BATCH_ACCOUNT_KEY. Answers are "
        "recorded scrubbed; look at them before you share them.",
    )
    parser.add_argument("--account", required=True, metavar="URL", help="https://ACCOUNT.REGION.batch.azure.com")
    parser.add_argument("--api-version", default=DEFAULT_API_VERSION, help=f"default {DEFAULT_API_VERSION}")
    parser.add_argument("--jobs", type=whole_number(0), default=5, help="jobs to look into (default 5)")
    parser.add_argument(
        "--record", type=Path, default=FOLDER, help="where recordings go (default: the tests' own folder)"
    )
    parser.add_argument("--name", type=_name, default="account", help="the recording's name (default: account)")
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("smoke: stopped, nothing was recorded")
