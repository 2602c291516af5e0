"""One exchange with a webhook, authorised if its format wants a token of ours.

Owns what happens when no token can be had. Does not own what is taken out of an answer
(`delivery.credential_redaction`), tokens (`ports.Authorize`), requests (`messages.format_table`) or the network
(`ports.Sender`).
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from msgspec.structs import replace

from shared.delivery.answer_rules import refuses_body
from shared.delivery.credential_redaction import hide_credentials, without_credentials, without_token
from shared.errors import CredentialError
from shared.journal import write_defect
from shared.messages.event_notices import event_notice
from shared.messages.format import Message
from shared.messages.format_table import format_of, render, render_notice
from shared.messages.notices import Notice
from shared.ports import Authorize, Sender
from shared.webhook import SendFailure, Webhook, WebhookAnswer, WebhookRequest, waiting_words


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
    return replace(answer, body=without_credentials(webhook, answer.body, granted.values()))


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
    sender: Sender,
    webhook: Webhook,
    notice: Callable[[], Notice],
    *,
    probe: bool = False,
    note: Callable[[Notice, bytes], None] = lambda _notice, _body: None,
    **about: str | None,
) -> tuple[WebhookAnswer, ...]:
    """Tell chat or pager something; what came of it.

    Once more in the fewest words if the receiver calls that wrong, unless it is a `probe` of one that takes nothing.
    `note` is handed what is about to be sent, in words and in bytes.
    """

    def send_once(shorten: Callable[[Notice], Notice]) -> WebhookAnswer:
        said = shorten(notice())
        request = render_notice(webhook, said)
        note(said, request.body)
        return send_authorised(sender, without_token, webhook, request)

    def send(shorten: Callable[[Notice], Notice]) -> WebhookAnswer:
        return send_catching_defects(webhook, lambda: send_once(shorten), **about)

    answer = send(lambda whole: whole)
    return (answer, send(Notice.least)) if refuses_body(answer) and not probe else (answer,)


def send_ping(
    sender: Sender, authorize: Authorize, webhook: Webhook, ping: Message, now: datetime, *, aloud: bool
) -> WebhookAnswer:
    """Send a ping once; what came of it. Only one `aloud` opens an incident, and ends it at once."""
    if not format_of(webhook).opens_incidents:
        return send_message(sender, authorize, webhook, ping, now, probe=True)[0]
    notice = event_notice(ping.body, now)
    (answer,) = send_notice(sender, webhook, lambda: notice.paging(over=not aloud), probe=True, event=ping.id)
    if aloud and answer.failure is None and answer.status is not None and answer.status < 300:
        send_notice(sender, webhook, lambda: notice.paging(over=True), probe=True, event=ping.id)
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


def _nothing_sent(failure: SendFailure, reason: str) -> WebhookAnswer:
    return WebhookAnswer(status=None, failure=failure, reason=reason, retry_after=None, body=b"", duration=timedelta(0))
