"""Lets people in by the platform's sign-in (Easy Auth) instead of a function key, when the deployment says so.

Owns that rule. Does not own signing in: the platform does, in front of the app, and takes these headers away from
everybody else. So the rule holds only while the platform's sign-in is on; when it is off, nobody gets in.
Source: https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities
"""

from collections.abc import Mapping

from shared.web.errors import RequestError

REQUIRED = "REQUIRE_SIGN_IN"
_PLATFORM_SWITCH = "WEBSITE_AUTH_ENABLED"
_PRINCIPAL = "x-ms-client-principal"


def is_required(environment: Mapping[str, str]) -> bool:
    """Whether people sign in instead of bringing a key."""
    return environment.get(REQUIRED, "").lower() == "true"


def check_sign_in(environment: Mapping[str, str], headers: Mapping[str, str]) -> None:
    """Let a request pass.

    Raises:
        RequestError: 401 for somebody who has not signed in; 403 when the platform's sign-in is off, because then
            anybody could claim to have.
    """
    if not is_required(environment):
        return
    if environment.get(_PLATFORM_SWITCH, "").lower() != "true":
        message = (
            f"{REQUIRED} is true, but {_PLATFORM_SWITCH} does not say that the platform's sign-in is on. Switch it on; "
            "if it is, or to go back to keys: azd env set SIGN_IN_CLIENT_ID '' && azd provision."
        )
        raise RequestError(403, "SignInIsOff", message)
    if not headers.get(_PRINCIPAL):
        raise RequestError(401, "NotSignedIn", "Sign in to use this.")
