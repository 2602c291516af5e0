"""Owns what a finding of the preflight is, and the lines that set a variable."""

from dataclasses import dataclass

from infra.hooks.variables import SECRETS

LINE_OF_ACCOUNT = 'azd env set BATCH_ACCOUNT_IDS "$(az batch account show -n NAME -g GROUP --query id -o tsv)"'
"""What to type to set the resource id of an account as Azure has it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that ends the deployment, or is wrong after it: in words, and the line that mends it."""

    what: str
    mend: str


def line_that_sets(name: str) -> str:
    """What to type to set a variable; a secret is read from a file or the prompt, so that no history keeps it."""
    if name == "WEBHOOK_SECRETS":
        return 'azd env set WEBHOOK_SECRETS "$(cat secrets.json)"'
    if name in SECRETS:
        return f'read -rs VALUE && azd env set {name} "$VALUE"'
    return f"azd env set {name} 'VALUE'"
