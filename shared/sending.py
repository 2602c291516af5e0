"""One exchange with a webhook, authorised if its format wants a token of ours.

Owns what happens when no token can be had. Does not own tokens (`ports.Authorize`), requests (`formats`) or the
network (`ports.Sender`).
"""

from collections.abc import Mapping
from datetime import timedelta

from msgspec.structs import replace

from shared.errors import CredentialError
from shared.formats import needs_token
from shared.ports import Authorize, Sender
from shared.webhook_config import Webhook
from shared.webhook_model import SendFailure, WebhookAnswer, WebhookRequest


def send_authorised(sender: Sender, authorize: Authorize, webhook: Webhook, request: WebhookRequest) -> WebhookAnswer:
    """Send a request once; what came of it, a missing token being a failure like any other of the way there."""
    try:
        granted = authorize(webhook) if needs_token(webhook) else {}
    except CredentialError as error:
        return WebhookAnswer(
            status=None,
            failure=SendFailure.CREDENTIAL,
            reason=str(error),
            retry_after=None,
            body=b"",
            duration=timedelta(0),
        )
    return sender.send(replace(request, headers={**request.headers, **granted}))


def without_token(webhook: Webhook) -> Mapping[str, str]:
    """A `ports.Authorize` for installations without Entra ID.

    Raises:
        CredentialError: Always.
    """
    raise CredentialError(f"Webhook {webhook.name} needs Entra ID, which this installation was built without.")
