"""What is answered when a use case refuses."""

import json
from datetime import timedelta

import pytest

from shared.api.refusals import (
    AmbiguousError,
    ConflictError,
    InvalidError,
    NotFoundError,
    Problem,
    RefusalError,
    TooSoonError,
    invalid,
    not_found,
)
from shared.web.errors import error_answer

PROBLEMS = [
    Problem(field="endsAt", message="endsAt is over."),
    Problem(field="comment", message="comment must say why."),
]


@pytest.mark.parametrize(
    ("refusal", "status", "code", "message"),
    [
        pytest.param(not_found("event", "a"), 404, "NotFound", "There is no event 'a'.", id="unknown"),
        pytest.param(
            not_found("job", "a"),
            404,
            "NotFound",
            "There is no job 'a' here: GET /api/jobs lists those that are known.",
            id="unknown of many",
        ),
        pytest.param(
            not_found("account", "a", ["b.x", "a.x"]),
            404,
            "NotFound",
            "There is no account 'a' here; there are: a.x, b.x.",
            id="unknown of few",
        ),
        pytest.param(
            NotFoundError("None.", target="jobId", reason="JobNotFound"), 404, "JobNotFound", "None.", id="why"
        ),
        pytest.param(
            AmbiguousError("Two", target="pool", names=["a", "b"]),
            400,
            "MissingRequiredQueryParameter",
            "Two: name one by ?pool= (a, b).",
            id="ambiguous",
        ),
        pytest.param(InvalidError("Bad.", target="jobId"), 400, "InvalidInput", "Bad.", id="invalid"),
        pytest.param(
            ConflictError("Nobody", target="eventId", reason="NoRecipient", name_by="webhook"),
            409,
            "NoRecipient",
            "Nobody; name one by ?webhook=.",
            id="conflict with a way out",
        ),
        pytest.param(ConflictError("Off.", target="name", reason="Off"), 409, "Off", "Off.", id="conflict"),
        pytest.param(
            TooSoonError("Wait.", target="name", wait=timedelta(seconds=5.2)),
            429,
            "TooManyRequests",
            "Wait.",
            id="soon",
        ),
    ],
)
def test_each_kind_of_refusal(refusal: RefusalError, status: int, code: str, message: str) -> None:
    """A use case says why, and the web layer which status, code and way out that is."""
    answer = error_answer(refusal)
    said = json.loads(answer.body)["error"]
    assert (answer.status, said["code"], said["message"], said["target"]) == (status, code, message, refusal.target)
    assert answer.headers["x-ms-error-code"] == code
    assert answer.headers.get("retry-after") == ("6" if status == 429 else None)


def test_all_problems_at_once() -> None:
    """What has several faults is refused with all of them, the first one's field as the target."""
    said = json.loads(error_answer(invalid(PROBLEMS)).body)["error"]
    assert (said["message"], said["target"]) == ("endsAt is over. comment must say why.", "endsAt")
    assert [(detail["code"], detail["target"]) for detail in said["details"]] == [
        ("InvalidField", "endsAt"),
        ("InvalidField", "comment"),
    ]
