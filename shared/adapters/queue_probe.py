"""Puts a message on one of the app's own queues, as the platform's binding does, to learn whether it may.

Owns the request of *Put Message* and its signature. Does not own what the message says (`nudges`), or what is done
when it is refused (`api.diagnostics`). The platform's binding does this after the app's answer is made, when nobody can
tell the caller any more what went wrong.
"""

import base64
from datetime import timedelta
from email.utils import format_datetime
from http import HTTPStatus
from typing import Final

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError

from shared.adapters.http_transport import HttpTransport, TransportError
from shared.adapters.shared_key import authorization
from shared.errors import StoreUnavailableError
from shared.ports import Clock
from shared.settings.storage import QueueStorage

SCOPE: Final = "https://storage.azure.com/.default"
_VERSION: Final = "2021-12-02"
_WITHIN: Final = timedelta(seconds=10)


class QueueProbe:
    """Writes to one queue; usable from several threads at once."""

    def __init__(
        self, storage: QueueStorage, queue: str, *, transport: HttpTransport, credential: TokenCredential, clock: Clock
    ) -> None:
        self._storage = storage
        self._url = f"{storage.url}/{queue}/messages"
        self._transport = transport
        self._credential = credential
        self._clock = clock

    def __call__(self, text: str) -> bool:
        """Put a message on the queue; False when the queue is not there yet, which only who may write is told.

        Raises:
            StoreUnavailableError: The service refused it or gave no answer; its code is in the message.
        """
        encoded = base64.b64encode(text.encode()).decode()  # as the binding does by default
        body = f"<QueueMessage><MessageText>{encoded}</MessageText></QueueMessage>".encode()
        headers = {
            "content-type": "application/xml",
            "content-length": str(len(body)),
            "x-ms-date": format_datetime(self._clock(), usegmt=True),
            "x-ms-version": _VERSION,
        }
        url = f"{self._url}?{self._storage.signature}" if self._storage.signature else self._url
        headers |= self._authorization(headers)
        try:
            answer = self._transport.exchange("POST", url, headers, body, deadline=_WITHIN, max_body=4096)
        except TransportError as error:
            raise StoreUnavailableError(f"The queue service gave no answer: {error.words}.") from None
        code = answer.headers.get("x-ms-error-code", "")
        if answer.status == HTTPStatus.NOT_FOUND and code == "QueueNotFound":
            return False
        if answer.status != HTTPStatus.CREATED:
            raise StoreUnavailableError(f"The queue service answered {answer.status} {code}".rstrip() + ".")
        return True

    def _authorization(self, headers: dict[str, str]) -> dict[str, str]:
        storage = self._storage
        if storage.signature:
            return {}
        if storage.key is not None:
            signed = authorization("POST", self._url, headers, account=storage.account, key=storage.key)
            return {"authorization": signed}
        try:
            token = self._credential.get_token(SCOPE)
        except AzureError as error:
            # The SDK's words name endpoints and tenants; its own log has them.
            raise StoreUnavailableError(f"No Entra token for the storage: {type(error).__name__}.") from None
        return {"authorization": f"Bearer {token.token}"}
