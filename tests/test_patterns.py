"""Which ids the patterns of people match."""

import pytest

from shared.patterns import IdPatterns, PatternError, matches_any, valid_job_id


@pytest.mark.parametrize(
    ("globs", "text", "matches"),
    [
        pytest.param(["*"], "anything:at-all_1", True, id="star"),
        pytest.param(["*"], "", True, id="star and nothing"),
        pytest.param(["nightly-*"], "nightly-1", True, id="prefix"),
        pytest.param(["nightly-*"], "a-nightly-1", False, id="whole text only"),
        pytest.param(["nightly-1"], "nightly-10", False, id="exact id is no prefix"),
        pytest.param(["Nightly-1"], "nIGHTLY-1", True, id="case"),
        pytest.param(["job-?"], "job-1", True, id="question mark"),
        pytest.param(["job-?"], "job-12", False, id="question mark is one"),
        pytest.param(["job-?"], "job-", False, id="question mark is not none"),
        pytest.param(["job-[12]"], "job-1", False, id="brackets make no set"),
        pytest.param(["job-[12]"], "job-[12]", True, id="brackets are themselves"),
        pytest.param(["job-[!a]*"], "job-b", False, id="negated set is no set"),
        pytest.param(["job.1"], "job-1", False, id="dot is a dot"),
        pytest.param(["job-1"], "job-1\n", False, id="line end is not ignored"),
        pytest.param(["k"], "\u212a", False, id="Kelvin sign is no k"),
        pytest.param(["a", "b"], "b", True, id="second of two"),
        pytest.param([], "a", False, id="no glob"),
    ],
)
def test_globs(globs: list[str], text: str, *, matches: bool) -> None:
    """Globs match the whole text whatever its case, and only * and ? are special."""
    assert matches_any(globs, text) is matches


def test_many_stars_take_no_exponential_time() -> None:
    """A glob of many stars is answered, where a naive translation would never end."""
    assert not matches_any(["*a" * 60 + "b"], "a" * 128)


@pytest.mark.parametrize(
    ("text", "tracked", "left_out"),
    [
        pytest.param("*", ["a", "b:job-1"], [], id="all"),
        pytest.param("one, two-*", ["ONE", "two-3"], ["three", "one-1"], id="ids and globs"),
        pytest.param("*,!test-*", ["prod"], ["test-1"], id="all but"),
        pytest.param("!test-*,*", ["prod"], ["test-1"], id="the order does not matter"),
        pytest.param("!test-*", ["prod"], ["Test-1"], id="only an exclusion"),
        pytest.param("a,,b,", ["a", "b"], ["c", ""], id="empty entries"),
    ],
)
def test_tracked_jobs(text: str, tracked: list[str], left_out: list[str]) -> None:
    """A job is tracked when it is included and not excluded, and exclusions alone leave all others."""
    patterns = IdPatterns.parse(text)
    assert [job for job in tracked + left_out if patterns.matches(job)] == tracked


@pytest.mark.parametrize("text", ["", " , ", "a b", "a,!", "a,[b]", "a.b", "!!a", "x" * 129])
def test_patterns_that_match_no_job_are_refused(text: str) -> None:
    """An entry that can match no job id is refused without being repeated."""
    with pytest.raises(PatternError) as refused:
        IdPatterns.parse(text)
    assert text not in str(refused.value) or not text


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("a", True),
        ("schedule:job-1_B", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("", False),
        ("a/b", False),
        ("a.b", False),
        ("a*", False),
        ("a\n", False),
        ("é", False),
    ],
)
def test_job_ids(text: str, *, valid: bool) -> None:
    """A job id is 1 to 128 letters, digits, underscores, hyphens and colons."""
    assert valid_job_id(text) is valid
