"""Puts nudges on the app's own queues through azure-storage-queue, in the form that the platform's trigger reads.

Owns the SDK's client, its patience, and the words for a refusal. Does not own what a nudge says (`nudges.nudge`) or
what follows from a refusal (`nudges.nudger`). The SDK is imported where the first nudge is sent: a cold start does
not pay for it.
"""

import base64
import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from azure.core.credentials import AccessToken, AzureNamedKeyCredential, AzureSasCredential, TokenCredential
from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError

from shared.errors import NO_STORE_TOKEN, StoreUnavailableError
from shared.settings.storage import QueueStorage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azure.storage.queue import QueueClient

LIFE: Final = timedelta(hours=1)
"""How long a nudge may wait to be taken: by then a cycle has done what it asks for."""
LONGEST_DELAY: Final = timedelta(days=7) - LIFE
_PATIENCE_SECONDS: Final = 2


class QueueSender:
    """Sends to the queues of one storage account; usable from several threads at once."""

    def __init__(self, storage: QueueStorage, credential: TokenCredential) -> None:
        self._storage = storage
        self._credential = credential
        self._clients: dict[str, QueueClient] = {}

    def put(self, queue: str, text: str, *, delay: timedelta) -> None:
        """Put a nudge on a queue, which is made if it is missing; at most a week passes before it is seen.

        Raises:
            StoreUnavailableError: The service refused it, or gave no answer; it may lie there all the same.
        """
        try:
            client = self._client(queue)
            try:
                self._send(client, text, delay)
            except ResourceNotFoundError as missing:
                if _code_of(missing) != "QueueNotFound":
                    raise
                self._make(client)
                self._send(client, text, delay)
        except HttpResponseError as refusal:
            words = f"the queue service answered {refusal.status_code} {_code_of(refusal)}".rstrip()
            raise StoreUnavailableError(words) from None
        except AzureError as silence:
            raise StoreUnavailableError(f"the queue service gave no answer: {type(silence).__name__}") from None

    def _send(self, client: "QueueClient", text: str, delay: timedelta) -> None:
        delay = min(delay, LONGEST_DELAY)
        client.send_message(
            text,
            visibility_timeout=math.ceil(delay.total_seconds()),
            time_to_live=math.ceil((delay + LIFE).total_seconds()),
        )

    def _make(self, client: "QueueClient") -> None:
        try:
            client.create_queue()
        except ResourceExistsError:
            return  # somebody else was first

    def _client(self, queue: str) -> "QueueClient":
        from azure.storage.queue import LinearRetry, QueueClient, TextBase64EncodePolicy

        if queue not in self._clients:
            self._clients[queue] = QueueClient(
                self._storage.url,
                queue,
                credential=self._let_in(),
                message_encode_policy=TextBase64EncodePolicy(),  # as the trigger reads it
                retry_policy=LinearRetry(
                    backoff=0, retry_total=1, random_jitter_range=0
                ),  # for a connection gone stale
                connection_timeout=_PATIENCE_SECONDS,
                read_timeout=_PATIENCE_SECONDS,
            )
        return self._clients[queue]

    def _let_in(self) -> Any:
        storage = self._storage
        if storage.signature:
            return AzureSasCredential(storage.signature)
        if storage.key is not None:
            return AzureNamedKeyCredential(storage.account, base64.b64encode(storage.key).decode())
        return _Tokens(self._credential)


def _code_of(error: HttpResponseError) -> str:
    """The service's own word for it, empty without one."""
    headers: Mapping[str, str] = getattr(error.response, "headers", {})
    return headers.get("x-ms-error-code", "")


class _Tokens:
    """The app's identity, whose failures can be told from the queue's."""

    def __init__(self, credential: TokenCredential) -> None:
        self._credential = credential

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """A token.

        Raises:
            StoreUnavailableError: There is none now.
        """
        try:
            return self._credential.get_token(*scopes, **options)
        except AzureError as error:
            # The SDK's words name endpoints and tenants; its own log has them.
            raise StoreUnavailableError(f"{NO_STORE_TOKEN}: {type(error).__name__}") from None
