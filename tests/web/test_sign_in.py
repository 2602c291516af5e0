"""People sign in through the platform when the deployment says so, and nobody gets in when the platform is off."""

import runpy
from collections.abc import Mapping
from pathlib import Path

import pytest

from shared.web.errors import RequestError
from shared.web.sign_in import check_sign_in

ROOT = Path(__file__).resolve().parents[2]
REQUIRED = {"REQUIRE_SIGN_IN": "true"}
ON = {**REQUIRED, "WEBSITE_AUTH_ENABLED": "True"}
SOMEBODY = {"x-ms-client-principal": "eyJ9"}


@pytest.mark.parametrize(
    ("environment", "headers"),
    [({}, {}), ({"REQUIRE_SIGN_IN": "false"}, {}), (ON, SOMEBODY)],
    ids=["not asked for", "switched off", "signed in"],
)
def test_who_gets_in(environment: Mapping[str, str], headers: Mapping[str, str]) -> None:
    """Without the setting the function key decides; with it, whoever the platform has signed in gets in."""
    check_sign_in(environment, headers)


@pytest.mark.parametrize(
    ("environment", "headers", "refusal"),
    [
        (ON, {}, (401, "NotSignedIn")),
        (ON, {"x-ms-client-principal": ""}, (401, "NotSignedIn")),
        (REQUIRED, SOMEBODY, (403, "SignInIsOff")),
        ({**REQUIRED, "WEBSITE_AUTH_ENABLED": "False"}, SOMEBODY, (403, "SignInIsOff")),
    ],
    ids=["nobody", "an empty principal", "the platform says nothing", "the platform is off"],
)
def test_who_does_not(environment: Mapping[str, str], headers: Mapping[str, str], refusal: tuple[int, str]) -> None:
    """A claimed principal counts for nothing when the platform does not vouch for it."""
    with pytest.raises(RequestError) as caught:
        check_sign_in(environment, headers)
    assert (caught.value.status, caught.value.info.code) == refusal


@pytest.mark.parametrize(("asked", "level"), [("true", "ANONYMOUS"), ("", "FUNCTION")])
def test_no_key_is_asked_for_behind_the_sign_in(monkeypatch: pytest.MonkeyPatch, asked: str, level: str) -> None:
    """With the platform's sign-in in front the host asks for no key; otherwise it does, but for page and health."""
    monkeypatch.setenv("REQUIRE_SIGN_IN", asked)
    functions = runpy.run_path(str(ROOT / "function_app.py"))["app"].get_functions()
    triggers = {function.get_function_name(): function.get_trigger() for function in functions}
    levels = {name: trigger.auth_level.name for name, trigger in triggers.items() if hasattr(trigger, "auth_level")}
    assert {levels[name] for name in levels.keys() - {"health", "dashboard"}} == {level}
    assert {levels["health"], levels["dashboard"]} == {"ANONYMOUS"}
