"""A webhook receiver for trying things: verifies, records, tells, and fails when told to.

Owns its own few lines of Standard Webhooks verification, so that what the app signs is checked by
something that shares no code with it. It knows nothing of what an event means, save what it prints.
"""

import argparse
import base64
import binascii
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TextIO

TOLERANCE = timedelta(minutes=5)
SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix that all secrets have
LARGEST_BODY_BYTES = 1024 * 1024


class Reason(StrEnum):
    """Why a request counts as verified, or not."""

    SIGNATURE_MATCHES = "signature matches"
    HEADER_MISSING = "webhook-id, webhook-timestamp or webhook-signature is missing"
    TIMESTAMP_UNREADABLE = "webhook-timestamp is not a whole number of seconds"
    TOO_OLD = "webhook-timestamp is more than 5 minutes ago"
    TOO_NEW = "webhook-timestamp is more than 5 minutes ahead"
    NO_SIGNATURE_MATCHES = "no signature matches the body, or the secret differs"


def key_of(secret: str) -> bytes:
    """Return the key that `whsec_` and base64 stand for.

    Raises:
        ValueError: it is not base64 of 24 to 64 bytes; make one of that length.
    """
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as exc:
        raise ValueError("the secret is not whsec_ followed by base64") from exc
    if not 24 <= len(key) <= 64:
        raise ValueError(f"the secret has {len(key)} bytes, not 24 to 64")
    return key


def verify(headers: Mapping[str, str], body: bytes, *, key: bytes, now: datetime) -> Reason:
    """Judge a request as Standard Webhooks 1.0.0 says; header names are in lower case."""
    message_id = headers.get("webhook-id")
    timestamp = headers.get("webhook-timestamp")
    signatures = headers.get("webhook-signature")
    if not (message_id and timestamp and signatures):
        return Reason.HEADER_MISSING
    if not (timestamp.isascii() and timestamp.isdigit()):
        return Reason.TIMESTAMP_UNREADABLE
    age_seconds = now.timestamp() - int(timestamp)
    if age_seconds > TOLERANCE.total_seconds():
        return Reason.TOO_OLD
    if age_seconds < -TOLERANCE.total_seconds():
        return Reason.TOO_NEW
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
    # No early way out: how long it takes must not tell which signature was nearly right.
    matches = [hmac.compare_digest(expected, offered.encode()) for offered in signatures.split(" ")]
    return Reason.SIGNATURE_MATCHES if any(matches) else Reason.NO_SIGNATURE_MATCHES


def describe(body: bytes) -> str:
    """Say in a few words what event a body holds: type, subject, how many nodes."""
    try:
        event = json.loads(body)
    except ValueError:
        return f"{len(body)} bytes that are not JSON"
    if not isinstance(event, dict):
        return "JSON that is not an event"
    data = event.get("data")
    nodes = data.get("nodes") if isinstance(data, dict) else None
    count = f", {len(nodes)} node(s)" if isinstance(nodes, list) else ""
    return f"{event.get('type', 'no type')} {event.get('subject', '')}".rstrip() + count


@dataclass(slots=True, kw_only=True)
class Answers:
    """Which requests are answered as a failing receiver would, however good their signature.

    *status* is that answer; None means never. *every* counts requests from 1: with 3 it is each third one.
    """

    status: int | None = None
    every: int = 1
    _count: int = field(default=0, init=False)

    def status_for(self, reason: Reason) -> int:
        """Return the status of the answer to the next request."""
        self._count += 1
        if self.status is not None and self._count % self.every == 0:
            return self.status
        return HTTPStatus.NO_CONTENT if reason is Reason.SIGNATURE_MATCHES else HTTPStatus.UNAUTHORIZED


@dataclass(slots=True, kw_only=True)
class Receiver:
    """Judges a request, appends a JSON line about it to *record*, tells it in a line, and answers."""

    key: bytes
    record: TextIO
    answers: Answers
    clock: Callable[[], datetime]
    tell: Callable[[str], None]
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock, init=False)

    def receive(self, headers: Mapping[str, str], body: bytes) -> int:
        """Return the status of the answer; by then the request is recorded."""
        now = self.clock()
        reason = verify(headers, body, key=self.key, now=now)
        verified = reason is Reason.SIGNATURE_MATCHES
        with self._one_at_a_time:
            status = self.answers.status_for(reason)
            line = {
                "receivedAt": now.isoformat().replace("+00:00", "Z"),
                "headers": dict(headers),
                "body": body.decode(errors="replace"),
                "verified": verified,
                "reason": reason,
                "status": status,
            }
            self.record.write(json.dumps(line) + "\n")
            self.record.flush()
        judged = "verified" if verified else f"NOT verified: {reason}"
        self.tell(f"{describe(body)}, {judged} -> {status}")
        return status


def serve(receiver: Receiver, port: int) -> ThreadingHTTPServer:
    """Return a server on loopback, whose serve_forever() is for the caller; port 0 takes a free one."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdigit() or int(length) > LARGEST_BODY_BYTES:
                self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Content-Length missing or above 1 MiB")
                return
            body = self.rfile.read(int(length))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(receiver.receive(headers, body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Stay silent: the receiver tells each event itself."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(prog="python -m local.webhook_receiver", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--secret", required=True, metavar="whsec_...", help="what the sender signs with")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="gets one JSON line per request")
    parser.add_argument("--status", type=int, help="answer this instead of 204 or 401")
    parser.add_argument("--fail-every", type=int, metavar="N", help="answer --status (500) to each Nth request only")
    options = parser.parse_args()
    try:
        key = key_of(options.secret)
    except ValueError as exc:
        parser.error(f"--secret: {exc}")
    failing = options.status or (500 if options.fail_every else None)
    with options.out.open("a", encoding="utf-8") as record:
        receiver = Receiver(
            key=key,
            record=record,
            answers=Answers(status=failing, every=options.fail_every or 1),
            clock=lambda: datetime.now(UTC),
            tell=lambda line: print(f"{line}\n", end="", flush=True),
        )
        with serve(receiver, options.port) as server:
            print(f"listening on http://127.0.0.1:{server.server_port}, recording to {options.out}", flush=True)
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                print("ended", flush=True)


if __name__ == "__main__":
    main()
