"""The formats by name, and how a message becomes a request in the format of its webhook.

Owns the table: a format is a file beside this one and a row here. Does not own what a format knows (`messages.format`)
or an event's words (`messages.event_notices`).
"""

from collections.abc import Mapping
from datetime import datetime

from shared.messages.cloudevents import CLOUDEVENTS
from shared.messages.event_notices import event_notice
from shared.messages.eventgrid import EVENTGRID
from shared.messages.format import Format, Message
from shared.messages.notices import Notice
from shared.messages.pagerduty import PAGERDUTY
from shared.messages.slack import SLACK
from shared.messages.teams import TEAMS
from shared.webhook import Webhook, WebhookRequest

FORMATS: Mapping[str, Format] = {each.name: each for each in (CLOUDEVENTS, TEAMS, SLACK, PAGERDUTY, EVENTGRID)}
DEFAULT = CLOUDEVENTS
"""The format of a webhook whose settings name none."""


def format_of(webhook: Webhook) -> Format:
    """What is known of the webhook's kind of receiver."""
    return FORMATS[webhook.format]


def render(webhook: Webhook, message: Message, now: datetime) -> WebhookRequest:
    """The request that tells a webhook of an event; only the time and its signature differ from attempt to attempt."""
    write_event = format_of(webhook).write_event
    if write_event is None:
        return render_notice(webhook, event_notice(message.body, now))
    return write_event(webhook, message, now)


def render_notice(webhook: Webhook, notice: Notice) -> WebhookRequest:
    """The request that tells chat or pager something in words.

    Raises:
        ValueError: The format has no words, only events; a defect.
    """
    write_notice = format_of(webhook).write_notice
    if write_notice is None:
        raise ValueError(f"format {webhook.format} tells events, not how jobs stand")
    return write_notice(webhook, notice)
