"""azd takes azure.yaml, and does with it what it must."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft201909Validator  # type: ignore[import-untyped] # its stubs are not worth a dependency
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT201909

ROOT = Path(__file__).resolve().parents[3]
AZURE: dict[str, Any] = yaml.safe_load((ROOT / "azure.yaml").read_text(encoding="utf-8"))
SCHEMA = json.loads(Path(__file__).with_name("azure.yaml.schema.json").read_text(encoding="utf-8"))


def _refusals(azure: dict[str, Any]) -> list[str]:
    """What azd's own schema has against a file; what it refers to elsewhere is about other kinds of service."""
    elsewhere = Registry(retrieve=lambda _uri: Resource.from_contents({}, DRAFT201909))  # type: ignore[call-arg]  # by its alias
    return [error.message for error in Draft201909Validator(SCHEMA, registry=elsewhere).iter_errors(azure)]


def test_azd_finds_the_app_and_its_hook() -> None:
    """azure.yaml deploys the root to the site with that tag, and its hook exists for both kinds of system."""
    azure = AZURE
    (service,) = azure["services"]

    assert azure["services"][service] == {"project": ".", "language": "python", "host": "function"}
    assert f"'azd-service-name': '{service}'" in (ROOT / "infra" / "app" / "function-app.bicep").read_text(
        encoding="utf-8"
    )
    for hook in azure["hooks"]["postdeploy"].values():
        (script,) = re.findall(r"\S+\.py", hook["run"])
        assert (ROOT / script).is_file()
        assert hook["continueOnError"] is True


def test_azd_accepts_its_file() -> None:
    """The schema of azd takes azure.yaml."""
    assert _refusals(AZURE) == []


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"hooks": {"predeployy": {"run": "x"}}}, id="a hook of no event"),
        pytest.param({"hooks": {"postdeploy": {"shell": "fish", "run": "x"}}}, id="a shell that it does not have"),
        pytest.param({"services": {"api": {"project": "."}}}, id="a service without a host"),
    ],
)
def test_the_schema_refuses(wrong: dict[str, Any]) -> None:
    """The schema that is asked does find mistakes."""
    assert _refusals({**AZURE, **wrong})


def test_azd_looks_before_it_provisions() -> None:
    """The preflight runs on both kinds of system before anything is made, and what it finds ends the deployment."""
    for hook in AZURE["hooks"]["preprovision"].values():
        (module,) = re.findall(r"-m (\S+)", hook["run"])
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file()
        assert "continueOnError" not in hook


def test_azd_is_new_enough_to_spare_batch_accounts() -> None:
    """No azd is let in whose `down` deletes the resource groups of the watched accounts."""
    required = AZURE["requiredVersions"]["azd"]
    version = tuple(map(int, required.removeprefix(">= ").split(".")))

    assert version >= (1, 24, 1)
