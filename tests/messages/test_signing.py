"""Signatures are those of Standard Webhooks, and secrets are read strictly and never shown."""

import base64
import json
import traceback
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from shared.messages.signing import decode_secret, signing_headers

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
OLD, NEW = b"o" * 24, b"n" * 64


def secret_text(key: bytes) -> str:
    """Return *key* as an operator writes it."""
    return "whsec_" + base64.b64encode(key).decode()


def test_published_vector() -> None:
    """The test vector of the specification comes out as published."""
    headers = signing_headers(
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        now=datetime.fromtimestamp(1614265330, UTC),
        body=b'{"test": 2432232314}',
        secrets=[decode_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
    )

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("receivers_key", [OLD, NEW], ids=["old key", "new key"])
@given(data=st.recursive(st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_both_keys_verify_during_a_rotation(receivers_key: bytes, data: object) -> None:
    """A receiver that knows either of two keys accepts any body, as its own library judges it."""
    body = json.dumps({"data": data}, ensure_ascii=False)
    now = datetime.now(UTC)  # the library compares with the clock

    headers = signing_headers(message_id="msg_1", now=now, body=body.encode(), secrets=[OLD, NEW])

    assert Webhook(secret_text(receivers_key)).verify(body, headers)["data"] == data


def test_the_last_signature_may_be_overlooked() -> None:
    """A library that leaves out the last signature of several, as some do, still finds that of either secret."""
    headers = signing_headers(message_id="msg_1", now=datetime.now(UTC), body=b"{}", secrets=[OLD, NEW])
    seen = headers["webhook-signature"].split()[:-1]

    for key in (OLD, NEW):
        Webhook(secret_text(key)).verify("{}", {**headers, "webhook-signature": " ".join(seen)})
    alone = signing_headers(message_id="msg_1", now=datetime.now(UTC), body=b"{}", secrets=[OLD])
    assert len(alone["webhook-signature"].split()) == 1


def test_time_zone_does_not_change_the_timestamp() -> None:
    """The same instant signs the same whatever zone it is written in."""
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert signing_headers(message_id="m", now=NOW, body=b"", secrets=[OLD]) == signing_headers(
        message_id="m", now=elsewhere, body=b"", secrets=[OLD]
    )


@pytest.mark.parametrize(
    ("message_id", "now", "secrets"),
    [
        ("a.b", NOW, [OLD]),
        ("", NOW, [OLD]),
        ("a", NOW.replace(tzinfo=None), [OLD]),
        ("a", NOW, []),
    ],
    ids=["id with a dot", "empty id", "naive time", "no secret"],
)
def test_what_cannot_be_signed_is_refused(message_id: str, now: datetime, secrets: list[bytes]) -> None:
    """What would give an ambiguous, wrong or empty signature raises."""
    with pytest.raises(ValueError, match=r"must|sign"):
        signing_headers(message_id=message_id, now=now, body=b"", secrets=secrets)


@pytest.mark.parametrize("size", [24, 32, 64])
@pytest.mark.parametrize("prefix", ["whsec_", ""], ids=["prefix", "no prefix"])
def test_good_secrets_are_decoded(size: int, prefix: str) -> None:
    """Secrets of 24 to 64 bytes are accepted with and without their prefix."""
    key = bytes(range(size))

    assert decode_secret(prefix + base64.b64encode(key).decode()) == key


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("whsec_hello!!world", "not base64"),
        ("whsec_" + "ä" * 32, "not base64"),
        ("whsec_ " + base64.b64encode(OLD).decode(), "not base64"),
        (base64.b64encode(OLD).decode() + "\n", "not base64"),
        (secret_text(b"x" * 23), "23 bytes"),
        (secret_text(b"x" * 65), "65 bytes"),
        ("whsec_", "0 bytes"),
        ("whsk_" + base64.b64encode(OLD).decode(), "not base64"),
    ],
    ids=["plain text", "not ASCII", "blank", "line break", "short", "long", "empty", "asymmetric key"],
)
def test_bad_secrets_are_named_but_not_shown(text: str, problem: str) -> None:
    """A secret that is no key is refused with the problem, and its value is nowhere in the error."""
    with pytest.raises(ValueError, match=problem) as caught:
        decode_secret(text)

    told = "".join(traceback.format_exception(caught.value))
    assert text.removeprefix("whsec_").strip() not in str(caught.value) or text == "whsec_"
    assert "UnicodeEncodeError" not in told
    assert caught.value.__context__ is None
