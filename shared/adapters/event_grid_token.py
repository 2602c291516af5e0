"""Entra tokens for Event Grid topics.

Owns that only topics ever see such a token. Does not own the credential (`composition`), or which addresses are topics
and what tokens they take (`messages.eventgrid`).
"""

from collections.abc import Callable, Mapping

from azure.core.credentials import TokenCredential

from shared.errors import CredentialError
from shared.webhook import Webhook


class EventGridToken:
    """A `shared.ports.Authorize` for topics that take Entra ID; the role is EventGrid Data Sender."""

    def __init__(self, credential: TokenCredential, scope_of: Callable[[str], str | None]) -> None:
        self._credential = credential
        self._scope_of = scope_of

    def __call__(self, webhook: Webhook) -> Mapping[str, str]:
        """The header with a token, which the credential keeps until it has to be renewed.

        Raises:
            CredentialError: No token can be had now, or none may be shown to this host.
        """
        scope = self._scope_of(webhook.url)
        if scope is None:
            raise CredentialError(f"Webhook {webhook.name} is no Event Grid topic; only those are shown a token.")
        try:
            token = self._credential.get_token(scope)
        except Exception as error:  # noqa: BLE001 - identities raise what they like
            # Their words name endpoints and tenants, and may quote secrets; the SDK's own log has them.
            raise CredentialError(f"No Entra token for Event Grid: {type(error).__name__}.") from None
        return {"authorization": f"Bearer {token.token}"}
