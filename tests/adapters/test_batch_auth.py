"""Where a request's credential comes from, and when a new one is asked for."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.identity import CredentialUnavailableError

from shared.adapters.batch_auth import SharedKeyAuth, TokenAuth
from shared.errors import AccountDeniedError, BatchError, BatchUnavailableError
from tests.support.fakes import FakeClock

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
SCOPE = "https://batch.core.windows.net//.default"
URL = "https://account.region.batch.azure.com/jobs"


class CountingCredential:
    """Gives `token-1`, `token-2` ..., each for an hour; remembers the scopes it was asked for."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.scopes: list[tuple[str, ...]] = []

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """The next token."""
        self.scopes.append(scopes)
        return AccessToken(f"token-{len(self.scopes)}", int((self._clock() + timedelta(hours=1)).timestamp()))


class FailingCredential:
    """Raises what it is told to."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """Never a token."""
        raise self._error


def test_a_token_is_kept_until_shortly_before_it_expires() -> None:
    """One token of the configured scope serves until five minutes before its end."""
    clock = FakeClock(NOW)
    credential = CountingCredential(clock)
    auth = TokenAuth(credential, scope=SCOPE, clock=clock)

    assert auth.authorize("GET", URL, {}) == "Bearer token-1"
    clock.now = NOW + timedelta(minutes=54)
    assert auth.authorize("GET", URL, {}) == "Bearer token-1"
    clock.now = NOW + timedelta(minutes=55)
    assert auth.authorize("GET", URL, {}) == "Bearer token-2"
    assert credential.scopes == [(SCOPE,)] * 2


def test_many_refusals_of_one_token_cost_one_new_token() -> None:
    """Threads that were refused with the same token share its successor."""
    clock = FakeClock(NOW)
    credential = CountingCredential(clock)
    auth = TokenAuth(credential, scope=SCOPE, clock=clock)
    refused = auth.authorize("GET", URL, {})

    def again(_: int) -> str:
        assert auth.renew(refused)
        return auth.authorize("GET", URL, {})

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(again, range(50))) == {"Bearer token-2"}
    assert len(credential.scopes) == 2


FAILURES: dict[str, tuple[Callable[[str], Exception], type[BatchError], str]] = {
    "no credential": (
        lambda text: CredentialUnavailableError(message=text),
        AccountDeniedError,
        "CredentialUnavailable",
    ),
    "refused": (lambda text: ClientAuthenticationError(message=text), AccountDeniedError, "CredentialUnavailable"),
    "foreign error": (ValueError, AccountDeniedError, "CredentialUnavailable"),
    "network": (lambda text: ServiceRequestError(message=text), BatchUnavailableError, "ConnectionFailed"),
}


@pytest.mark.parametrize(("make", "kind", "code"), FAILURES.values(), ids=FAILURES.keys())
def test_a_credential_that_fails_is_the_accounts_error(
    make: Callable[[str], Exception], kind: type[BatchError], code: str
) -> None:
    """Whatever a credential raises arrives as one capped line that mends it first, without secrets or the original."""
    auth = TokenAuth(
        FailingCredential(make("no\nway: client_secret=c4nary " + "x" * 900)), scope=SCOPE, clock=FakeClock(NOW)
    )

    with pytest.raises(kind) as caught:
        auth.authorize("GET", URL, {})

    error = caught.value
    assert error.code == code
    assert "no way: client_secret=[redacted] xxx" in error.message
    assert kind is BatchUnavailableError or "`az login`" in error.message
    assert len(error.message.encode()) <= 256
    assert error.__suppress_context__
    assert error.__cause__ is None


def test_a_key_never_changes() -> None:
    """A refused signature is not tried again."""
    assert SharedKeyAuth("account", b"key").renew("SharedKey account:x") is False
