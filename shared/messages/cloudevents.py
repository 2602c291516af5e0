"""How an event is posted to a receiver of CloudEvents: as it is stored, signed.

Owns headers and content type. Does not own an event's bytes, which are made once (`messages.events`), or the signature
(`messages.signing`). Sources: CloudEvents http-protocol-binding 1.0.2, Standard Webhooks 1.0.0.
"""

from datetime import datetime

from shared.messages.format import Format, Message, Tells, request_to
from shared.messages.signing import signing_headers
from shared.webhook import Webhook, WebhookRequest


def _write_event(webhook: Webhook, message: Message, now: datetime) -> WebhookRequest:
    signed = signing_headers(message_id=message.id, now=now, body=message.body, secrets=webhook.secrets)
    return request_to(webhook, message.body, signed)


CLOUDEVENTS = Format(
    name="cloudevents",
    tells=Tells.EVENTS,
    write_event=_write_event,
    content_type="application/cloudevents+json",
    chooses_content_type=True,
    is_signed=True,
)
