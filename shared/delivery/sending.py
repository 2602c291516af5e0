"""One exchange with a webhook, authorised if its format wants a token of ours.

Owns what happens when no token can be had, and that an answer repeats nothing of what opens the receiver. Does not own
tokens (`ports.Authorize`), requests (`messages.formats`) or the network (`ports.Sender`).
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import quote, unquote, urlsplit

from msgspec.structs import replace

from shared.delivery.attempts import is_refused
from shared.errors import CredentialError
from shared.journal import write_defect
from shared.messages.event_notices import event_notice
from shared.messages.format import Message
from shared.messages.formats import format_of, render, render_notice
from shared.messages.notices import Notice
from shared.ports import Authorize, Sender
from shared.secrets import REDACTED
from shared.webhook import SendFailure, Webhook, WebhookAnswer, WebhookRequest, waiting_words

_LEAST_CREDENTIAL = 12
"""Characters; nobody's credential is shorter, and ordinary words of a path stay readable."""
_ESCAPED_IN_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
_ESCAPED_BY_DOTNET = re.compile(r"[+&'<>`\"]")


def send_authorised(sender: Sender, authorize: Authorize, webhook: Webhook, request: WebhookRequest) -> WebhookAnswer:
    """Send a request once; what came of it, a missing token being a failure like any other of the way there.

    Many receivers repeat what they were asked: in the answer's body the URL's path and query, the key and the token are
    replaced, however they are spelled there.
    """
    try:
        granted = authorize(webhook) if format_of(webhook).needs_token(webhook) else {}
    except CredentialError as error:
        return _nothing_sent(SendFailure.CREDENTIAL, str(error))
    answer = sender.send(replace(request, headers={**request.headers, **granted}))
    if not answer.body:
        return answer
    return replace(answer, body=_hide(answer.body, _credentials(webhook, granted.values())))


def send_message(
    sender: Sender, authorize: Authorize, webhook: Webhook, message: Message, now: datetime, *, probe: bool = False
) -> tuple[WebhookAnswer, ...]:
    """Render, sign and send a message, as `send_notice` does for chat and pager; the answers, the last one counts."""
    if format_of(webhook).tells_state:
        return send_notice(sender, webhook, lambda: event_notice(message.body, now), probe=probe, event=message.id)
    answer = send_catching_defects(
        webhook,
        lambda: send_authorised(sender, authorize, webhook, render(webhook, message, now)),
        event=message.id,
    )
    return (answer,)


def send_notice(
    sender: Sender, webhook: Webhook, notice: Callable[[], Notice], *, probe: bool = False, **about: str | None
) -> tuple[WebhookAnswer, ...]:
    """Tell chat or pager something; what came of it.

    Once more in the fewest words if the receiver calls that wrong, unless it is a `probe` of one that takes nothing.
    """

    def send(shorten: Callable[[Notice], Notice]) -> WebhookAnswer:
        return send_catching_defects(
            webhook,
            lambda: send_authorised(sender, without_token, webhook, render_notice(webhook, shorten(notice()))),
            **about,
        )

    answer = send(lambda whole: whole)
    return (answer, send(Notice.least)) if is_refused(answer) and not probe else (answer,)


def send_ping(
    sender: Sender, authorize: Authorize, webhook: Webhook, ping: Message, now: datetime, *, aloud: bool
) -> WebhookAnswer:
    """Send a ping once; what came of it. Only one `aloud` opens an incident, and ends it at once."""
    if not format_of(webhook).opens_incidents:
        return send_message(sender, authorize, webhook, ping, now, probe=True)[0]
    notice = event_notice(ping.body, now)
    (answer,) = send_notice(sender, webhook, lambda: replace(notice, over=not aloud), probe=True, event=ping.id)
    if aloud and answer.failure is None and answer.status is not None and answer.status < 300:
        send_notice(sender, webhook, lambda: replace(notice, over=True), probe=True, event=ping.id)
    return answer


def send_catching_defects(webhook: Webhook, send: Callable[[], WebhookAnswer], **about: str | None) -> WebhookAnswer:
    """What came of an attempt; a defect met in it is logged with what it is `about`, and is an answer too.

    So it is tried again as after any other failure, ever more rarely, and the delivery's history shows why.
    """
    if webhook.waits_for is not None:
        return _nothing_sent(SendFailure.CREDENTIAL, waiting_words(webhook.waits_for))
    try:
        return send()
    except Exception as defect:  # noqa: BLE001 - what is told here harms neither other messages nor the cycle
        write_defect("delivery-defect", defect, partial(hide_credentials, webhook), webhook=webhook.name, **about)
        reason = f"Prepwatch met a defect ({type(defect).__name__}): its log has the traceback; please report it"
        return _nothing_sent(SendFailure.DEFECT, reason)


def hide_credentials(webhook: Webhook, text: str) -> str:
    """A text of ours that a log is to keep, without what opens the receiver, however it is spelled there."""
    return _hide(text.encode(errors="replace"), _credentials(webhook, ())).decode(errors="replace")


def without_token(webhook: Webhook) -> Mapping[str, str]:
    """A `ports.Authorize` for installations without Entra ID.

    Raises:
        CredentialError: Always.
    """
    raise CredentialError(f"Webhook {webhook.name} needs Entra ID, which this installation was built without.")


def _nothing_sent(failure: SendFailure, reason: str) -> WebhookAnswer:
    return WebhookAnswer(status=None, failure=failure, reason=reason, retry_after=None, body=b"", duration=timedelta(0))


def _credentials(webhook: Webhook, granted: Collection[str]) -> set[str]:
    """What opens a receiver: the path and query of its URL as a whole, their longer parts, the key, and the token."""
    address = urlsplit(webhook.url)
    whole = f"{address.path}?{address.query}" if address.query else address.path
    parts = (whole, *re.split(r"[/?&=]", whole), *(word for value in granted for word in value.split()))
    key = {webhook.key} if webhook.key else set()
    return key | {part for part in parts if len(part) >= _LEAST_CREDENTIAL}


def _hide(body: bytes, credentials: Collection[str]) -> bytes:
    spellings = {spelling.encode() for credential in credentials for spelling in _spellings(credential)}
    for spelling in sorted(spellings, key=len, reverse=True):
        body = re.sub(re.escape(spelling), REDACTED.encode(), body, flags=re.IGNORECASE)
    # An answer is cut where it grows too long, which may be within a credential.
    cut = max((_common_end(body, spelling) for spelling in spellings), default=0)
    return body[:-cut] + REDACTED.encode() if cut else body


def _spellings(credential: str) -> Iterator[str]:
    """A credential as it is, and as URLs, JSON (`/` and the signs that .NET escapes) and HTML may spell it."""
    for plain in (credential, unquote(credential)):
        yield from (plain, quote(plain, safe=""), plain.replace("/", r"\/"), plain.translate(_ESCAPED_IN_HTML))
        yield _ESCAPED_BY_DOTNET.sub(lambda sign: f"\\u{ord(sign[0]):04x}", plain)


def _common_end(body: bytes, spelling: bytes) -> int:
    """How many bytes at the body's end are the beginning of a spelling; 0 for fewer than a word has."""
    longest = min(len(body), len(spelling) - 1)
    return next((size for size in range(longest, 5, -1) if body.endswith(spelling[:size])), 0)
