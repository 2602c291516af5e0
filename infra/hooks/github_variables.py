"""Owns which variables and secrets of a GitHub environment become settings of a deployment, and runs `azd provision`.

The deployment's workflow runs it. GitHub writes the names of variables in upper case and hands over an empty text for a
secret that is not set, which azd takes for a value. Plain standard library, as nothing else is installed there.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping

from infra.hooks.variables import SECRETS, read_known

ASKED = {"BATCH_ACCOUNT_IDS": "batchAccountIds", "WEBHOOK_URL": "webhookUrl"}
"""What azd would ask a person for, and the parameter that answers it with nothing."""


class MistakeError(Exception):
    """What is set can't be meant so; the message says how to mend it."""


def names() -> dict[str, str]:
    """The deployment's variables by their names in upper case."""
    return {name.upper(): name for name in read_known()}


def commands(variables: Mapping[str, str], secrets: Mapping[str, str]) -> list[list[str]]:
    """What azd is to be told; secrets are told to nobody, azd takes them from its environment.

    Raises:
        MistakeError: A secret is a variable, or half of a pair is missing.
    """
    known = names()
    given = {known[name.upper()]: value for name, value in variables.items() if name.upper() in known}
    if readable := sorted(given.keys() & set(SECRETS)):
        raise MistakeError(
            f"{', '.join(readable)}: a variable of GitHub can be read by everybody who may write; make it a secret"
        )
    if secrets.get("WEBHOOK_URL") and not secrets.get("WEBHOOK_SECRET"):
        raise MistakeError("WEBHOOK_SECRET: each run would make a new one; set it beside WEBHOOK_URL")
    set_here = {**given, **{name: "" for name, value in secrets.items() if value}}
    return [
        # Without the two hyphens azd takes a value that begins with one for an option.
        *(["env", "set", "--", name, value] for name, value in given.items()),
        *(
            ["env", "config", "set", f"infra.parameters.{parameter}", ""]
            for name, parameter in ASKED.items()
            if name not in set_here
        ),
    ]


def main() -> int:
    """Tell azd all of it, then let it provision."""
    secrets = {name: os.environ.get(name, "") for name in SECRETS}
    try:
        told = commands(json.loads(os.environ["ALL_VARIABLES"]), secrets)
    except MistakeError as mistake:
        print(f"::error::{mistake}")
        return 1
    unset = {"ALL_VARIABLES", *(name for name, value in secrets.items() if not value)}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    for command in (*told, ["provision", "--no-prompt"]):
        done = subprocess.run(["azd", *command], env=environment, check=False)  # noqa: S603, S607 - azd of this job
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
