"""Owns how tests find a browser and what axe says.

It is the one that PREPWATCH_CHROMIUM names, or a Chromium of Debian; best the headless shell, which opens a page with a
sixth of the work.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.needs import need

_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
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
# What it says of all that is well is no less work than the rest, and is never read.
_FIND = "axe.run({ resultTypes: ['violations'] }).then((found) => found.violations)"
_AXE = Path(__file__).resolve().parents[3] / "node_modules" / "axe-core" / "axe.min.js"


def grave_violations(page: Page) -> list[tuple[str, list[str]]]:
    """What axe calls serious or critical in the page as it stands, with the elements concerned."""
    need(_AXE.exists(), "axe-core is not installed: `python3 dev.py test` installs it")
    page.evaluate("document.getAnimations().forEach((one) => one.finish())")
    page.evaluate(_AXE.read_text(encoding="utf-8"))
    return [
        (one["id"], [node["html"] for node in one["nodes"]])
        for one in page.evaluate(_FIND)
        if one["impact"] in {"serious", "critical"}
    ]


@contextmanager
def running_browser() -> Iterator[Browser]:
    """A headless browser; the test is skipped where there is none."""
    named = os.environ.get("PREPWATCH_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, _NAMES)), None)
    mend = "apt-get install chromium-headless-shell, or set PREPWATCH_CHROMIUM"
    need(found is not None and Path(found).exists(), f"No Chromium: {mend}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(_OPTIONS))
        yield browser
        browser.close()
