"""The client against servers that play Batch, well or ill."""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.adapters.batch_auth import SharedKeyAuth
from shared.batch.model import BatchJob, TaskCounts
from shared.errors import (
    AccountDeniedError,
    BatchError,
    BatchUnavailableError,
    HostileAnswerError,
    JobNotFoundError,
    RejectedRequestError,
    ThrottledError,
)
from shared.ports import ListingOptions
from tests.adapters.batch_clients import (
    ACCOUNT,
    KEY,
    KEY_BYTES,
    NOW,
    OPTIONS,
    TOKEN,
    RecordingAuth,
    client_of,
    json_reply,
    nodes_of,
    page_reply,
)
from tests.support.scripted_http import Asked, ScriptedAnswer, ScriptedServer


def test_every_request_option_is_sent() -> None:
    """The operation's query options and headers go out under their own names, under the job's own path."""
    request_id = UUID("9c4d50ee-2d56-4cd3-8152-34347dc9f2b0")
    options = ListingOptions(filter="nodeId eq 'a+b'", select="poolId,nodeId", max_results=7, timeout_seconds=9)
    with ScriptedServer(page_reply("n")) as server:
        client = client_of(server.url, new_request_id=lambda: request_id)
        (_,) = client.list_statuses("sched:job-1", options)

    (asked,) = server.log
    assert asked.method == "GET"
    assert asked.target == (
        "/jobs/sched%3Ajob-1/jobpreparationandreleasetaskstatus"
        "?%24filter=nodeId%20eq%20%27a%2Bb%27&%24select=poolId%2CnodeId"
        "&api-version=2024-07-01.20.0&maxresults=7&timeout=9"
    )
    assert asked.headers["client-request-id"] == str(request_id)
    assert asked.headers["return-client-request-id"] == "true"
    assert asked.headers["ocp-date"] == "Sun, 01 Nov 2026 12:00:00 GMT"
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"


def test_a_newer_version_has_another_name_for_the_time_limit() -> None:
    """From 2025-06-01 on the query option is spelled timeOut."""
    with ScriptedServer(page_reply("n")) as server:
        client = client_of(server.url, api_version="2026-10-01")
        list(client.list_statuses("j", ListingOptions(timeout_seconds=5)))

    assert server.log[0].target.endswith("?api-version=2026-10-01&timeOut=5")


def test_every_answer_header_is_kept() -> None:
    """request-id, client-request-id, ETag and Last-Modified arrive with the page, None when absent."""
    headers = {"request-id": "r", "client-request-id": "c", "ETag": '"0x1"', "Last-Modified": "Sun, 01 Nov 2026"}
    with ScriptedServer(json_reply({"value": []}, headers=headers), json_reply({"value": []})) as server:
        client = client_of(server.url)
        full, bare = client.list_status_page("j", OPTIONS), client.list_status_page("j", OPTIONS)

    assert (full.request_id, full.client_request_id, full.etag) == ("r", "c", '"0x1"')
    assert full.last_modified == "Sun, 01 Nov 2026"
    assert (bare.request_id, bare.client_request_id, bare.etag, bare.last_modified) == (None,) * 4


BROKEN = {
    "cut short in the JSON": ScriptedAnswer(body=b'{"value":[{"nodeId":"a"},'),
    "html": ScriptedAnswer(body=b"<html>Service</html>", headers={"Content-Type": "text/html"}),
    "empty": ScriptedAnswer(body=b""),
    "value is no array": ScriptedAnswer(body=b'{"value":{"nodeId":"a"}}'),
    "nested too deeply": ScriptedAnswer(body=b'{"value":' + b"[" * 200_000),
    "another success": ScriptedAnswer(status=204),
    "a part that nobody asked for": ScriptedAnswer(status=206, body=b'{"value":[]}'),
    "redirect": ScriptedAnswer(status=302, headers={"Location": "/elsewhere"}),
}


@pytest.mark.parametrize("reply", BROKEN.values(), ids=BROKEN.keys())
def test_an_answer_that_breaks_the_contract_is_hostile(reply: ScriptedAnswer) -> None:
    """What is no page of statuses is never taken for one, and a redirect is not followed."""
    with ScriptedServer(reply) as server, pytest.raises(HostileAnswerError):
        nodes_of(client_of(server.url))

    assert len(server.log) == 1


