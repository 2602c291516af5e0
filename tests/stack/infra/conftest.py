"""The compiler that runs through all tests of infra/, the deployments that it expands, and an app that was deployed."""

import shutil
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from tests.stack.infra.azd import parameters
from tests.stack.infra.bicep import INFRA, Bicep, running_bicep
from tests.stack.infra.deployed import App, running_app
from tests.stack.infra.judge import Expanded, known
from tests.stack.infra.ways import Way

Compile = Callable[[Path], dict[str, Any]]
Expand = Callable[[Way, Path], Expanded]


@pytest.fixture(scope="session")
def bicep() -> Iterator[Bicep]:
    """A compiler that starts once."""
    with running_bicep() as compiler:
        yield compiler


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The main file of infra/ in a copy that hides no secret."""
    return bare_copy(tmp_path_factory.mktemp("bare"))


def bare_copy(folder: Path) -> Path:
    """Copy infra/ without `@secure()`, whose values the engine leaves as expressions; return the main file."""
    copy = shutil.copytree(INFRA, folder / "infra", ignore=shutil.ignore_patterns("bicepconfig.json"))
    for path in copy.rglob("*.bicep"):
        path.write_text(path.read_text(encoding="utf-8").replace("@secure()\n", ""), encoding="utf-8")
    return copy / "main.bicep"


@pytest.fixture(scope="session")
def compiled(bicep: Bicep) -> Compile:
    """A main file as the ARM template that it becomes."""
    return cache(lambda template: bicep.compile(template).template)


@pytest.fixture(scope="session")
def expand(bicep: Bicep, compiled: Compile) -> Expand:
    """What a way of deploying makes with a template, every expression worked out."""

    @cache
    def expanded(way: Way, template: Path) -> Expanded:
        snapshot = bicep.snapshot(compiled(template), parameters(way.variables, compiled(template)))
        assert snapshot.warnings == []
        resources, outputs = bicep.evaluated(
            [snapshot.resources, snapshot.outputs], partial(known, way.cloud), way.cloud.environment
        )
        return Expanded(resources=resources, outputs=outputs)

    return expanded


@pytest.fixture
def app() -> Iterator[App]:
    """An app in which all is well."""
    with running_app() as running:
        yield running
