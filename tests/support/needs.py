"""Decides what happens to a test whose tool is missing: skipped on a desk, failed where all must run."""

import os

import pytest


def need(present: bool, reason: str) -> None:  # noqa: FBT001 - reads as a sentence: need(x.exists(), "...")
    """Skip the test with *reason* unless *present*; fail it when PREPWATCH_REQUIRE_ALL=1 (as in CI)."""
    if present:
        return
    if os.environ.get("PREPWATCH_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
