"""`python -m benchmarks.profiles`: where the CPU goes in the cycles that cost most; writes benchmarks/profiles/*.txt.

Owns the profiles that `why_not` rests on. All work runs on one thread here, so that the profiler sees it.
"""

import cProfile
import logging
import pstats
import re
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path
from tempfile import NamedTemporaryFile

from benchmarks.imports import profile_import
from benchmarks.pages import World
from benchmarks.server_process import running_server
from benchmarks.stage import Measured, Stage
from local.azurite import running_azurite
from shared.ports import Lanes

_FOLDER = Path(__file__).with_name("profiles")
_LINES = 32
_NODES = 10_000
_PATHS = re.compile(r"(?:/\S*)?/(?=(?:shared|site-packages|lib/python3\.\d+|benchmarks)/)")


@dataclass(frozen=True, slots=True)
class _OneThread:
    """Lanes that work at once, but for deliveries, which wait for ever."""

    lanes: Lanes

    def submit(self, lane: str, width: int, work: Callable[[], None]) -> None:  # noqa: ARG002 - as Lanes has it
        """Do the work."""
        if not lane.startswith("webhook:"):
            work()

    def join(self, lane: str | None = None, timeout: timedelta | None = None) -> bool:  # noqa: ARG002 - same
        """There is nothing to wait for."""
        return True


def _unchanged(stage: Stage) -> Measured:
    stage.set_world(World(nodes=_NODES))
    app = stage.app(lanes=_OneThread)
    for _ in range(3):
        app.cycle()
    return app


def _changed(stage: Stage) -> Measured:
    stage.set_world(World(nodes=_NODES))
    app = stage.app(lanes=_OneThread)
    app.cycle()
    stage.set_world(World(nodes=_NODES, version=1))
    return app


def _mass_failure(stage: Stage) -> Measured:
    stage.set_world(World(nodes=_NODES, failing=0))
    app = stage.app(lanes=_OneThread, webhooks=2)
    app.cycle()
    stage.set_world(World(nodes=_NODES, failing=1, run_again=True))
    return app


def _write(name: str, profiler: cProfile.Profile | str) -> None:
    said = StringIO()
    with redirect_stdout(said):
        stats = pstats.Stats(profiler, stream=said)
        stats.sort_stats("tottime").print_stats(_LINES)
        stats.sort_stats("cumtime").print_stats("shared/|azure/data/tables", _LINES)
    # Of a profile from a file the first line names the file, which says nothing and is another every time.
    named = (line for line in said.getvalue().splitlines() if not isinstance(profiler, str) or profiler not in line)
    lines = (_PATHS.sub("", line).rstrip() for line in named)
    (_FOLDER / f"{name}.txt").write_text("\n".join(lines).strip() + "\n")


def main() -> None:
    """Profile one cycle of each kind, and the import of the app."""
    logging.disable()
    _FOLDER.mkdir(exist_ok=True)
    with NamedTemporaryFile() as stored:
        profile_import(Path(stored.name))
        _write("import", stored.name)
    with running_server() as batch, running_azurite() as azurite:
        stage = Stage(batch=batch, storage=azurite.connection_string)
        for name, prepare in (("unchanged", _unchanged), ("changed", _changed), ("mass_failure", _mass_failure)):
            app = prepare(stage)
            profiler = cProfile.Profile()
            profiler.enable()
            app.cycle()
            profiler.disable()
            _write(name, profiler)


if __name__ == "__main__":
    main()
