"""The page for receivers says what is sent, and its code works."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import jsonschema  # type: ignore[import-untyped] # its stubs are not worth a dependency
import pytest

from local.events_page import PAGE, closed_example, examples, parts, parts_of
from local.node import node
from shared.delivery.answer_rules import GIVE_UP_AFTER, LONGEST_WAIT, REFUSED_TRIES, Judgement, judge
from shared.delivery.failing_rules import FAILING_AFTER, LONG_PATIENCE, PROBE_EVERY
from shared.messages.events import EventType
from shared.messages.format_table import FORMATS
from shared.messages.signing import decode_secret, signing_headers
from shared.webhook import EVENT_TYPE_PREFIX, SendFailure
from tests.support.builders import answer
from tests.support.needs import need

TEXT = PAGE.read_text(encoding="utf-8")
SCHEMAS = PAGE.parent / "schemas"
OLD, NEW, OTHER = ("whsec_" + letter * 43 + "=" for letter in "AEI")
BODY = '{"data":{"nodeId":"tvm-1","message":"Zażółć … \\u0000"}}'.encode()
NOW = datetime(2026, 3, 2, tzinfo=UTC)

Verify = Callable[[bytes, dict[str, str], list[str]], bool]


def test_every_example_is_what_the_code_makes() -> None:
    """The examples, the request and the schedule on the page are those of the code; `events_page` writes them anew."""
    assert parts_of(TEXT) == parts()
    assert {kind.removeprefix(EVENT_TYPE_PREFIX) for kind in EventType} < set(parts_of(TEXT))


@pytest.mark.parametrize("event", [*examples().values(), closed_example()], ids=lambda event: event.type.value)
def test_every_example_is_valid(event: Any) -> None:
    """Every example has the form that its schema describes."""
    jsonschema.Draft202012Validator(schema_of(event)).validate(json.loads(event.body))


def schema_of(event: Any) -> dict[str, Any]:
    """The schema that an event names: after the first of its type, their number stands in the file's name."""
    name, _, number = json.loads(event.body)["dataschema"].removeprefix("urn:prepwatch:schema:").partition(":")
    found: dict[str, Any] = json.loads(
        (SCHEMAS / (f"{name}.json" if number == "1" else f"{name}.{number}.json")).read_text()
    )
    return found


def snippet(language: str) -> str:
    """The code block of a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    return str(found)


def verify_in_python(body: bytes, headers: dict[str, str], secrets: list[str]) -> bool:
    """Whether the page's Python takes a message."""
    names: dict[str, Any] = {}
    exec(compile(snippet("python"), "docs/events.md", "exec"), names)  # noqa: S102 - the page's own code
    try:
        names["verify"](body, headers, secrets)
    except ValueError:
        return False
    return True


def verify_in_node(body: bytes, headers: dict[str, str], secrets: list[str]) -> bool:
    """Whether the page's JavaScript takes a message."""
    try:
        binary = node()
    except FileNotFoundError as error:
        need(present=False, reason=str(error))
        raise
    harness = """
    const { body, headers, secrets } = JSON.parse(require("node:fs").readFileSync(0));
    try { verify(Buffer.from(body, "hex"), headers, secrets); } catch { process.exit(3); }
    """
    given = json.dumps({"body": body.hex(), "headers": headers, "secrets": secrets}).encode()
    done = subprocess.run([binary, "-e", snippet("js") + harness], input=given, check=False, timeout=30)
    assert done.returncode in {0, 3}
    return done.returncode == 0


def signed(
    *secrets: str, later: timedelta = timedelta(0), changed: Mapping[str, str] = MappingProxyType({})
) -> Callable[[], dict[str, str]]:
    """What makes the headers of an attempt: when a test asks, because the page's code looks at the clock."""

    def headers() -> dict[str, str]:
        keys, now = [decode_secret(secret) for secret in secrets], datetime.now(UTC) + later
        return {**signing_headers(message_id="8206465479999-abc", now=now, body=BODY, secrets=keys), **changed}

    return headers


