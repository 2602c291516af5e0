"""Owns the sending of one webhook message, and of the heartbeat, to receivers that nobody vouches for.

It does not own rendering, signing, retries, nor the judgement of an answer: it reports what happened.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from http.client import responses
from ipaddress import ip_address
from pathlib import Path
from socket import SOCK_STREAM, getaddrinfo
from typing import Final
from urllib.parse import urlsplit

from shared.adapters.address_guard import IPNetwork, check_address
from shared.adapters.http_transport import Exchange, HttpTransport
from shared.adapters.sockets import Resolve, TransportError
from shared.settings.address import DEFAULT_PORTS
from shared.webhook import WebhookAnswer, WebhookRequest

MAX_ANSWER_BYTES: Final = 8 * 1024
DEADLINE: Final = timedelta(seconds=20)
"""Standard Webhooks asks for 15 to 30 seconds."""


class WebhookSender:
    """Sends to public https addresses; usable from several threads at once.

    *allowed_cidrs* opens private networks (loopback too, for local use) but never metadata services, and
    *allow_http* opens plain http. *deadline* bounds each attempt as a whole. *ca_bundle* replaces the
    certificate authorities of the system.
    """

    def __init__(
        self,
        *,
        allowed_cidrs: Sequence[IPNetwork] = (),
        allow_http: bool = False,
        deadline: timedelta = DEADLINE,
        ca_bundle: Path | None = None,
        resolve: Resolve = getaddrinfo,
    ) -> None:
        self._deadline = deadline
        self._allowed = tuple(allowed_cidrs)
        self._resolve = resolve
        self._transport = HttpTransport(
            allow_http=allow_http,
            check_address=partial(check_address, allowed=self._allowed),
            keep_alive=False,
            ca_bundle=ca_bundle,
            resolve=resolve,
        )

    def send(self, request: WebhookRequest) -> WebhookAnswer:
        """POST *request* once and report what came of it; nothing that a receiver does raises."""
        return self._call("POST", request.url, request.headers, request.body)

    def get(self, url: str) -> WebhookAnswer:
        """GET *url* once, as the heartbeat does, under the same rules."""
        return self._call("GET", url, {}, None)

    def check(self, url: str) -> str | None:
        """Why the address can't be called, None when it can be: its name is looked up, nothing is sent."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        try:
            found = self._resolve(host, parts.port or DEFAULT_PORTS[parts.scheme], type=SOCK_STREAM)
        except OSError as error:
            return f"The host name {host} can't be resolved: {error.strerror}."
        if not found:
            return f"{host} must not be called: it has no address."
        # As for a message: one address that may not be called forbids the host.
        for entry in found:
            if refusal := check_address(ip_address(entry[4][0]), self._allowed):
                return f"{host} must not be called: {refusal}."
        return None

    def _call(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> WebhookAnswer:
        started = time.monotonic()
        try:
            answer = self._transport.exchange(
                method, url, headers, body, deadline=self._deadline, max_body=MAX_ANSWER_BYTES
            )
        except TransportError as error:
            return WebhookAnswer(
                status=error.status,
                failure=error.failure,
                reason=error.words,
                retry_after=None,
                body=b"",
                duration=timedelta(seconds=time.monotonic() - started),
            )
        return WebhookAnswer(
            status=answer.status,
            failure=None,
            reason=_words(answer),
            retry_after=answer.headers.get("retry-after"),
            body=answer.body,
            duration=timedelta(seconds=time.monotonic() - started),
        )


def _words(answer: Exchange) -> str:
    # Our own phrase for the status: the receiver's might repeat the URL.
    words = f"answered {answer.status} {responses.get(answer.status, '')}".rstrip()
    if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        words += "; redirects are not followed"
    return words
