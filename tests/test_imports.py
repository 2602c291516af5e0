"""Imports go in one direction."""

import ast
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[1]
ALLOWED = {"logging", "os", "typing", "collections.abc", "datetime", "functools", "azure.functions", "shared"}


def test_import_contracts_hold(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every contract of pyproject.toml is kept, and every module of the package has its place in them."""
    monkeypatch.chdir(ROOT)
    exit_code = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert exit_code == 0, capsys.readouterr().out


def test_the_function_app_only_translates() -> None:
    """function_app.py imports the platform's types and the package, and no library that would do work there."""
    tree = ast.parse((ROOT / "function_app.py").read_text(encoding="utf-8"))
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name for name in named if name not in ALLOWED and not name.startswith("shared.")} == set()
