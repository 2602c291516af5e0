"""The scanner checkov finds nothing in infra/ that isn't excused, in place and with a reason."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.stack.infra.bicep import FILES, INFRA
from tests.stack.infra.checkov import checkov

# Bicep's formatter breaks a long condition before its signs; the scanner's parser wants it on one line.
BROKEN_CONDITION = re.compile(r"\n\s+([?:] )")
EXCUSE = re.compile(r"// checkov:skip=(\w+)(?:: ?(.*))?")


def _excuses() -> list[tuple[str, str, str]]:
    """File, check and reason of each skipped check."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in FILES}
    return [(name, match[1], match[2] or "") for name, text in texts.items() for match in EXCUSE.finditer(text)]


@pytest.mark.slow
def test_checkov_finds_what_is_excused_and_nothing_else(tmp_path: Path) -> None:
    """With the excuses taken out, exactly the excused checks fail: nothing else does, and none is excused in vain."""
    for path in FILES:
        target = tmp_path / path.relative_to(INFRA)
        target.parent.mkdir(exist_ok=True)
        text = EXCUSE.sub("//", path.read_text(encoding="utf-8"))
        target.write_text(BROKEN_CONDITION.sub(r" \1", text), encoding="utf-8")

    # --skip-download keeps it from calling home.
    command = [
        str(checkov()),
        "--directory",
        str(tmp_path),
        "--framework",
        "bicep",
        "--skip-download",
        "--output",
        "json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    # A check that itself breaks says so there and is otherwise passed over.
    assert "Failed to run check" not in done.stderr
    found = json.loads(done.stdout)

    assert found["summary"]["parsing_errors"] == 0
    failed = [(Path(check["file_path"]).name, check["check_id"]) for check in found["results"]["failed_checks"]]
    assert sorted(failed) == sorted((file, check) for file, check, _ in _excuses())


def test_each_excuse_has_a_reason() -> None:
    """Beside each skipped check stands why."""
    assert [(file, check) for file, check, reason in _excuses() if not reason.strip()] == []
