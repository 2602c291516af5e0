"""Bodies of requests that can't be used: what is wrong, and what such a body is."""

from collections.abc import Callable

import msgspec
import pytest

from shared.web.http import Answer, Request
from shared.web.routes import Routes
from tests.support.deployment import deploy

Handler = Callable[[Routes, Request], Answer]
NIGHT = {
    "jobs": ["nightly-*"],
    "startsAt": "2026-11-01T12:00:00Z",
    "endsAt": "2026-11-02T12:00:00Z",
    "createdBy": "op",
    "comment": "planned",
}


def _mute(routes: Routes, asked: Request) -> Answer:
    return routes.mutes.put_mute(asked)


def _redeliver(routes: Routes, asked: Request) -> Answer:
    return routes.events.redeliver_events(asked)


def _dismiss(routes: Routes, asked: Request) -> Answer:
    return routes.events.dismiss_deliveries(asked)


A_MUTE = "it must have startsAt, endsAt, createdBy, comment and may have jobs, pools, name, active"


@pytest.mark.parametrize(
    ("handler", "body", "message", "target"),
    [
        pytest.param(_mute, b"", f"A JSON body is missing: {A_MUTE}.", "body", id="none"),
        pytest.param(
            _dismiss,
            b"",
            "A JSON body is missing: it may have webhook, eventId, jobs.",
            "body",
            id="none that needs much",
        ),
        pytest.param(
            _redeliver,
            b'{"state":"lost"}',
            "The body can't be used: Invalid enum value 'lost' - at `$.state`. As JSON it must have state "
            "(dead or all) and may have since, until, webhook, skipToken.",
            "state",
            id="not one of the choices",
        ),
        pytest.param(
            _mute,
            msgspec.json.encode({**NIGHT, "pool": ["cpu"]}),
            f"The body can't be used: Object contains unknown field `pool`. As JSON {A_MUTE}.",
            "pool",
            id="a field that is misspelled",
        ),
    ],
)
def test_what_is_wrong_and_how_to_mend_it(handler: Handler, body: bytes, message: str, target: str) -> None:
    """A body that is missing, or holds what can't be meant, is refused with the fields that it must and may have."""
    told = deploy().ask(handler, body=body, name="night")
    assert (told.status, told.body["error"]["code"]) == (400, "InvalidRequestBody")
    assert (told.body["error"]["message"], told.body["error"]["target"]) == (message, target)


def test_a_mute_is_put_back_as_it_was_answered() -> None:
    """Whoever reads a mute, changes its end and puts it back need take nothing out of it."""
    deployment = deploy()
    told = deployment.ask(_mute, body=NIGHT, name="night")
    again = deployment.ask(_mute, body={**told.body, "endsAt": "2026-11-03T12:00:00Z"}, name="night")
    assert (told.status, again.status) == (200, 200)
    assert again.body == {**told.body, "endsAt": "2026-11-03T12:00:00Z"}
