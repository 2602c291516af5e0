"""The Slack message in README.md, as the app sends it: `python -m local.readme_message` writes it anew.

Owns the example. Does not own the words (`shared.messages`, `shared.digests`) or the page around them.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from shared.batch.model import FailureInfo, JobExecutionInfo
from tests.support.deployment import a_job, a_node, a_run, deploy

PAGE = Path(__file__).parents[1] / "README.md"
_PART = re.compile(r"(?<=<!-- made: slack -->\n)```text\n.*?\n```", re.DOTALL)
_NODES, _FAILED = 60, 3


def message() -> str:
    """What Slack shows when the preparation of a job fails on some of its nodes, without its layout."""
    hook = {"name": "chat", "format": "slack", "url": "https://hooks.slack.com/services/T/B/x"}
    deployment = deploy(hook, PUBLIC_URL="https://prepwatch.example")
    missing = FailureInfo(category="UserError", code="BlobNotFound", message="The specified blob does not exist.")
    failed = replace(a_run(failed=True), failure_info=missing, exit_code=None)
    nodes = [
        a_node(f"tvmps_{number:02}_d", pool_id="pool-cpu", preparation=failed if number < _FAILED else a_run())
        for number in range(_NODES)
    ]
    job = replace(a_job("nightly-simulation"), execution_info=JobExecutionInfo(pool_id="pool-cpu"))
    deployment.batch.add(job, *nodes)
    deployment.poll()
    deployment.clock.advance(seconds=15)
    deployment.poll()
    blocks = json.loads(deployment.sender.sent[0].body)["blocks"]
    return "\n".join(filter(None, map(_text, blocks)))


def _text(block: Any) -> str:
    """The texts of a block in their order; between blocks, and around what is to be copied, is a line break."""
    if isinstance(block, list):
        return "".join(map(_text, block))
    if isinstance(block, dict) and block.get("type") == "rich_text":
        return "\n".join(_text(element).strip("\n") for element in block["elements"])
    if isinstance(block, dict):
        return _text(block.get("text")) or _text(block.get("elements")) or _text(block.get("fields"))
    return block if isinstance(block, str) else ""


def part() -> str:
    """The part of README.md that is made."""
    return f"```text\n{message()}\n```"


def part_of(page: str) -> str | None:
    """The part as it stands in a page; None when it is missing."""
    found = _PART.search(page)
    return found[0] if found else None


def main() -> int:
    """Write README.md."""
    made = part()
    PAGE.write_text(_PART.sub(lambda _: made, PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
