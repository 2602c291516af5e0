"""Asks one Batch account over HTTP; implements `ports.BatchService`.

Owns which request is sent when: headers, credentials (to the account's own origin only), the renewal of a refused
token, time limits, and the walk along `odata.nextLink`. Does not own the connection (`adapters.http_transport`), the
shapes on the wire (`batch.wire`), nor what an error means to the caller (`errors`).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Final
from urllib.parse import SplitResult, urlsplit
from uuid import UUID, uuid4

from requests.models import PreparedRequest

from shared.adapters.batch_auth import BatchAuth
from shared.adapters.batch_errors import error_from_answer, error_from_transport
from shared.adapters.http_transport import Exchange, HttpTransport
from shared.adapters.sockets import TransportError
from shared.adapters.throttling import Throttle
from shared.batch.job_wire import decode_job, decode_jobs, decode_task_counts
from shared.batch.model import BatchJob, TaskCounts
from shared.batch.pool_model import ComputeNode, NodeCounts, Pool, Task
from shared.batch.pool_wire import decode_node_counts, decode_nodes, decode_pool, decode_tasks
from shared.batch.wire import DEFAULT_API_VERSION, decode_page, path_of, query_of
from shared.errors import HostileAnswerError, RejectedRequestError
from shared.ports import Clock, ListingOptions, ListingPage, Pause
from shared.settings.address import DEFAULT_PORTS

PAGE_LIMIT: Final = 64 * 1024 * 1024
"""Bytes that an answer may have: 1,000 nodes, the most of a page, at 48 KiB and room."""
MOST_PAGES: Final = 1000
"""Pages that a listing may have: a million nodes."""
LISTING_LIMIT: Final = 256 * 1024 * 1024
"""Bytes that all pages of a listing may have together, since whoever decides on it holds them all: 400,000 nodes."""
_REQUEST_LIMIT: Final = timedelta(seconds=60)
_SMALL_ANSWER: Final = 1024 * 1024
_LONGEST_LINK: Final = 16 * 1024
_NOT_IN_A_LINK: Final = re.compile(r"[\x00-\x1f\x7f\\]")
_LENGTH: Final = re.compile(r"[0-9]{1,18}")


class BatchClient:
    """Reads one account; may be used from several threads at once.

    Args:
        account_url: The account's origin, such as `https://account.region.batch.azure.com`.
        auth: What the account knows us by; it is asked for a header for this origin only.
        transport: Makes the exchanges and keeps connections; several clients may share it.
        clock: What deadlines are held against.
        api_version: Any since 2018; decides the spelling of the options.
        page_limit: Bytes that one answer may have.
        new_request_id: Makes each request's client-request-id.
        count: Takes the status of every answer, None when there was none.
        pause: Lets time pass while Batch wants to be left alone; None: what it refuses for now is not asked again.
    """

    def __init__(
        self,
        account_url: str,
        *,
        auth: BatchAuth,
        transport: HttpTransport,
        clock: Clock,
        api_version: str = DEFAULT_API_VERSION,
        page_limit: int = PAGE_LIMIT,
        new_request_id: Callable[[], UUID] = uuid4,
        count: Callable[[int | None], None] = lambda _status: None,
        pause: Pause | None = None,
    ) -> None:
        parts = urlsplit(account_url)
        self._origin = _origin(parts)
        self._base = f"{parts.scheme}://{parts.netloc}"
        self._auth = auth
        self._transport = transport
        self._clock = clock
        self._api_version = api_version
        self._page_limit = page_limit
        self._new_request_id = new_request_id
        self._count = count
        self._patience = Throttle(clock, pause)

    def list_jobs(
        self, *, odata_filter: str | None, select: str | None, deadline: datetime | None = None
    ) -> Iterator[Sequence[BatchJob]]:
        """The account's jobs, page by page; see `ports.BatchService`."""
        query = query_of(self._api_version, odata_filter=odata_filter, select=select)
        for page in self._pages(f"{path_of('jobs')}?{query}", deadline):
            yield decode_jobs(page.value)

    def get_job(self, job_id: str, *, select: str | None, deadline: datetime | None = None) -> BatchJob:
        """One job; see `ports.BatchService`."""
        target = f"{path_of('jobs', job_id)}?{query_of(self._api_version, select=select)}"
        job = decode_job(self._get(target, deadline, limit=_SMALL_ANSWER).body)
        if job.id.lower() != job_id.lower():
            raise HostileAnswerError("InvalidAnswer", "Batch's answer is about another job - at `$.id`")
        return job

    def list_statuses(
        self, job_id: str, options: ListingOptions, *, deadline: datetime | None = None
    ) -> Iterator[ListingPage]:
        """The statuses of one job, page by page; at most one page is held at a time; see `ports.BatchService`."""
        return self._pages(self._statuses(job_id, options), deadline)

    def list_status_page(self, job_id: str, options: ListingOptions, *, link: str | None = None) -> ListingPage:
        """Exactly one page; a *link* that is not of this account is a RejectedRequestError."""
        if link is None:
            return self._page(self._statuses(job_id, options), None)
        try:
            target = self._target_of(link)
        except ValueError as error:
            raise RejectedRequestError("ForeignLink", f"The link can't be followed: {error}") from None
        return self._page(target, None)

    def count_tasks(self, job_id: str, *, deadline: datetime | None = None) -> TaskCounts:
        """The job's tasks by state; see `ports.BatchService`."""
        target = f"{path_of('jobs', job_id, 'taskcounts')}?{query_of(self._api_version)}"
        return decode_task_counts(self._get(target, deadline, limit=_SMALL_ANSWER).body)

    def list_node_counts(self, *, deadline: datetime | None = None) -> Iterator[Sequence[NodeCounts]]:
        """The nodes of every pool by state, page by page; see `ports.BatchService`."""
        for page in self._pages(f"{path_of('nodecounts')}?{query_of(self._api_version)}", deadline):
            yield decode_node_counts(page.value)

    def get_pool(self, pool_id: str, *, select: str | None, deadline: datetime | None = None) -> Pool:
        """One pool; see `ports.BatchService`."""
        target = f"{path_of('pools', pool_id)}?{query_of(self._api_version, select=select)}"
        return decode_pool(self._get(target, deadline, limit=_SMALL_ANSWER).body)

    def list_nodes(
        self, pool_id: str, *, odata_filter: str | None, select: str | None, deadline: datetime | None = None
    ) -> Iterator[Sequence[ComputeNode]]:
        """The nodes of a pool, page by page; see `ports.BatchService`."""
        query = query_of(self._api_version, odata_filter=odata_filter, select=select)
        for page in self._pages(f"{path_of('pools', pool_id, 'nodes')}?{query}", deadline):
            yield decode_nodes(page.value)

    def list_tasks(
        self,
        job_id: str,
        *,
        odata_filter: str | None,
        select: str | None,
        max_results: int | None = None,
        deadline: datetime | None = None,
    ) -> Iterator[Sequence[Task]]:
        """The tasks of a job, page by page; see `ports.BatchService`."""
        query = query_of(self._api_version, odata_filter=odata_filter, select=select, max_results=max_results)
        for page in self._pages(f"{path_of('jobs', job_id, 'tasks')}?{query}", deadline):
            yield decode_tasks(page.value)

    def read_file_tail(
        self, pool_id: str, node_id: str, path: str, *, max_bytes: int, deadline: datetime | None = None
    ) -> bytes:
        """The last *max_bytes* of a file: its length is asked for first, since a range counts from the beginning."""
        target = f"{path_of('pools', pool_id, 'nodes', node_id, 'files', path)}?{query_of(self._api_version)}"
        length = self._ask("HEAD", target, deadline, limit=_SMALL_ANSWER).headers.get("content-length", "")
        if not _LENGTH.fullmatch(length):
            raise HostileAnswerError("InvalidAnswer", "Batch did not say how long the file is (Content-Length)")
        end = int(length)
        if end == 0 or max_bytes <= 0:
            return b""
        byte_range = f"bytes={max(0, end - max_bytes)}-{end - 1}"
        # An error may be longer than the tail, and a server that ignores the range sends the whole file.
        limit = max(max_bytes, _SMALL_ANSWER)
        return self._ask("GET", target, deadline, limit=limit, byte_range=byte_range).body[-max_bytes:]

    def _statuses(self, job_id: str, options: ListingOptions) -> str:
        query = query_of(
            self._api_version,
            odata_filter=options.filter,
            select=options.select,
            max_results=options.max_results,
            timeout_seconds=options.timeout_seconds,
        )
        return f"{path_of('jobs', job_id, 'jobpreparationandreleasetaskstatus')}?{query}"

    def _pages(self, target: str, deadline: datetime | None) -> Iterator[ListingPage]:
        followed: set[str] = set()
        left = LISTING_LIMIT
        for _ in range(MOST_PAGES):
            page = self._page(target, deadline)
            left -= len(page.value)
            if left < 0:
                raise HostileAnswerError("ListingTooLarge", f"Batch's listing is longer than {LISTING_LIMIT} bytes")
            link = page.next_link
            yield page
            # While the next page is on its way this one need not be held here too.
            del page
            if link is None:
                return
            if link in followed:
                raise HostileAnswerError("LoopingLink", "Batch's odata.nextLink leads in a circle")
            followed.add(link)
            try:
                target = self._target_of(link)
            except ValueError as error:
                raise HostileAnswerError("ForeignLink", f"Batch's odata.nextLink was not followed: {error}") from None
        raise HostileAnswerError("TooManyPages", f"Batch's listing has not ended after {MOST_PAGES} pages")

    def _page(self, target: str, deadline: datetime | None) -> ListingPage:
        answer = self._get(target, deadline, limit=self._page_limit)
        page = decode_page(answer.body)
        return ListingPage(
            value=bytes(page.value),
            next_link=page.next_link,
            request_id=answer.headers.get("request-id"),
            client_request_id=answer.headers.get("client-request-id"),
            etag=answer.headers.get("etag"),
            last_modified=answer.headers.get("last-modified"),
        )

    def _target_of(self, link: str) -> str:
        """Path and query of a link to our own origin; the origin itself is never taken from a link.

        Raises:
            ValueError: The link leads elsewhere, or is none.
        """
        if len(link) > _LONGEST_LINK or _NOT_IN_A_LINK.search(link):
            raise ValueError("it is too long or holds characters that no URL has")
        parts = urlsplit(link)
        if "@" in parts.netloc or _origin(parts) != self._origin:
            raise ValueError("it is not an absolute URL of the account's own scheme, host and port")
        return f"{parts.path}?{parts.query}"

    def _get(self, target: str, deadline: datetime | None, *, limit: int) -> Exchange:
        return self._ask("GET", target, deadline, limit=limit)

    def _ask(
        self, method: str, target: str, deadline: datetime | None, *, limit: int, byte_range: str | None = None
    ) -> Exchange:
        now = partial(self._ask_now, method, target, deadline, limit=limit, byte_range=byte_range)
        return self._patience.ask(now, deadline)

    def _ask_now(
        self, method: str, target: str, deadline: datetime | None, *, limit: int, byte_range: str | None
    ) -> Exchange:
        """The answer with status 200 (or 206 to a range), after one renewal of a refused token."""
        url = _as_sent(self._base + target)
        answer, refused = self._send(method, url, deadline, limit=limit, byte_range=byte_range)
        if answer.status == HTTPStatus.UNAUTHORIZED and self._auth.renew(refused):
            answer, _ = self._send(method, url, deadline, limit=limit, byte_range=byte_range)
        if answer.status != HTTPStatus.OK and not (byte_range and answer.status == HTTPStatus.PARTIAL_CONTENT):
            raise error_from_answer(answer.status, answer.headers, answer.body, now=self._clock())
        if answer.truncated:
            raise HostileAnswerError("AnswerTooLarge", f"Batch's answer is longer than {limit} bytes")
        return answer

    def _send(
        self, method: str, url: str, deadline: datetime | None, *, limit: int, byte_range: str | None
    ) -> tuple[Exchange, str]:
        """One exchange: the answer, and the Authorization header that was sent."""
        headers = {
            "Accept": "application/json; odata=minimalmetadata",
            "Accept-Encoding": "identity",
            "client-request-id": str(self._new_request_id()),
            "return-client-request-id": "true",
            "ocp-date": format_datetime(self._clock(), usegmt=True),
        }
        if byte_range:
            headers["ocp-range"] = byte_range
        authorization = self._auth.authorize(method, url, headers)
        headers["Authorization"] = authorization
        # After the credential, since a token takes its share of the time; with none left nothing is sent.
        left = _REQUEST_LIMIT if deadline is None else min(deadline - self._clock(), _REQUEST_LIMIT)
        try:
            answer = self._transport.exchange(method, url, headers, deadline=left, max_body=limit)
        except TransportError as error:
            self._count(error.status)
            raise error_from_transport(error) from None
        self._count(answer.status)
        return answer, authorization


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme)


@lru_cache(maxsize=4096)  # every cycle asks for the same listings
def _as_sent(url: str) -> str:
    """The URL as `requests` escapes it, so that what is signed is what is sent."""
    prepared = PreparedRequest()
    prepared.prepare_url(url, None)
    return prepared.url or url
