"""Long answers are compressed for callers that take it."""

import gzip

import azure.functions as func
import pytest

import function_app
from shared.web.http import WORTH_COMPRESSING, Answer, Request, compressed, tagged

LONG = Answer(headers={"content-type": "application/json", "etag": '"abc"'}, body=b"x" * (WORTH_COMPRESSING + 1))


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        ("gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("br;q=1.0, GZIP; q=0.8, *;q=0.1", True),
        ("*", True),
        ("", False),
        ("br", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000, br", False),
        ("*;q=0", False),
        ("*, gzip;q=0", False),
    ],
)
def test_a_long_answer_is_compressed_for_who_takes_it(accepted: str, *, taken: bool) -> None:
    """Accept-Encoding decides; caches are told so either way, and the etag of other bytes is a weak one."""
    answer = compressed(LONG, accepted)
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers.get("content-encoding") == ("gzip" if taken else None)
    assert (gzip.decompress(answer.body) if taken else answer.body) == LONG.body
    assert answer.headers["etag"] == ('W/"abc"' if taken else '"abc"')


def test_a_short_answer_is_left_as_it_is() -> None:
    """Up to 8 kB it would win nothing."""
    short = Answer(body=LONG.body[:WORTH_COMPRESSING])
    assert compressed(short, "gzip") == short


def test_the_weak_etag_is_known_again() -> None:
    """Whoever was sent a compressed answer gets 304 with its etag."""
    first = compressed(tagged(Request(), LONG, b"identity"), "gzip")
    again = tagged(Request(headers={"if-none-match": first.headers["etag"]}), LONG, b"identity")
    assert again.status == 304


def test_the_app_compresses() -> None:
    """The page, which is long, leaves the app compressed when the browser takes that."""
    asked = func.HttpRequest("GET", "https://app.example/api/dashboard", body=b"", headers={"Accept-Encoding": "gzip"})
    answered = function_app.dashboard(asked)
    assert answered.headers["content-encoding"] == "gzip"
    assert gzip.decompress(answered.get_body()).startswith(b"<!doctype html>")
