"""`python -m local.webhook_receiver` as a process, and what it is made of."""

import ast
import io
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests

from local.webhook_receiver.eventgrid import BATCH, TOPIC_KEY
from local.webhook_receiver.pagerduty import ROUTING_KEY, PagerDutyService
from local.webhook_receiver.receiver import Answers, Receiver, remember
from local.webhook_receiver.server import serve
from local.webhook_receiver.slack import SlackWebhook
from tests.stack.receivers.requests import JSON, NOW, card, cloud_event, plain, post, slack, trigger

ROOT = Path(__file__).resolve().parents[3]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_each_format_has_its_path_and_its_record(tmp_path: Path) -> None:
    """A path leads to the service of that name, whose answer is given and whose verdict is recorded in its own file.

    The folder of these files need not be there.
    """
    out = tmp_path / "new" / "received.jsonl"
    command = [sys.executable, "-m", "local.webhook_receiver", "--port", "0", "--secret", SECRET, "--out", str(out)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        base = process.stdout.readline().split()[2].rstrip(",")
        block = {"type": "section", "text": plain("why")}
        batch = {"content-type": BATCH, "aeg-sas-key": TOPIC_KEY}
        answers = [
            requests.post(f"{base}/{path}", data=json.dumps(body), headers=headers, timeout=5)
            for path, body, headers in (
                ("slack/services/x", slack(block), JSON),
                ("teams", card({"type": "TextBlock", "text": "why"}), JSON),
                ("pagerduty/v2/enqueue", trigger(), JSON),
                ("eventgrid?api-version=2018-01-01", [cloud_event()], batch),
                ("", cloud_event(), JSON),
            )
        ]
        told = [process.stdout.readline() for _ in range(4)]
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()
    assert [answer.status_code for answer in answers] == [200, 202, 202, 200, 401]
    assert answers[0].text == "ok"
    assert told[0] == "slack: why -> 200\n"
    assert told[3].startswith("cloudevents: prepwatch.ping, REFUSED: webhook-id")
    files = [out.parent / f"received{name}.jsonl" for name in ("", "-slack", "-teams", "-pagerduty", "-eventgrid")]
    lines = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    assert [(line["format"], line["verified"], line["status"]) for line in lines] == [
        ("cloudevents", False, 401),
        ("slack", True, 200),
        ("teams", True, 202),
        ("pagerduty", True, 202),
        ("eventgrid", True, 200),
    ]


def test_the_answer_of_a_service_reaches_the_sender() -> None:
    """Status, headers and body are those of the service's verdict."""
    receiver = Receiver(
        format="slack",
        service=SlackWebhook(),
        record=io.StringIO(),
        answers=Answers(),
        clock=lambda: NOW,
        tell=lambda _: None,
    )
    body = json.dumps(slack({"type": "section", "text": plain("why")}))
    with serve({"slack": receiver, "cloudevents": receiver}, 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/slack"
        first, second = (requests.post(url, data=body, headers=JSON, timeout=5) for _ in range(2))
        server.shutdown()
        thread.join()
    assert (first.status_code, first.text) == (200, "ok")
    assert (second.status_code, second.text, second.headers["Retry-After"]) == (429, "rate_limited", "1")


def test_a_pager_that_is_started_again_knows_its_incidents(tmp_path: Path) -> None:
    """An incident opened before is the one that is closed; what was refused, and half a line, are passed by."""
    file, again = tmp_path / "received-pagerduty.jsonl", PagerDutyService(ROUTING_KEY)
    remember(again, file)
    with file.open("w", encoding="utf-8") as record:
        receiver = Receiver(
            format="pagerduty",
            service=PagerDutyService(ROUTING_KEY),
            record=record,
            answers=Answers(),
            clock=lambda: NOW,
            tell=lambda _: None,
        )
        for event in (trigger(), trigger(event_action="refused", dedup_key="other")):
            receiver.receive("/pagerduty", JSON, json.dumps(event).encode())
        record.write('{"half": ')
    remember(again, file)

    verdict = again.receive(post(trigger(event_action="resolve", payload=None)))

    assert verdict.shows == ("incident 1 resolved: nightly failed",)


@pytest.mark.parametrize("file", sorted((ROOT / "local/webhook_receiver").glob("*.py")), ids=lambda file: file.name)
def test_receivers_share_no_code_with_the_app(file: Path) -> None:
    """What judges the app's messages imports nothing that made them."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name for name in imported if name.partition(".")[0] == "shared"} == set()