def test_a_connection_cut_in_the_body_is_unavailable() -> None:
    """Fewer bytes than announced are a broken connection and no page."""
    cut = ScriptedAnswer(headers={"Content-Length": "1000"}, body=b'{"value":[]}', hang_up=True)
    with ScriptedServer(cut) as server, pytest.raises(BatchUnavailableError) as caught:
        nodes_of(client_of(server.url))

    assert caught.value.code == "ConnectionFailed"


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
def test_a_huge_page_is_cut_off(announced: bool) -> None:  # noqa: FBT001 - a table of two rows
    """A page of a gigabyte is given up at the limit, long before it is in memory."""
    sent = 0

    def parts() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1024):
            sent += 1
            yield b" " * 2**20

    headers = {"Content-Length": str(2**30)} if announced else {}
    with (
        ScriptedServer(ScriptedAnswer(headers=headers, body=parts())) as server,
        pytest.raises(HostileAnswerError) as caught,
    ):
        nodes_of(client_of(server.url, page_limit=2**20))

    assert caught.value.code == "AnswerTooLarge"
    assert sent < 100


def dripped(closing: threading.Event, body: bytes) -> Iterator[bytes]:
    """One byte at a time, slower than anybody waits."""
    for number in body:
        closing.wait(0.02)
        yield bytes([number])


def test_a_slow_drip_ends_at_the_deadline() -> None:
    """A body that always moves and never ends is given up at the call's deadline."""
    started = datetime.now(UTC)
    drip = ScriptedServer(respond=lambda _: ScriptedAnswer(body=dripped(drip.closing, b" " * 100_000)))
    with drip, pytest.raises(BatchUnavailableError) as caught:
        nodes_of(client_of(drip.url), deadline=NOW + timedelta(seconds=0.5))

    assert caught.value.code == "DeadlineExceeded"
    assert datetime.now(UTC) - started < timedelta(seconds=5)


def test_after_the_deadline_nothing_is_asked() -> None:
    """A deadline that has passed ends a call, and the walk along pages, before the next request."""
    times = iter([NOW, NOW, NOW + timedelta(seconds=5)])

    def clock() -> datetime:
        return next(times, NOW + timedelta(seconds=5))

    with ScriptedServer(respond=lambda _: page_reply("a", link=f"{server.url}/x")) as server:
        pages = client_of(server.url, clock=clock).list_statuses("j", OPTIONS, deadline=NOW + timedelta(seconds=4))
        next(pages)
        with pytest.raises(BatchUnavailableError, match="DeadlineExceeded"):
            next(pages)

    assert len(server.log) == 1


def test_nobody_listening_is_unavailable() -> None:
    """A refused connection is an error of ours in Batch's style, without the query in its text."""
    with ScriptedServer(page_reply()) as server:
        url = server.url
    with pytest.raises(BatchUnavailableError) as caught:
        nodes_of(client_of(url))

    assert caught.value.code == "ConnectionFailed"
    assert caught.value.status is None
    assert "api-version" not in str(caught.value)


@pytest.mark.parametrize("call", ["get_job", "list_jobs", "count_tasks", "list_statuses", "read_file_tail"])
def test_refusals_come_through_every_operation(call: str) -> None:
    """Whatever is asked, Batch's refusal arrives as the error that names its code."""
    body = {"code": "TooManyRequests", "message": {"value": "slow down\nRequestId:abc-1\nTime:x"}}
    with ScriptedServer(json_reply(body, 429, {"Retry-After": "5"})) as server:
        client = client_of(server.url)
        calls: dict[str, Any] = {
            "get_job": lambda: client.get_job("j", select=None),
            "list_jobs": lambda: list(client.list_jobs(odata_filter=None, select=None)),
            "count_tasks": lambda: client.count_tasks("j"),
            "list_statuses": lambda: nodes_of(client),
            "read_file_tail": lambda: client.read_file_tail("p", "n", "f", max_bytes=5),
        }
        with pytest.raises(ThrottledError) as caught:
            calls[call]()

    assert caught.value.retry_after == timedelta(seconds=5)
    assert caught.value.request_id == (None if call == "read_file_tail" else "abc-1")


def test_a_missing_job_is_told_by_its_code() -> None:
    """404 JobNotFound, and nothing else, says that the job is gone."""
    with ScriptedServer(json_reply({"code": "JobNotFound"}, 404), ScriptedAnswer(status=404, body=b"gone")) as server:
        client = client_of(server.url)
        with pytest.raises(JobNotFoundError):
            client.get_job("j", select=None)
        with pytest.raises(RejectedRequestError):
            client.get_job("j", select=None)


