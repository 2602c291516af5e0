"""A receiver inside the test: judges signatures, writes down what comes, answers as it is told.

Owns the receipts. Verification is local.webhook_receiver's, which shares no code with the app.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler

from local.webhook_receiver.signed import Reason, key_of, verify
from trials.soak.checker import Receipt
from trials.soak.fault_proxy import QuietServer


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedAnswer:
    """How a message is answered; with `silence_seconds` not at all, the connection only closed after them."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    silence_seconds: float = 0
    body: bytes = b""


CHAT = "chat"
"""The path at which a chat service listens: it is told without a signature, and says `ok`."""


class Recorder:
    """Listens on loopback, each webhook at the path of its name; threads may share it.

    `answer` is asked, with the webhook's name, for each message that is verified; others get 401. `chat` holds what
    chat took over.
    """

    def __init__(self, secret: str, clock: Callable[[], datetime]) -> None:
        self.answer: Callable[[str], ScriptedAnswer] = lambda _webhook: ScriptedAnswer()
        self.receipts: list[Receipt] = []
        self.chat: list[str] = []
        self.ended = threading.Event()
        self._key = key_of(secret)
        self._clock = clock
        self._server = QuietServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def receive(self, webhook: str, headers: Mapping[str, str], body: bytes) -> ScriptedAnswer:
        """Judge and write down one message, before anybody hears of the answer."""
        if webhook == CHAT:
            answer = self.answer(webhook)
            if answer.status < 300:
                self.chat.append(body.decode())
                return ScriptedAnswer(status=200, body=b"ok")
            return answer
        verified = verify(headers, body, key=self._key, now=self._clock()) is Reason.SIGNATURE_MATCHES
        answer = self.answer(webhook) if verified else ScriptedAnswer(status=401)
        receipt = Receipt(
            webhook=webhook,
            id=headers.get("webhook-id", ""),
            body=body.decode(),
            status=0 if answer.silence_seconds else answer.status,
            verified=verified,
        )
        self.receipts.append(receipt)
        return answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = recorder.receive(self.path.removeprefix("/"), headers, body)
                if answer.silence_seconds:
                    recorder.ended.wait(answer.silence_seconds)
                    return
                self.send_response(answer.status)
                for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """The receipts say it all."""

        return Handler

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Serve until the block is left."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.ended.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()
