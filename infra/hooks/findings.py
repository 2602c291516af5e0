"""Owns what a finding of the preflight is, and the lines that set a variable."""

import os
from dataclasses import dataclass

from infra.hooks.variables import SECRETS

WINDOWS = os.name == "nt"
"""Whether lines are typed into PowerShell."""
LINE_OF_ACCOUNT = 'azd env set BATCH_ACCOUNT_IDS "$(az batch account show -n NAME -g GROUP --query id -o tsv)"'
"""What to type to set the resource id of an account as Azure has it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that ends the deployment, or is wrong after it: in words, and the line that mends it."""

    what: str
    mend: str


def line_that_sets(name: str, *, windows: bool = WINDOWS) -> str:
    """What to type to set a variable; a secret is read from a file or the prompt, so that no history keeps it."""
    if name == "WEBHOOK_SECRETS":
        return 'azd env set WEBHOOK_SECRETS "$(cat secrets.json)"'
    if name not in SECRETS:
        return f"azd env set {name} 'VALUE'"
    asked = "$VALUE = Read-Host -MaskInput;" if windows else "read -rs VALUE &&"
    return f'{asked} azd env set {name} "$VALUE"'


def line_that_unsets(name: str, *, windows: bool = WINDOWS) -> str:
    """What to type to take a variable out of the shell, or, where it is no secret, to keep it."""
    mend = f"Remove-Item Env:{name}" if windows else f"unset {name}"
    kept = f"$env:{name}" if windows else f"${name}"
    return mend if name in SECRETS else f'{mend}   # or keep it: azd env set {name} "{kept}"'
