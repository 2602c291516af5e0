"""The local host, served for a test: to anybody, or only to who has a key."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.functions_host.served import Served, serve


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The sample app without keys, as with Core Tools."""
    yield from serve(tmp_path, monkeypatch, check_keys=False)


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The sample app with keys."""
    yield from serve(tmp_path, monkeypatch, check_keys=True)
