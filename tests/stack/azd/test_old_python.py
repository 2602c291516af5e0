"""What azd runs on a machine whose python3 is older than the project's."""

import ast
import subprocess
import sys

import pytest

from infra.hooks.preflight import ROOT

OLDER = "import runpy, sys; sys.version_info = (3, 9, 6); sys.version = '3.9.6 (default)'; "


@pytest.mark.parametrize(
    "run",
    [
        pytest.param("runpy.run_module('infra.hooks.preflight', run_name='__main__')", id="before a deployment"),
        pytest.param("runpy.run_module('infra.hooks.github_variables', run_name='__main__')", id="in a workflow"),
    ],
)
def test_an_old_python_is_told_which_one_is_needed(run: str) -> None:
    """The python3 of macOS is 3.9: instead of a traceback it says what to install."""
    done = subprocess.run(
        [sys.executable, "-c", OLDER + run], capture_output=True, text=True, check=False, timeout=60, cwd=ROOT
    )
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "What azd runs before a deployment needs Python 3.11 or newer, and this is 3.9.6: install a newer one, and put"
        " it first on the path."
    )


@pytest.mark.parametrize(("file", "version"), [("postdeploy", (3, 9)), ("__init__", (3, 6))])
def test_what_is_read_first_has_no_newer_grammar(file: str, version: tuple[int, int]) -> None:
    """The last step, which runs by itself, uses nothing that 3.9 does not have: no annotation of it is worked out."""
    tree = ast.parse((ROOT / f"infra/hooks/{file}.py").read_text(encoding="utf-8"), feature_version=version)
    imported = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert ("__future__" in imported) == (file == "postdeploy")
