"""Puts a credential on a request to Batch.

Owns the two ways Batch knows its callers, Entra ID tokens and the account key, and how long a token is kept. Does not
own which of them an account uses (`composition`), nor the origin a credential may be sent to (`adapters.batch_client`).
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Final, Protocol

from azure.core.credentials import AccessToken, TokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError

from shared.adapters.shared_key import authorization
from shared.errors import AccountDeniedError, BatchUnavailableError
from shared.ports import Clock
from shared.redaction import one_line

_MESSAGE_LIMIT: Final = 256
_MEND: Final = "on your own machine run `az login`, in Azure give the app an identity"
# azure-identity renews its own cache five minutes before the end; asking it earlier would bring the same token.
_RENEW_BEFORE: Final = timedelta(minutes=5)


class BatchAuth(Protocol):
    """Knows how to sign requests to one account; used from several threads."""

    def authorize(self, method: str, url: str, headers: Mapping[str, str]) -> str:
        """The Authorization header for the request as it will be sent.

        Raises:
            AccountDeniedError: No credential could be had (code `CredentialUnavailable`).
            BatchUnavailableError: Whoever gives the credential could not be reached.
        """

    def renew(self, refused: str) -> bool:
        """Whether asking again may help after a 401 for the *refused* Authorization header."""


class SharedKeyAuth:
    """Signs with the account key: full permission on the account, one account only.

    Args:
        account: The account's name.
        key: The key's bytes, which the portal shows in base64.
    """

    def __init__(self, account: str, key: bytes) -> None:
        self._key = key
        self._account = account

    def authorize(self, method: str, url: str, headers: Mapping[str, str]) -> str:
        """The signature of the request."""
        return authorization(method, url, headers, account=self._account, key=self._key)

    def renew(self, refused: str) -> bool:  # noqa: ARG002 - a key does not expire, whatever was refused
        """Never: the same key would sign the same way."""
        return False


class TokenAuth:
    """Sends a bearer token, asked for once and kept until shortly before it expires.

    Args:
        credential: Any credential of azure-identity.
        scope: The token's audience, which differs in sovereign clouds.
        clock: Tells when a kept token has to be replaced.
    """

    def __init__(self, credential: TokenCredential, *, scope: str, clock: Clock) -> None:
        self._credential = credential
        self._scope = scope
        self._clock = clock
        self._lock = Lock()
        self._token: AccessToken | None = None

    def authorize(self, method: str, url: str, headers: Mapping[str, str]) -> str:  # noqa: ARG002 - a token fits all
        """The bearer token."""
        with self._lock:
            token = self._token
            if token is None or self._clock() >= datetime.fromtimestamp(token.expires_on, UTC) - _RENEW_BEFORE:
                token = self._token = self._ask()
        return f"Bearer {token.token}"

    def renew(self, refused: str) -> bool:
        """Forget the token if it is still the refused one: of many threads only the first costs a new token."""
        with self._lock:
            if self._token is not None and refused == f"Bearer {self._token.token}":
                self._token = None
        return True

    def _ask(self) -> AccessToken:
        try:
            return self._credential.get_token(self._scope)
        except ClientAuthenticationError as error:
            raise _denied(error) from None
        except AzureError as error:
            message = one_line(f"No token for Batch: {error.message}", limit=_MESSAGE_LIMIT)
            raise BatchUnavailableError("ConnectionFailed", message) from None
        except Exception as error:  # noqa: BLE001 - a credential is foreign code; whatever it raises is this account's
            raise _denied(error) from None


def _denied(error: Exception) -> AccountDeniedError:
    # The mend comes first: azure-identity goes on for pages. Nor is the error chained, which keeps the whole answer of
    # the token service.
    message = f"No token for Batch ({_MEND}): {error}"
    return AccountDeniedError("CredentialUnavailable", one_line(message, limit=_MESSAGE_LIMIT))
