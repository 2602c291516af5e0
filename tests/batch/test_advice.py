"""Every code that Batch is known to give has its advice, and the documentation says the same."""

from pathlib import Path

import pytest

from shared.batch.advice import ADVICE, advice, where_to_look

_DOCUMENT = Path(__file__).parents[2] / "docs" / "failure-codes.md"
# Batch's "Job and task error codes", and what its SDKs and users have seen besides.
_DOCUMENTED = [
    "BlobNotFound", "BlobAccessDenied", "BlobDownloadTimedOut", "BlobDownloadMiscError",
    "ResourceDirectoryCreateFailed", "ResourceFileCreateFailed", "ResourceFileWriteFailed",
    "CommandProgramNotFound", "CommandLaunchFailed", "TaskEnded", "MaxInternalRetryCountReached",
    "TaskSchedulingConstraintFailed", "DiskFull", "Unknown",
]  # fmt: skip
_SEEN = [
    "FailureExitCode", "ResourceContainerAccessDenied", "ResourceContainerListMiscError", "ContainerInvalidImage",
    "JobPreparationTaskFailed", "ContainerInvalidRegistry", "ContainerInvalidSettings", "ContainerMiscError",
    "ApplicationPackageError",
]  # fmt: skip


@pytest.mark.parametrize("code", _DOCUMENTED + _SEEN)
def test_known_codes_have_advice(code: str) -> None:
    """Each known code has a line that says what it means and one with advice, and a place where more is seen."""
    for text in (advice(code), ADVICE[code].means):
        assert text is not None
        assert 20 < len(text) <= 120
        assert "\n" not in text
    assert where_to_look(code) is not None


def test_case_and_unknown_codes() -> None:
    """Advice is found whatever the code's case, and a code that nobody knows has none."""
    assert advice("blobnotfound") == ADVICE["BlobNotFound"].do
    assert (advice("FromTheFuture"), ADVICE.get("FromTheFuture"), where_to_look("FromTheFuture")) == (None, None, None)


def test_document_says_the_same() -> None:
    """docs/failure-codes.md lists every code with exactly its advice, and no other code."""
    rows = [line for line in _DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    listed = [tuple(row.strip("| ").split(" | ")) for row in rows]
    assert listed == [(f"`{code}`", known.means, known.do) for code, known in ADVICE.items()]
