"""How pages of a listing are followed, and which links are not."""

import json
import tracemalloc

import pytest

from shared.adapters.batch_auth import SharedKeyAuth
from shared.adapters.shared_key import authorization
from shared.errors import (
    HostileAnswerError,
    RejectedRequestError,
)
from tests.adapters.batch_clients import (
    ACCOUNT,
    KEY_BYTES,
    OPTIONS,
    RecordingAuth,
    client_of,
    nodes_of,
    page_reply,
)
from tests.support.scripted_http import Asked, ScriptedAnswer, ScriptedServer


def test_pages_follow_the_link_verbatim() -> None:
    """The link's own path and query are asked for, also where they differ from the first request's."""

    def respond(asked: Asked) -> ScriptedAnswer:
        if "skipToken" in asked.target:
            return page_reply("c")
        return page_reply("a", "b", link=f"{server.url}/jobs/other/jobpreparationandreleasestatus?$skipToken=b&x=%2b")

    with ScriptedServer(respond=respond) as server:
        assert nodes_of(client_of(server.url)) == ["a", "b", "c"]

    assert server.log[1].target in {
        "/jobs/other/jobpreparationandreleasestatus?$skipToken=b&x=%2b",
        "/jobs/other/jobpreparationandreleasestatus?$skipToken=b&x=%2B",
    }


def test_pages_come_one_at_a_time() -> None:
    """The second page is not asked for before the caller wants it."""
    with ScriptedServer(respond=lambda _: page_reply("a", link=f"{server.url}/x?y=1")) as server:
        next(client_of(server.url).list_statuses("j", OPTIONS))

    assert len(server.log) == 1


def test_memory_is_bounded_by_a_page() -> None:
    """Walking along ten pages of four megabytes never holds more than one answer and its array."""
    size = 4 * 2**20
    body = b'{"value":[{"nodeId":"n","nodeUrl":"' + b"x" * size + b'"}],"odata.nextLink":"%s"}'

    def respond(_: Asked) -> ScriptedAnswer:
        step = len(server.log)
        return page_reply("last") if step == 10 else ScriptedAnswer(body=body % f"{server.url}/x?step={step}".encode())

    with ScriptedServer(respond=respond) as server:
        pages = client_of(server.url).list_statuses("j", OPTIONS)
        next(pages)
        tracemalloc.start()
        try:
            while next(pages, None) is not None:
                pass
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # The third is the server's own copy, which is in the same process.
    assert len(server.log) == 10
    assert peak < 3.5 * size


FOREIGN = {
    "other port": "http://127.0.0.1:{other}/jobs?x=1",
    "other scheme": "https://127.0.0.1:{own}/jobs?x=1",
    "other host": "http://localhost:{own}/jobs",
    "user before our host": "http://a@127.0.0.1:{own}/jobs",
    "our host as a user": "http://127.0.0.1:{own}@127.0.0.1:{other}/jobs",
    "backslash": "http://127.0.0.1:{other}\\@127.0.0.1:{own}/jobs",
    "no scheme": "//127.0.0.1:{own}/jobs",
    "relative": "/jobs?$skipToken=1",
    "line break": "http://127.0.0.1:{own}/jobs\r\nX: y",
    "no URL": "http://[",
    "no port": "http://127.0.0.1:99999999/jobs",
    "empty": "",
    "endless": "http://127.0.0.1:{own}/" + "x" * 20_000,
    "file": "file:///etc/passwd",
}


@pytest.mark.parametrize("link", FOREIGN.values(), ids=FOREIGN.keys())
def test_a_foreign_link_gets_no_request_and_no_credential(link: str) -> None:
    """A link that leaves scheme, host or port is an error before anything is sent or signed."""
    auth = RecordingAuth()
    with ScriptedServer(page_reply("stolen")) as other:
        ports = {"other": other.url.rpartition(":")[2]}

        def respond(_: Asked) -> ScriptedAnswer:
            return page_reply("a", link=link.format(own=server.url.rpartition(":")[2], **ports))

        with ScriptedServer(respond=respond) as server, pytest.raises(HostileAnswerError) as caught:
            nodes_of(client_of(server.url, auth=auth))

    assert caught.value.code == "ForeignLink"
    assert other.log == []
    assert len(server.log) == 1
    assert len(auth.signed) == 1


def test_a_callers_own_link_is_held_to_the_same() -> None:
    """One page can be had by its link; a foreign one is the caller's mistake."""
    with ScriptedServer(page_reply("b")) as server:
        client = client_of(server.url)
        page = client.list_status_page("j", OPTIONS, link=f"{server.url}/jobs/j/x?$skipToken=a")
        with pytest.raises(RejectedRequestError, match="ForeignLink"):
            client.list_status_page("j", OPTIONS, link="http://127.0.0.1:1/jobs")

    assert json.loads(page.value)[0]["nodeId"] == "b"
    assert len(server.log) == 1


def test_a_link_in_a_circle_is_noticed() -> None:
    """A link that was followed before ends the listing with an error."""

    def respond(asked: Asked) -> ScriptedAnswer:
        return page_reply("a", link=f"{server.url}/x?step={'b' if 'step=a' in asked.target else 'a'}")

    with ScriptedServer(respond=respond) as server, pytest.raises(HostileAnswerError, match="LoopingLink"):
        nodes_of(client_of(server.url))

    assert len(server.log) == 3


def test_a_listing_without_end_is_noticed() -> None:
    """After a thousand pages with ever new links the listing is given up."""

    def respond(_: Asked) -> ScriptedAnswer:
        return page_reply(link=f"{server.url}/x?step={len(server.log)}")

    with ScriptedServer(respond=respond) as server, pytest.raises(HostileAnswerError, match="TooManyPages"):
        nodes_of(client_of(server.url))

    assert len(server.log) == 1000


LINKS = {
    "plain": "/jobs/j/status?$skipToken=tvm-1&api-version=2024-07-01.20.0",
    "escapes in lower case": "/jobs/a%3ab/status?$skipToken=%2b%2f",
    "needless escapes": "/jobs/%61/status?%24skipToken=%41",
    "blanks and quotes": "/jobs/j/status?$filter=state eq 'active'&$skipToken=a+b",
    "beyond ASCII": "/jobs/j/status?$skipToken=ä",
    "dots": "/jobs/./a/../j/status?x=1",
    "brackets": "/jobs/j/status?$skipToken=[1]|{2}",
    "fragment": "/jobs/j/status?x=1#part",
    "no query": "/jobs/j/status",
}


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS.keys())
def test_what_is_signed_is_what_is_sent(link: str) -> None:
    """The signature fits the request line as it arrives, however the server spelled its link."""
    with ScriptedServer(page_reply("a")) as server:
        client = client_of(server.url, auth=SharedKeyAuth(ACCOUNT, KEY_BYTES))
        client.list_status_page("j", OPTIONS, link=server.url + link)

    (asked,) = server.log
    signed = {name: value for name, value in asked.headers.items() if name.startswith("ocp-")}
    assert asked.headers["authorization"] == authorization(
        "GET", server.url + asked.target, signed, account=ACCOUNT, key=KEY_BYTES
    )
