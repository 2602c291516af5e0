"""The dashboard: one page made of the files in `dashboard/`, once, at import.

Owns how the files become a page, the policy that lets nothing else run in it, and that whoever has it is not sent it
again. Does not own what the page shows: it holds no data and asks the API for it, with the reader's key.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from shared.batch.advice import ADVICE
from shared.messages.format_table import FORMATS
from shared.state.standstill_words import NODE_STATES
from shared.web.http import Answer, Request, tagged

_FILES = Path(__file__).parent / "dashboard"
_STYLES = ("dashboard.css",)
_SCRIPTS = (
    *("elements.js", "words.js", "address.js", "api.js", "parts.js", "lists.js", "nodemap.js", "status.js"),
    *("overview.js", "notifications.js", "nodes.js", "job.js", "side.js", "phases.js", "dialogs.js", "main.js"),
)
"""In this order: each imports only from those before it."""
_KNOWN: Mapping[str, object] = {
    "advice": {code.lower(): found.do for code, found in ADVICE.items()},
    "nodeStates": NODE_STATES,
    "stateFormats": [name for name, receiver in FORMATS.items() if receiver.tells_state],
}
"""What the app knows and the page says too."""
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./\w+\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=async |class |const |function )", re.MULTILINE)


def _read(name: str) -> str:
    return (_FILES / name).read_text(encoding="utf-8")


def _joined(modules: Iterable[str]) -> str:
    """One module of all: what they import from each other stands above it in the scope that they share."""
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", module)) for module in modules)


def _hashes(sources: list[str]) -> str:
    hashes = (base64.b64encode(hashlib.sha256(source.encode()).digest()).decode() for source in sources)
    return " ".join(f"'sha256-{one}'" for one in hashes)


def _build() -> tuple[bytes, str]:
    styles, scripts = [_read(name) for name in _STYLES], [_joined(_read(name) for name in _SCRIPTS)]
    known = json.dumps(_KNOWN).replace("<", "\\u003c")
    page = _read("index.html")
    for mark, parts in {
        "<!-- styles -->": [f"<style>{style}</style>" for style in styles],
        "<!-- data -->": [f'<script type="application/json" id="known">{known}</script>'],
        "<!-- scripts -->": [f'<script type="module">{script}</script>' for script in scripts],
    }.items():
        page = page.replace(mark, "\n".join(parts))
    policy = {
        "default-src": "'none'",
        "script-src": _hashes(scripts),
        "style-src": _hashes(styles),
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        # Nothing in the page may turn a text into markup or code, whatever a message of Batch holds.
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return page.encode(), "; ".join(f"{name} {value}" for name, value in policy.items())


PAGE, _POLICY = _build()
HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": _POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


def page_answer(request: Request) -> Answer:
    """The page, or 304 for whoever has it: browsers ask each time, so that none shows an older page to a newer API.

    The policy counts too: with 304 a browser goes on with the headers that it has kept.
    """
    return tagged(request, Answer(headers=HEADERS, body=PAGE), json.dumps(HEADERS).encode() + PAGE)
