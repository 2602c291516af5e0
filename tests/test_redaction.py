"""What cleaning does to texts that somebody else wrote."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared import redaction
from shared.redaction import CUT_MARK, clean, clean_tail, one_line
from shared.secrets import redact

SECRET = "c2VjcmV0LWNhbmFyeQ=="

LEAKS = {
    "sas in a url": f"https://acct.blob.core.windows.net/c/b?sv=2024&sr=b&sig={SECRET}&se=2030",
    "sas encoded": f"link=https%3A%2F%2Fx%3Fsv%3D1%26sig%3D{SECRET}",
    "sas in html": f"<a href='https://x/?a=1&amp;sig={SECRET}'>",
    "connection string": f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={SECRET};EndpointSuffix=x",
    "service bus": f"Endpoint=sb://x/;SharedAccessKeyName=n;SharedAccessKey={SECRET}",
    "sas connection string": f"BlobEndpoint=https://x/;SharedAccessSignature=sv=2024&ss=b&sig={SECRET}",
    "sas header": f"SharedAccessSignature sr=x&sig={SECRET}&se=1",
    "coloured": f"\x1b[31mpassword={SECRET}\x1b[0m",
    "titled": f"\x1b]0;a title\x07\x1b[1;31mAccountKey={SECRET}",
    "environment": f"DB_PASSWORD={SECRET} started",
    "api key": f"x-api-key: {SECRET}",
    "bearer": f"Authorization: Bearer {SECRET}",
    "bearer without digits": "Authorization: bearer abcdefghijklmnopqrstuvwxyzSECRET",
    "shared key": f"SharedKey myaccount:{SECRET}",
    "shared key lite": f"sharedkeylite myaccount:{SECRET}",
    "password in a url": f"git clone https://user:{SECRET}@host/repo",
    "password with @": f"https://user:p@{SECRET}@host/repo",
    "json": f'{{"password": "{SECRET}"}}',
    "split by a control character": f"si\x00g={SECRET}",
    "scheme as a value": f"password=Bearer {SECRET}",
    "bare token": "token eyJ0eXAiOiJKV1Qi.eyJzdWIiOiJTRUNSRVQi.c2lnbmF0dXJlU0VDUkVU was refused",
}


@pytest.mark.parametrize("text", LEAKS.values(), ids=LEAKS.keys())
def test_secrets_are_redacted(text: str) -> None:
    """Whatever spelling a secret comes in, the cleaned text says [redacted] in its place."""
    cleaned = clean(text)

    assert "[redacted]" in cleaned
    for part in (SECRET, "c2lnbmF0dXJlU0VDUkVU", "SECRET"):
        assert part not in cleaned


PLAIN = (
    "The specified type of authentication SharedKey is not allowed for this account.",
    "Bearer tokens are refused here",
    "One of the specified Azure Blob(s) is not found.",
    "design = significant, line one\n\tline two",
    "Zażółć gęślą jaźń 🚀",
    "http://host:8080/path",
)


@pytest.mark.parametrize("text", PLAIN)
def test_plain_text_stays(text: str) -> None:
    """A text without secrets and control characters is left as it is."""
    assert clean(text) == text


def test_control_characters_are_stripped() -> None:
    """Escape sequences, NULs, C1 and the marks that reorder text go; tab and line feed stay."""
    assert clean("a\x1b[31mb\x00c\x9bd\u202ee\r\n\tf\u2028") == "abcde\n\tf"


def test_lone_surrogates_become_question_marks() -> None:
    """A text that UTF-8 can't hold is made to fit."""
    assert clean("a\ud800b") == "a?b"


def test_one_line_joins_lines() -> None:
    """For an error text every run of white space is one blank."""
    assert one_line(" first\r\n\tsecond \n", limit=100) == "first second"


@pytest.mark.parametrize("limit", [16, 17, 18, 19, 100, 4096])
def test_a_cut_is_marked_and_counts_bytes(limit: int) -> None:
    """A long text ends in the mark, within the limit in bytes, and never in half a character."""
    cleaned = clean("ä🚀" * 5000, limit=limit)

    assert cleaned.endswith(CUT_MARK)
    assert limit - 4 < len(cleaned.encode()) <= limit


_FRAGMENTS = st.sampled_from([
    "sig=", "sig%3D", "&", ";", " ", "\n", "Bearer ", "SharedKey ", "a:", "abc123", "[redacted]", "[red", CUT_MARK, "…",
    "AccountKey=", "password: ", '"', "://", "u:", "@", "/", "eyJabcdefghij.", "x.y", "\x00", "\ud800", "ä", "🚀",
    "SharedAccessSignature=", "SharedAccessSignature ", "[cut]", "abcdefghijklmnopqrst", "=",
    "the key is ", "token,", ",", "\t", "aB3dEf6hIj9lMn2p", "s3cr3tP4ssw0rd", "token:\n", "\\u0070", "<key>", "name",
])  # fmt: skip
_TEXTS = st.one_of(st.text(), st.lists(_FRAGMENTS, max_size=60).map("".join))


def test_a_text_without_end_costs_no_more_than_its_head() -> None:
    """Only the head of a huge text is looked at, and even if nearly all of it was stripped the cut is marked."""
    assert clean("ab" + "\x00" * 10_000_000, limit=100) == "ab" + CUT_MARK


@given(_TEXTS, st.integers(min_value=16, max_value=120))
@example("sig=abc and more than fits", 20)
def test_cleaning_twice_is_cleaning_once(text: str, limit: int) -> None:
    """Cleaning is idempotent at any limit, so that a stored text may be cleaned again."""
    once = clean(text, limit=limit)

    assert clean(once, limit=limit) == once
    assert len(once.encode()) <= limit


@given(
    st.lists(st.sampled_from([*LEAKS.values(), *PLAIN, " ", "=", "SIG", "eyJ", "://u:", "@", "Pwd:", "x1"])).map(
        "".join
    )
)
def test_the_short_cut_misses_nothing(text: str) -> None:
    """A text that is let pass without a closer look is one that no pattern would change."""
    if redaction._is_harmless(text):
        assert redact(text) == text
        assert redaction._CONTROL.search(text) is None


@pytest.mark.parametrize("length", range(1, 120))
def test_a_tail_begins_after_the_cleaning(length: int) -> None:
    """Of a tail that would begin anywhere within a key nothing of the key is left; the end of the text always is."""
    text = f"AccountKey={SECRET * 4}; then it stopped: żółć"
    tail = clean_tail(text, limit=length)

    assert len(tail.encode()) <= length
    assert (SECRET[:6] not in tail, SECRET[-8:-2] not in tail, clean(text).endswith(tail)) == (True, True, True)
    assert clean(tail) == tail
