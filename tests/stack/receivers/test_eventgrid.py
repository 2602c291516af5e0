"""The stand-in for an Event Grid topic takes batches of CloudEvents from whoever may publish."""

import pytest

from local.webhook_receiver.eventgrid import BATCH, TOPIC_KEY, EventGridTopic
from tests.stack.receivers.requests import cloud_event, post

PATH = "/eventgrid/api/events?api-version=2018-01-01"
TYPE = {"content-type": f"{BATCH}; charset=utf-8"}
KEY = TYPE | {"aeg-sas-key": TOPIC_KEY}


@pytest.mark.parametrize("headers", [KEY, TYPE | {"authorization": "Bearer x"}], ids=["key", "token"])
def test_a_batch_is_taken(headers: dict[str, str]) -> None:
    """A batch with the topic's key, or with a token, is answered with 200 and nothing else."""
    events = [cloud_event(subject="jobs/a"), cloud_event(id="2", time="2026-11-01T12:00:00Z", data={"aB": 1})]
    verdict = EventGridTopic(key=TOPIC_KEY).receive(post(events, headers=headers, path=PATH))
    assert (verdict.status, verdict.answer, verdict.accepted) == (200, "", True)
    assert verdict.shows == ("prepwatch.ping jobs/a", "prepwatch.ping")


@pytest.mark.parametrize(
    ("body", "headers", "path", "status"),
    [
        pytest.param([cloud_event()], TYPE, PATH, 401, id="no key"),
        pytest.param([cloud_event()], TYPE | {"aeg-sas-key": "other"}, PATH, 401, id="other key"),
        pytest.param([cloud_event()], KEY, "/eventgrid/api/events", 400, id="no version"),
        pytest.param([cloud_event()], KEY | {"content-type": "application/json"}, PATH, 415, id="content type"),
        pytest.param(cloud_event(), KEY, PATH, 400, id="no array"),
        pytest.param([], KEY, PATH, 400, id="empty"),
        pytest.param([cloud_event(), cloud_event(id=None)], KEY, PATH, 400, id="no id"),
        pytest.param([cloud_event(source="")], KEY, PATH, 400, id="no source"),
        pytest.param([cloud_event(specversion="0.3")], KEY, PATH, 400, id="old version"),
        pytest.param([cloud_event(recordedTime="x")], KEY, PATH, 400, id="name of an attribute"),
        pytest.param([cloud_event(time="2026-11-01T12:00:00")], KEY, PATH, 400, id="time without zone"),
        pytest.param([cloud_event(time="now")], KEY, PATH, 400, id="no time"),
        pytest.param([cloud_event(data="x" * 1024 * 1024)], KEY, PATH, 413, id="1 MB"),
    ],
)
def test_a_batch_is_refused(body: object, headers: dict[str, str], path: str, status: int) -> None:
    """What Event Grid refuses is answered with its status, all of the batch with one of its events."""
    verdict = EventGridTopic(key=TOPIC_KEY).receive(post(body, headers=headers, path=path))
    assert (verdict.status, verdict.accepted) == (status, False)
