"""The heartbeat tells that the app is well, and /fail that it is not."""

from datetime import timedelta
from ipaddress import ip_network

from shared.adapters.webhook_sender import WebhookSender
from shared.web.routes import Routes
from tests.support.fakes import ACCEPTED, FakeSender, refusal
from tests.support.hostile_batch import error_reply
from tests.support.receivers import Receiver, answer
from tests.support.receivers import says as receiver_says
from tests.whole.troubles.account import MINUTE, Trouble

STALE_AFTER = timedelta(seconds=300)
BEAT = "https://beat.example/abc"


def test_the_heart_beats_after_every_good_cycle(trouble: Trouble) -> None:
    """A good cycle calls the heartbeat's URL; an account that is blind for too long calls /fail, until it is well."""
    app = trouble.app(HEARTBEAT_URL=f"{BEAT}/")
    app.poll()
    trouble.listing = error_reply(500, "InternalError")
    trouble.poll_after(app, MINUTE)
    assert app.post.called == [BEAT, BEAT]
    trouble.poll_after(app, STALE_AFTER)
    assert app.post.called[2:] == [f"{BEAT}/fail"]
    trouble.listing = None
    trouble.poll_after(app, MINUTE)
    assert app.post.called[3:] == [BEAT]


def test_a_webhook_that_takes_nothing_fails_the_heartbeat(trouble: Trouble) -> None:
    """A quarter of an hour after the first message that was not taken the switch is told so, and no longer once it is.

    What was given up is history: nobody hears of it again, however long it is listed.
    """
    post = FakeSender(refusal(403))
    app = trouble.app(post=post, HEARTBEAT_URL=f"{BEAT}/?rid=7")
    for _ in range(20):
        trouble.poll_after(app, MINUTE)
    assert post.called == [f"{BEAT}/?rid=7"] * 15 + [f"{BEAT}/fail?rid=7"] * 5
    assert app.answer(Routes.health).status == 503
    post.answer = ACCEPTED
    trouble.poll_after(app, 5 * MINUTE)
    assert post.called[-1] == f"{BEAT}/?rid=7"
    assert app.answer(Routes.health).status == 200


def test_the_heartbeat_obeys_the_guard_of_webhooks(trouble: Trouble) -> None:
    """The heartbeat's URL reaches no address that a webhook may not reach, and its failure harms no cycle."""
    with Receiver(receiver_says(answer(200))) as private:
        for cidrs, reached in ((), 0), ((ip_network("127.0.0.0/8"),), 1):
            sender = WebhookSender(allowed_cidrs=cidrs, allow_http=True, deadline=timedelta(seconds=2))
            app = trouble.app(sender=sender, HEARTBEAT_URL=private.url("/beat"), TRACKED_JOBS="none")
            assert app.poll().good
            assert private.connections == reached
