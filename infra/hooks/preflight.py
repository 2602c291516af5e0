"""Says before a deployment what would end it, or be wrong after it: `python3 dev.py preflight`; azd calls it too.

Owns how Azure is asked, and what is printed. Does not own where variables come from (`variables`), nor what is wrong
with them (`variable_checks`) or with Azure's answers (`azure_checks`). Azure is asked through its CLI where that is
signed in; without it the files are looked at all the same. It changes nothing.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.hooks import azure_checks, variable_checks
from infra.hooks.findings import Finding
from infra.hooks.variables import Variables, read_variables

ROOT = Path(__file__).resolve().parents[2]
PERMISSIONS = "/providers/Microsoft.Authorization/permissions?api-version=2022-04-01"

Az = Callable[[Sequence[str]], Any]
"""Takes the arguments of the Azure CLI, returns what it answers, as JSON; raises AzError."""


class AzError(Exception):
    """The Azure CLI has no answer; the message is its own last line."""


def run_az(arguments: Sequence[str]) -> Any:
    """Ask the Azure CLI.

    Raises AzError; what depends on the answer is not checked.
    """
    az = shutil.which("az")
    if az is None:
        raise AzError("there is no Azure CLI (az) on the path")
    done = subprocess.run([az, *arguments, "-o", "json"], capture_output=True, text=True, errors="replace", check=False)  # noqa: S603 - az by its full path, arguments not through a shell
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise AzError(said[-1] if said else f"az ended with {done.returncode}")
    try:
        return json.loads(done.stdout or "null")
    except ValueError as error:
        raise AzError("az has answered with something else than JSON") from error


def from_files(variables: Variables, *, in_pipeline: bool) -> tuple[list[Finding], list[str]]:
    """What the files alone show, and what could not be looked at; a pipeline sets variables in its shell."""
    found = [*([] if in_pipeline else variable_checks.from_the_shell(variables)), *variable_checks.malformed(variables)]
    try:
        from shared.errors import SettingsError
        from shared.settings.settings import load_settings
    except ImportError:
        return found, ["the settings, as the app reads them: run python3 dev.py preflight, which installs its reader"]
    try:
        load_settings(variable_checks.app_settings(variables))
    except SettingsError as error:
        found += variable_checks.settings_refused(error.problems, variables.known)
    return found, []


def from_azure(environment: str, variables: Variables, az: Az) -> tuple[list[Finding], list[str]]:
    """What Azure's answers show, and what could not be asked."""
    location, subscription = variables.get("AZURE_LOCATION"), variables.get("AZURE_SUBSCRIPTION_ID")
    here = ["--subscription", subscription] if subscription else []
    assigns = variables.is_on("ASSIGN_ROLES", "true")
    found: list[Finding] = []
    unknown: list[str] = []

    def ask(what: str, command: Sequence[str], judge: Callable[[Any], list[Finding]]) -> None:
        try:
            answer = az(command)
        except AzError as error:
            unknown.append(f"{what}: {error}")
            return
        try:
            found.extend(judge(answer))
        except (AttributeError, KeyError, TypeError):
            unknown.append(f"{what}: az {' '.join(command[:2])} has answered in a form that is not known here")

    flex = ["functionapp", "list-flexconsumption-locations"]
    ask("the region", flex, lambda locations: azure_checks.region_without_flex(locations, location))
    if location:
        python = ["functionapp", "list-flexconsumption-runtimes", "--location", location, "--runtime", "python"]
        ask("the region's Python", python, lambda runtimes: azure_checks.region_without_python(runtimes, location))
    ask(
        "the providers",
        ["provider", "list", *here],
        lambda all_of_them: azure_checks.unregistered(all_of_them, variables),
    )
    ask(
        "deleted vaults",
        ["keyvault", "list-deleted", "--resource-type", "vault", *here],
        lambda vaults: azure_checks.deleted_vault(vaults, environment, location),
    )
    there: list[Mapping[str, Any]] = []

    def judge_group(groups: Any) -> list[Finding]:
        group = azure_checks.group_named(groups, f"rg-{environment}")
        there.extend([group] if group else [])
        return azure_checks.other_location(group, location, environment)

    ask("the resource group", ["group", "list", *here], judge_group)
    for group in there:
        ask(
            "what is in the resource group",
            ["resource", "list", "--resource-group", group["name"], *here],
            lambda resources, group=group: [  # type: ignore[misc]  # mypy infers no default
                *azure_checks.group_of_others(group, resources, environment),
                *azure_checks.new_secret(variables, resources, environment),
            ],
        )
    # Where no role is assigned and no address asked for, an id is for links only.
    for group_id in variables.groups if assigns or not variables.get("BATCH_ACCOUNT_URLS") else ():
        _, _, owner, _, name = group_id.split("/")
        ask(
            f"the Batch accounts of {group_id}",
            ["batch", "account", "list", "--resource-group", name, "--subscription", owner],
            lambda listed, group_id=group_id: azure_checks.unknown_accounts(listed, variables.accounts, group_id),  # type: ignore[misc]  # same
        )
    scopes = [f"/subscriptions/{subscription}"] if subscription else []
    # Where roles are assigned a deployment is made in each account's group; without, reading the account is enough.
    scopes += variables.groups if assigns else []
    for scope in scopes:
        url = f"{scope}{PERMISSIONS}"  # without a host: the cloud's own that az is signed in to
        ask(
            f"your rights on {scope}",
            ["rest", "--method", "get", "--url", url],
            lambda answer, scope=scope: azure_checks.missing_rights(answer["value"], scope, assigns=assigns),  # type: ignore[misc]  # mypy infers no default
        )
    return found, unknown


def report(root: Path, shell: Mapping[str, str], az: Az) -> tuple[int, list[str]]:
    """The exit code, 1 when something has to be mended first, and the lines to print."""
    environment, variables = read_variables(root, shell)
    found, unknown = from_files(variables, in_pipeline=bool(shell.get("CI")))
    try:
        az(["account", "show"])
    except AzError as error:
        unknown.append(f"what Azure knows, such as the region and your rights: {error}")
    else:
        more, unasked = from_azure(environment, variables, az)
        found, unknown = found + more, unknown + unasked
    lines = [line for one in found for line in (f"  - {one.what}", f"      {one.mend}")]
    clear = "Nothing of what could be looked at stands" if unknown else "Nothing stands"
    return int(bool(found)), [
        *(["Mend this first:", *lines] if found else [f"{clear} in the way of the deployment."]),
        *(["Not looked at:", *(f"  - {one}" for one in unknown)] if unknown else []),
    ]


def main() -> int:
    """Print what stands in the way, by the project's own Python where there is one: it has the app's reader."""
    python = ROOT / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if importlib.util.find_spec("msgspec") is None and python.is_file():
        return subprocess.call([str(python), "-m", "infra.hooks.preflight"], cwd=ROOT)  # noqa: S603 - this program
    code, lines = report(ROOT, os.environ, run_az)
    # azd's pipe takes on Windows only what the system's own code page has.
    print("\n".join(lines).encode(sys.stdout.encoding, "backslashreplace").decode(sys.stdout.encoding))
    return code


if __name__ == "__main__":
    sys.exit(main())
