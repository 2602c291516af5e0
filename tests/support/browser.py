"""Owns how tests find a browser: Debian's Chromium, or the one that PREPWATCH_CHROMIUM names."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.support.needs import need

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    "--no-sandbox",  # containers have no namespaces to give
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # Nothing but the page under test shall be asked for.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def running_browser() -> Iterator[Browser]:
    """A headless browser; the test is skipped where there is none."""
    named = os.environ.get("PREPWATCH_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, _NAMES)), None)
    need(found is not None and Path(found).exists(), "No Chromium: apt-get install chromium, or set PREPWATCH_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(_OPTIONS))
        yield browser
        browser.close()
