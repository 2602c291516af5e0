"""The local receiver judges as the Standard Webhooks library does, and records all that comes."""

import http.client
import io
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
import requests
from standardwebhooks import Webhook

from local.webhook_receiver.receiver import Answers, Receiver
from local.webhook_receiver.server import serve
from local.webhook_receiver.service import Verdict
from local.webhook_receiver.signed import Reason, SignedWebhook, describe, key_of, verify

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET = "whsec_" + "b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIh"
BODY = json.dumps(
    {
        "type": "prepwatch.preparation.failed",
        "subject": "jobs/nightly",
        "data": {"nodes": [{"nodeId": "tvm-ä"}]},
    }
)


def signed(*, secret: str = SECRET, at: datetime = NOW, body: str = BODY) -> dict[str, str]:
    """Return the three headers as the reference library makes them."""
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", at, body),
    }


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        pytest.param(signed(), Reason.SIGNATURE_MATCHES, id="signed"),
        pytest.param(
            signed() | {"webhook-signature": f"v1,bm8= {signed()['webhook-signature']} v1a,x"},
            Reason.SIGNATURE_MATCHES,
            id="one of several",
        ),
        pytest.param(signed(at=NOW - timedelta(minutes=5)), Reason.SIGNATURE_MATCHES, id="just young enough"),
        pytest.param(signed(at=NOW - timedelta(minutes=5, seconds=1)), Reason.TOO_OLD, id="too old"),
        pytest.param(signed(at=NOW + timedelta(minutes=5, seconds=1)), Reason.TOO_NEW, id="too new"),
        pytest.param(signed(secret=OTHER_SECRET), Reason.NO_SIGNATURE_MATCHES, id="other secret"),
        pytest.param(signed(body=BODY + " "), Reason.NO_SIGNATURE_MATCHES, id="other body"),
        pytest.param(signed() | {"webhook-id": "msg_2"}, Reason.NO_SIGNATURE_MATCHES, id="other id"),
        pytest.param(signed() | {"webhook-signature": "v1,ünüsable"}, Reason.NO_SIGNATURE_MATCHES, id="not ASCII"),
        pytest.param(signed() | {"webhook-timestamp": "²"}, Reason.TIMESTAMP_UNREADABLE, id="odd timestamp"),
        pytest.param(signed() | {"webhook-id": ""}, Reason.HEADER_MISSING, id="empty id"),
        pytest.param({}, Reason.HEADER_MISSING, id="unsigned"),
    ],
)
def test_a_request_is_judged(headers: Mapping[str, str], reason: Reason) -> None:
    """What the reference library signed is verified, and nothing else; the reason says why."""
    assert verify(headers, BODY.encode(), key=key_of(SECRET), now=NOW) is reason


@pytest.mark.parametrize("secret", ["whsec_short", "whsec_" + "A" * 40 + "!!", "whsec_" + "A" * 100])
def test_a_bad_secret_is_refused(secret: str) -> None:
    """A secret that is not base64 of 24 to 64 bytes is refused, without repeating it."""
    with pytest.raises(ValueError, match="the secret") as error:
        key_of(secret)
    assert secret not in str(error.value)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (BODY.encode(), "prepwatch.preparation.failed jobs/nightly, 1 node(s)"),
        (b'{"type": "prepwatch.ping"}', "prepwatch.ping"),
        (b"[]", "JSON that is not an event"),
        (b"\xff", "1 bytes that are not JSON"),
    ],
    ids=["event", "ping", "array", "no text"],
)
def test_an_event_is_told_in_a_few_words(body: bytes, words: str) -> None:
    """A line about a request names the event's type, subject and nodes, whatever the body is."""
    assert describe(body) == words


def test_every_third_request_fails() -> None:
    """A receiver told to fail each third request refuses exactly those, good or bad."""
    answers = Answers(status=503, every=3)
    verdicts = [Verdict(status=204, reason="good")] * 3 + [Verdict(status=401, reason="old", accepted=False)] * 3

    assert [answers.to(verdict).status for verdict in verdicts] == [204, 204, 503, 401, 401, 503]


@pytest.fixture
def record() -> io.StringIO:
    """Return what the receiver writes to."""
    return io.StringIO()


@pytest.fixture
def address(record: io.StringIO) -> Iterator[str]:
    """Serve a receiver on loopback."""
    receiver = Receiver(
        format="cloudevents",
        service=SignedWebhook(key=key_of(SECRET)),
        record=record,
        answers=Answers(),
        clock=lambda: NOW,
        tell=lambda _: None,
    )
    with serve({"cloudevents": receiver}, 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook"
        server.shutdown()
        thread.join()


def test_all_requests_are_recorded(address: str, record: io.StringIO) -> None:
    """Good and bad requests leave a line each with headers and body, and get 204 or 401."""
    good = requests.post(address, data=BODY.encode(), headers=signed(), timeout=5)
    bad = requests.post(address, data=b"\xff", headers=signed(), timeout=5)

    lines = [json.loads(line) for line in record.getvalue().splitlines()]
    assert [good.status_code, bad.status_code] == [204, 401]
    assert [(line["verified"], line["status"], line["receivedAt"]) for line in lines] == [
        (True, 204, "2026-11-01T12:00:00Z"),
        (False, 401, "2026-11-01T12:00:00Z"),
    ]
    assert lines[0]["body"] == BODY
    assert lines[0]["headers"]["webhook-id"] == "msg_1"


def test_a_boundless_body_is_not_read(address: str, record: io.StringIO) -> None:
    """A body that says it is above 1 MiB is refused before it is sent, and not recorded."""
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(address).port, timeout=5)
    with closing(connection):
        connection.putrequest("POST", "/hook")
        connection.putheader("Content-Length", str(1024 * 1024 + 1))
        connection.endheaders()

        assert connection.getresponse().status == 413
    assert not record.getvalue()
