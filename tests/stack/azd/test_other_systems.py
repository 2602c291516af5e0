"""What azd runs says all it has to say, whatever letters the machine's pipes and the Azure CLI know."""

import io
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from infra.hooks import preflight
from infra.hooks.findings import line_that_sets, line_that_unsets
from tests.stack.infra.deployed import postdeploy

NAME = "rg-größe-東"


@pytest.mark.parametrize(
    ("hook", "report"),
    [
        pytest.param(preflight, lambda *_: (0, [NAME]), id="before"),
        pytest.param(postdeploy, lambda *_: [NAME], id="after"),
    ],
)
def test_a_name_that_a_pipe_can_not_carry_ends_nothing(
    hook: ModuleType, report: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows a pipe takes the letters of the system's code page only: the others are spelt, without a traceback."""
    pipe = io.BytesIO()
    monkeypatch.setattr(hook, "report", report)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(pipe, encoding="cp1252", newline="\n"))

    assert hook.main() == 0
    sys.stdout.flush()
    assert pipe.getvalue().decode("cp1252") == "rg-größe-\\u6771\n"


@pytest.mark.skipif(os.name == "nt", reason="the az in this test is a shell script")
@pytest.mark.parametrize("hook", [preflight, postdeploy], ids=["before", "after"])
def test_an_error_in_another_code_page_is_an_error(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What az writes in letters that are none here is said as far as it can be read."""
    az = tmp_path / "az"
    az.write_bytes(b"#!/bin/sh\nprintf 'ERROR: Gr\\344\\377e\\n' >&2\nexit 1\n")
    az.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    with pytest.raises(hook.AzError, match=re.escape("ERROR: Gr\ufffd\ufffde")):
        hook.run_az(["account", "show"])


@pytest.mark.parametrize(
    ("windows", "lines"),
    [
        pytest.param(
            False,
            [
                'read -rs VALUE && azd env set WEBHOOK_URL "$VALUE"',
                "unset BATCH_ACCOUNT_KEY",
                'unset TRACKED_JOBS   # or keep it: azd env set TRACKED_JOBS "$TRACKED_JOBS"',
            ],
            id="sh",
        ),
        pytest.param(
            True,
            [
                '$VALUE = Read-Host -MaskInput; azd env set WEBHOOK_URL "$VALUE"',
                "Remove-Item Env:BATCH_ACCOUNT_KEY",
                'Remove-Item Env:TRACKED_JOBS   # or keep it: azd env set TRACKED_JOBS "$env:TRACKED_JOBS"',
            ],
            id="PowerShell",
        ),
    ],
)
def test_lines_are_typed_into_the_shell_that_is_there(*, windows: bool, lines: list[str]) -> None:
    """What mends a finding is a line of the shell that azd calls the preflight in."""
    secret = line_that_sets("WEBHOOK_URL", windows=windows)
    unset = [line_that_unsets(name, windows=windows) for name in ("BATCH_ACCOUNT_KEY", "TRACKED_JOBS")]
    assert [secret, *unset] == lines
