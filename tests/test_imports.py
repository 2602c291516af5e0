"""Imports go in one direction."""

import ast
import logging.config
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[1]
OWN = {"function_app", *sys.builtin_module_names}
ALLOWED = {"logging", "os", "typing", "collections.abc", "datetime", "functools", "azure.functions", "shared"}


LATE = {
    "route_composition",
    *("web.dashboard_page", "web.openapi", "web.operation", "web.operation_table", "web.routes", "web.system"),
    *("web.events", "web.mutes", "web.pools", "web.webhooks"),
    *(
        "api.openmetrics",
        "api.diagnostics",
        "api.metrics",
        "api.nodes",
        "api.pools.listing",
        "api.summary",
        "api.tracking",
    ),
    *(
        "api.events.explanation",
        "api.events.history",
        "api.events.redelivery",
        "api.events.trends",
        "api.webhook_admin",
    ),
    *(
        "digests.one_webhook",
        "digests.planner",
        "digests.chat_planner",
        "digests.rows",
        "digests.chat_rules",
        "digests.incidents.planner",
    ),
    "digests.incidents.rules",
    *("digests.jobs.titles", "digests.pools.rows", "digests.daily.rules"),
}


def test_import_contracts_hold(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every contract of pyproject.toml is kept, and every module of the package has its place in them."""
    monkeypatch.chdir(ROOT)
    # It would switch off every logger of this process, and what other tests find in no log would prove nothing.
    monkeypatch.setattr(logging.config, "dictConfig", lambda _config: None)
    exit_code = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert exit_code == 0, capsys.readouterr().out


def test_the_function_app_only_translates() -> None:
    """function_app.py imports the platform's types and the package, and no library that would do work there."""
    tree = ast.parse((ROOT / "function_app.py").read_text(encoding="utf-8"))
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name for name in named if name not in ALLOWED and not name.startswith("shared.")} == set()


def test_what_is_logged_is_logged_by_the_journal_and_what_runs_beside_is_a_lane() -> None:
    """Only the journal and the translator log, and only lanes start threads: so every line can reach the host."""
    named: dict[str, set[str]] = {"getLogger": set(), "Thread": set(), "ThreadPoolExecutor": set(), "Timer": set()}
    for file in [ROOT / "function_app.py", *ROOT.glob("shared/**/*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            name = (
                called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
            )
            if name in named:
                named[name].add(file.relative_to(ROOT).as_posix())
    assert named == {
        # connections only keeps others from logging.
        "getLogger": {"function_app.py", "shared/journal.py", "shared/adapters/connections.py"},
        # sockets has names resolved by a thread that it can leave behind, and which says nothing.
        "Thread": {"shared/adapters/lanes.py", "shared/adapters/sockets.py"},
        "ThreadPoolExecutor": set(),
        "Timer": set(),
    }


def test_no_value_of_the_package_is_a_dataclass() -> None:
    """No module of the package imports dataclasses: each such class compiles its methods anew at every cold start."""
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in ROOT.glob("shared/**/*.py")}
    found = {
        name
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Import) and any(alias.name == "dataclasses" for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "dataclasses")
    }
    assert len(trees) > 90
    assert found == set()


def test_a_cold_start_imports_nothing_that_no_cycle_needs() -> None:
    """Importing the app imports no library beside its own, nor what answers over HTTP, nor what words digests."""
    libraries = "import azure.functions, requests, azure.identity, azure.data.tables, msgspec"
    loaded = "import sys; before = set(sys.modules); import function_app; print(*(set(sys.modules) - before))"
    listed = set(_python(f"{libraries}; {loaded}"))
    late = {f"shared.{name}" for name in LATE}
    assert {name for name in listed - OWN if not name.startswith("shared")} == set()
    assert {name for name in listed if name.startswith("shared.")} & late == set()
    assert "shared.polling.cycle" in listed


def _python(statement: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", statement], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.split()
