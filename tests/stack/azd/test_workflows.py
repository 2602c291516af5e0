"""The files that GitHub and azd read are well formed and say what they must."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))

DEPLOYED = "3.13"

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def _read(path: Path) -> dict[Any, Any]:
    """The YAML of a file."""
    read: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return read


def _steps(path: Path) -> list[dict[str, Any]]:
    """The steps of all jobs."""
    return [step for job in _read(path)["jobs"].values() for step in job["steps"]]


def test_the_three_workflows_are_there() -> None:
    """There is one for checking, one for deploying, one for releasing."""
    assert [path.stem for path in WORKFLOWS] == ["ci", "deploy", "release"]


@each_workflow
def test_workflows_may_only_read_unless_they_say_more(path: Path) -> None:
    """Each workflow states its permissions, and only those of a deployment or a release go beyond reading."""
    permissions = _read(path)["permissions"]

    assert permissions["contents"] == "read"
    assert set(permissions) == ({"contents", "id-token"} if path.stem == "deploy" else {"contents"})


@each_workflow
def test_every_job_ends(path: Path) -> None:
    """No job can run for hours."""
    assert [name for name, job in _read(path)["jobs"].items() if not job.get("timeout-minutes")] == []


@each_workflow
def test_actions_are_pinned(path: Path) -> None:
    """Each action is named by the hash of a commit, which nobody can move, beside its version for people."""
    used = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))

    assert used
    assert [one for one in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)] == []


def test_an_action_has_one_version() -> None:
    """The workflows agree about each action."""
    used = {one for path in WORKFLOWS for one in re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))}

    assert len({one.partition("@")[0] for one in used}) == len(used)


def test_zizmor_finds_nothing() -> None:
    """Nothing in the workflows or Dependabot's file is known to be unsafe; kept credentials would be found."""
    done = subprocess.run(
        [
            Path(sys.executable).with_name("zizmor"),
            "--offline",
            "--no-progress",
            "--color=never",
            "--quiet",
            ROOT / ".github",
        ],
        text=True,
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, "No findings to report. Good job! (6 suppressed)\n")


@each_workflow
def test_shell_steps_parse_and_take_no_outside_text(path: Path) -> None:
    """Each script is valid for bash, and nothing of an event is pasted into one."""
    bash = shutil.which("bash")
    for script in (step["run"] for step in _steps(path) if "run" in step):
        assert "${{" not in script
        if bash:
            done = subprocess.run([bash, "-n"], input=script, text=True, capture_output=True, check=False)
            assert done.stderr == ""


def test_every_supported_python_is_tested() -> None:
    """CI tests from the lowest version that pyproject.toml allows to one after that which is deployed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tested = _read(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]

    assert project["requires-python"] == f">={tested[0]}"
    assert tested == ["3.11", "3.12", "3.13", "3.14"]
    assert f"version: '{DEPLOYED}'" in (ROOT / "infra" / "app" / "function-app.bicep").read_text(encoding="utf-8")


@each_workflow
def test_where_nothing_may_be_skipped_the_compiler_is_there(path: Path) -> None:
    """Each job that runs every test installs Bicep before; and none checks the template in a way of its own."""
    for job in _read(path)["jobs"].values():
        names = [index for index, step in enumerate(job["steps"]) if "PREPWATCH_REQUIRE_ALL" in step.get("env", {})]
        bicep = [index for index, step in enumerate(job["steps"]) if "az bicep" in step.get("run", "")]
        assert [index for index in names if not bicep or index < bicep[0]] == []
        assert bool(names) is bool(bicep)


@each_workflow
def test_whatever_builds_tries_the_deployed_python(path: Path) -> None:
    """Each workflow that hands out a package, or tests it, installs its requirements for the Python that runs it."""
    tried = [step for step in _steps(path) if "--requirement requirements.txt" in step.get("run", "")]

    assert tried


def test_dependabot_watches_what_is_locked() -> None:
    """Python packages, npm packages and actions are each watched."""
    updates = _read(ROOT / ".github" / "dependabot.yml")["updates"]

    assert {update["package-ecosystem"] for update in updates} == {"pip", "npm", "github-actions"}
    assert {update["cooldown"]["default-days"] for update in updates} == {7}


@pytest.mark.parametrize(
    "path", [*(ROOT / ".vscode").glob("*.json"), *(ROOT / ".devcontainer").glob("*.json")], ids=lambda path: path.name
)
def test_editor_files_are_json(path: Path) -> None:
    """What editors read is plain JSON."""
    assert json.loads(path.read_text(encoding="utf-8"))


def test_f5_starts_a_task_that_exists() -> None:
    """The task that a debugging session starts first, and those that it waits for, are defined."""
    launch, tasks = (
        json.loads((ROOT / ".vscode" / f"{name}.json").read_text(encoding="utf-8")) for name in ("launch", "tasks")
    )
    labels = {task["label"] for task in tasks["tasks"]}
    wanted = {one["preLaunchTask"] for one in launch["configurations"] if "preLaunchTask" in one}
    wanted |= {label for task in tasks["tasks"] for label in task.get("dependsOn", [])}

    assert wanted <= labels
