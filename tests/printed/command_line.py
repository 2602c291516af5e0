"""Reads command lines as the programs do that people would hand them to.

Owns the shell's part, which bash itself does, and the programs' own: subcommands, options, what must be there. Does not
own where command lines are printed.
"""

import argparse
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from tests.support.needs import need

PROGRAMS: Mapping[str, Mapping[str, Any]] = json.loads(
    (Path(__file__).parent / "programs.json").read_text(encoding="utf-8")
)
"""By program and command what it takes, as usage texts write it, `=` for a value and `=...` for several."""
OUTPUT = "of-another-command"
"""What every command prints that is one of another's words."""

_ARGUMENT = re.compile(r"(\[)?([^\s=\[\]]+)(=(?:\.\.\.)?)?\]?")
_END, _NEXT = "\x1e", "\x1f"
# Nothing is found, so nothing runs: bash hands each program's words to the one function that it asks then, which writes
# them at once, because both ends of a pipe write at the same time.
_SHELL = f"""PATH=/nowhere
cd() {{ command_not_found_handle cd "$@" >/dev/null; }}
command_not_found_handle() {{ printf -v line '%s{_NEXT}' "$@"; printf '%s{_END}' "$line" >> words; echo {OUTPUT}; }}
"""


class _Parser(argparse.ArgumentParser):
    """Parses as the programs do: long options spelled out, and nothing that it does not know."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def run_by(text: str, folder: Path) -> list[list[str]]:
    """The words of each command that bash would run for a piece of text, in an empty folder, none of them run.

    Raises:
        ValueError: bash can't read it.
    """
    bash = shutil.which("bash")
    need(bash is not None, "bash reads printed commands")
    done = subprocess.run(
        [str(bash), "-c", _SHELL + text], input="typed\n", cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode or done.stderr:
        raise ValueError(done.stderr or f"bash ended with {done.returncode}")
    words = folder / "words"
    said = words.read_text(encoding="utf-8") if words.exists() else ""
    return [command.split(_NEXT)[:-1] for command in said.split(_END)[:-1]]


def parse(line: str) -> dict[str, Any]:
    """The arguments of one command that is written without anything for a shell to do but quotes."""
    return parse_words(shlex.split(line))


def parse_words(words: Sequence[str]) -> dict[str, Any]:
    """The arguments of one command, as its program reads them; of one that is only named, none.

    Raises:
        ValueError: There is no such program or command, or it does not take these arguments.
    """
    program = PROGRAMS.get(words[0])
    if program is None:
        raise ValueError(f"no program {words[0]!r} is known")
    commands = program["commands"]
    numbers = range(len(words), 0, -1)
    named = next((number for number in numbers if " ".join(words[1:number]) in commands), None)
    if named is None:
        raise ValueError(f"{words[0]} has no command {' '.join(words[1:])!r}")
    name, given = " ".join(words[1:named]), words[named:]
    if name and not given:
        return {}
    parser = _Parser(allow_abbrev=False, add_help=False)
    for optional, spelled, value in _ARGUMENT.findall(f"{commands[name]} {program['everywhere']}"):
        _add(parser, spelled.split("|"), value, is_optional=bool(optional))
    arguments = vars(parser.parse_args(given))
    if arguments.get("account_endpoint") and not arguments["account_name"]:
        raise ValueError("the CLI refuses an endpoint without the account's name")
    return arguments


def _add(parser: argparse.ArgumentParser, names: Sequence[str], value: str, *, is_optional: bool) -> None:
    if not names[0].startswith("-"):
        parser.add_argument(names[0], nargs="?" if is_optional else None)
    elif not value:
        parser.add_argument(*names, action="store_true")
    else:
        parser.add_argument(*names, nargs="+" if value == "=..." else None, required=not is_optional)