@pytest.mark.parametrize("verify", [verify_in_python, verify_in_node], ids=["Python", "Node.js"])
@pytest.mark.parametrize(
    ("headers", "body", "secrets", "taken"),
    [
        pytest.param(signed(NEW), BODY, [NEW], True, id="one secret"),
        pytest.param(signed(NEW, OLD), BODY, [OLD], True, id="both sign, the old one is accepted"),
        pytest.param(signed(OLD, NEW), BODY, [NEW], True, id="both sign, the new one is accepted"),
        pytest.param(signed(OLD), BODY, [NEW, OLD], True, id="the old one signs, both are accepted"),
        pytest.param(signed(OLD, NEW), BODY, [OTHER], False, id="a secret of somebody else"),
        pytest.param(signed(NEW), BODY + b" ", [NEW], False, id="another body"),
        pytest.param(signed(NEW, changed={"webhook-id": "x"}), BODY, [NEW], False, id="another id"),
        pytest.param(signed(NEW, later=-timedelta(minutes=6)), BODY, [NEW], False, id="too old"),
        pytest.param(signed(NEW, later=timedelta(minutes=9)), BODY, [NEW], False, id="from the future"),
        pytest.param(signed(NEW, changed={"webhook-signature": ""}), BODY, [NEW], False, id="no signature"),
        pytest.param(signed(NEW, changed={"webhook-timestamp": "soon"}), BODY, [NEW], False, id="no time"),
        pytest.param(signed(NEW), BODY, [], False, id="no secret accepted"),
    ],
)
def test_the_code_on_the_page_verifies(
    verify: Verify, headers: Callable[[], dict[str, str]], body: bytes, secrets: list[str], *, taken: bool
) -> None:
    """What a receiver copies from the page takes what Prepwatch signs, during a rotation too, and nothing else."""
    assert verify(body, headers(), secrets) is taken


def test_the_command_makes_a_secret() -> None:
    """The command on the page makes a secret that the settings accept."""
    (command,) = re.findall(r"```sh\npython3 -c '(.*)'\n```", TEXT)
    made = subprocess.run([sys.executable, "-c", command], check=True, capture_output=True, text=True).stdout.strip()
    assert made.startswith("whsec_")
    assert len(decode_secret(made)) == 32


def judged(
    status: int | None, *, tries: int = 1, retry_after: str | None = None, failure: SendFailure | None = None
) -> Judgement:
    """What an answer means to the code."""
    given = answer(status, failure=failure, retry_after=retry_after)
    return judge(FORMATS["cloudevents"], given, tries, NOW)


def test_answers_mean_what_the_page_says() -> None:
    """Each row of the table of answers holds for every status that it names."""
    table = TEXT.split("## What your answer means")[1].split("\n\n")[1]
    rows = [row.strip("| ").split(" | ")[0] for row in table.splitlines()[2:]]
    assert rows == [
        "200 to 299",
        "429 or 503, with Retry-After",
        "429 without",
        "500 to 599, no answer within 20 s, no connection, TLS that is not trusted, an address that may not be called",
        "300 to 399",
        "400, 413, 415, 422",
        "410",
        "any other, 401, 403, 404 and 408 among them",
    ]
    assert {judged(status).verdict for status in range(200, 300)} == {"delivered"}
    assert [judged(status, retry_after="90").asked_wait for status in (429, 503)] == [timedelta(seconds=90)] * 2
    assert timedelta(hours=24) == LONGEST_WAIT
    assert (judged(429).asked_wait, judged(503).asked_wait) == (timedelta(minutes=1), None)
    assert (timedelta(minutes=15), timedelta(minutes=5)) == (LONG_PATIENCE, PROBE_EVERY)
    assert (3, timedelta(hours=75)) == (FAILING_AFTER, GIVE_UP_AFTER)
    for failure in SendFailure:
        assert judged(None, failure=failure).verdict == "retry"
    called_wrong = {400, 413, 415, 422}
    for status in (*range(500, 600), *range(300, 400), *(set(range(400, 500)) - called_wrong - {410})):
        assert judged(status).verdict == "retry"
    for status in called_wrong:
        assert [judged(status, tries=tries).verdict for tries in (1, 2, 3)] == ["retry", "retry", "dead"]
    assert REFUSED_TRIES == 3
    assert judged(410).verdict == "disable"


def test_a_verifier_can_be_tried_on_the_signed_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the secret that the page names, its own verifier takes the request byte for byte as it stands there."""
    (request,) = re.findall(r"<!-- made: headers -->\n```http\n(.*?)\n```", TEXT, re.DOTALL)
    head, body = request.split("\n\n")
    headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
    (secret,) = re.findall(r"the secret is `(whsec_\S+)`", TEXT)
    (now,) = re.findall(r"let it take (\d+) for now", TEXT)
    monkeypatch.setattr("time.time", lambda: int(now))
    assert verify_in_python(body.encode(), headers, [secret])
    assert not verify_in_python(body.encode() + b"\n", headers, [secret])