def test_a_refused_token_is_renewed_once() -> None:
    """After a 401 the request goes out once more with a new token, and once only."""
    auth = RecordingAuth(renewals=5)
    with ScriptedServer(ScriptedAnswer(status=401), page_reply("a")) as server:
        assert nodes_of(client_of(server.url, auth=auth)) == ["a"]
    with ScriptedServer(ScriptedAnswer(status=401)) as refusing, pytest.raises(AccountDeniedError):
        nodes_of(client_of(refusing.url, auth=auth))

    assert len(server.log) == len(refusing.log) == 2
    assert server.log[0].headers["authorization"] != server.log[1].headers["authorization"]


def test_a_key_is_not_tried_twice() -> None:
    """With an account key a 401 is final at once."""
    with ScriptedServer(ScriptedAnswer(status=401)) as server, pytest.raises(AccountDeniedError):
        nodes_of(client_of(server.url, auth=SharedKeyAuth(ACCOUNT, KEY_BYTES)))

    assert len(server.log) == 1


def test_jobs_are_listed_by_pages() -> None:
    """Filter and select go out, and every page's jobs come in."""

    def respond(asked: Asked) -> ScriptedAnswer:
        if "skip" in asked.target:
            return json_reply({"value": [{"id": "c"}]})
        return json_reply({"value": [{"id": "a"}, {"id": "b"}], "odata.nextLink": f"{server.url}/jobs?$skip=b"})

    with ScriptedServer(respond=respond) as server:
        pages = list(client_of(server.url).list_jobs(odata_filter="state eq 'active'", select="id,state"))

    assert pages == [(BatchJob(id="a"), BatchJob(id="b")), (BatchJob(id="c"),)]
    assert (
        server.log[0].target
        == "/jobs?%24filter=state%20eq%20%27active%27&%24select=id%2Cstate&api-version=2024-07-01.20.0"
    )


def test_tasks_are_counted() -> None:
    """Get Task Counts is asked for the job and read."""
    with ScriptedServer(json_reply({"taskCounts": {"active": 3, "running": 0}})) as server:
        assert client_of(server.url).count_tasks("a:b") == TaskCounts(active=3)

    assert server.log[0].target == "/jobs/a%3Ab/taskcounts?api-version=2024-07-01.20.0"


def test_eight_threads_share_a_client() -> None:
    """Calls from eight threads at once each get their own answer, with one token between them."""

    def respond(asked: Asked) -> ScriptedAnswer:
        return json_reply({"id": asked.target.split("/")[2].split("?")[0]})

    auth = RecordingAuth()
    ids = [f"job-{number}" for number in range(200)]
    with ScriptedServer(respond=respond) as server, ThreadPoolExecutor(8) as threads:
        client = client_of(server.url, auth=auth)
        jobs = list(threads.map(lambda job_id: client.get_job(job_id, select=None), ids))

    assert [job.id for job in jobs] == ids


LEAKS = {
    "refusal": json_reply({"code": "X", "message": {"value": f"you sent Bearer {TOKEN} and sig=c4nary&x"}}, 400),
    "refusal in values": json_reply({"code": "X", "values": [{"key": "h", "value": f"Bearer {TOKEN}"}]}, 403),
    "not JSON": ScriptedAnswer(body=f"Bearer {TOKEN} sig=c4nary".encode()),
    "wrong type": ScriptedAnswer(body=f'{{"value":"Bearer {TOKEN} sig=c4nary"}}'.encode()),
    "foreign link": page_reply(link=f"http://elsewhere/?sig=c4nary&token={TOKEN}"),
    "redirect": ScriptedAnswer(status=307, headers={"Location": f"http://elsewhere/?sig=c4nary&token={TOKEN}"}),
    "cut": ScriptedAnswer(status=0, hang_up=True),
    "refused": ScriptedAnswer(status=401, headers={"WWW-Authenticate": f"Bearer {TOKEN}"}),
}


@pytest.mark.parametrize("reply", LEAKS.values(), ids=LEAKS.keys())
@pytest.mark.parametrize("way", ["token", "key"])
def test_no_secret_is_told(reply: ScriptedAnswer, way: str, caplog: pytest.LogCaptureFixture) -> None:
    """Neither our credential nor a secret that Batch says is in any error text, chained or not, or in a log."""
    caplog.set_level(logging.DEBUG)
    auth = SharedKeyAuth(ACCOUNT, KEY_BYTES) if way == "key" else RecordingAuth()
    with ScriptedServer(reply) as server, pytest.raises(BatchError) as caught:
        nodes_of(client_of(server.url, auth=auth))

    told = caplog.text
    error: BaseException | None = caught.value
    while error is not None:
        told += repr(error) + str(error) + repr(vars(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    sent = server.log[0].headers["authorization"].split()[1]
    for secret in (TOKEN, KEY, "c4nary", sent):
        assert secret not in told
