"""azure-functions-doctor finds nothing wrong with what is deployed."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.stack.package import build_package

ROOT = Path(__file__).resolve().parents[3]
EXCUSED = {
    "Native dependency risk": "cryptography comes with azure-identity, as wheels for the platform's own Linux",
    "Functions extension version": "Flex Consumption refuses FUNCTIONS_EXTENSION_VERSION",
    "Application Insights configuration": "the infrastructure sets it; a local host has none",
}


@pytest.mark.slow
def test_the_doctor_finds_what_is_excused_and_nothing_else(tmp_path: Path) -> None:
    """No rule about a deployment fails, and each warning is one that has its reason."""
    package = tmp_path / "package.zip"
    build_package(package)
    app = tmp_path / "app"
    with zipfile.ZipFile(package) as archive:
        archive.extractall(app)
    for name, source in (("local.settings.json", "local.settings.sample.json"), (".funcignore", ".funcignore")):
        (app / name).write_text((ROOT / source).read_text(encoding="utf-8"), encoding="utf-8")

    command = [str(Path(sys.executable).with_name("azure-functions-doctor")), "doctor", "--path", str(app)]
    done = subprocess.run(
        [*command, "--profile", "deploy", "--format", "json"], capture_output=True, text=True, check=False, timeout=120
    )

    sections = json.loads(done.stdout)["results"]
    found = {item["label"]: item["status"] for section in sections for item in section["items"]}
    assert len(found) > 10
    assert {label for label, status in found.items() if status == "fail"} == set()
    assert {label for label, status in found.items() if status == "warn"} == set(EXCUSED)
