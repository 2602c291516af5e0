"""Owns how tests ask Microsoft's Bicep compiler, and Azure's deployment engine, which runs inside it.

The compiler takes what Azure refuses; the engine expands a deployment and refuses it as Azure does before it begins.
It leaves what only a running deployment knows as expressions, and those that hold a secure parameter.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Any

from tests.support.needs import need

INFRA = Path(__file__).resolve().parents[3] / "infra"
FILES = sorted(INFRA.rglob("*.bicep"))
SUBSCRIPTION = "22222222-2222-2222-2222-222222222222"
TENANT = "33333333-3333-3333-3333-333333333333"

_ANSWERS_WITHIN = 120
_REFERENCE = re.compile(r"reference\('([^']+)', '[^']+'\)")
_WITHOUT_RESOURCES = {
    "$schema": "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#",
    "contentVersion": "1.0.0.0",
    "resources": [],
}


class RefusedError(Exception):
    """The compiler or the engine does not take a template; the message is theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A template that was compiled."""

    template: dict[str, Any]
    findings: list[str]
    """What the compiler and its linter say beside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a deployment would make."""

    resources: list[dict[str, Any]]
    outputs: dict[str, Any]
    warnings: list[str]
    """What the engine could not look into before the deployment runs."""


class Bicep:
    """The compiler as a server (`bicep jsonrpc`): it starts once, and each answer then takes a quarter of a second."""

    def __init__(self, server: "subprocess.Popen[bytes]", folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._numbers = count(1)

    def compile(self, path: Path) -> Compiled:
        """The ARM template of a file.

        Raises:
            RefusedError: It has an error, or a finding that bicepconfig.json makes one.
        """
        answer = self._call("bicep/compile", {"path": str(path)})
        findings = [f"{one['level']} {one['code']}: {one['message']}" for one in answer["diagnostics"]]
        if not answer["success"]:
            raise RefusedError("\n".join(findings))
        return Compiled(template=json.loads(answer["contents"]), findings=findings)

    def formatted(self, path: Path) -> str:
        """The file as the formatter writes it."""
        contents: str = self._call("bicep/format", {"path": str(path)})["contents"]
        return contents

    def files_of(self, path: Path) -> set[Path]:
        """Every file that a template is made of."""
        return {Path(file) for file in self._call("bicep/getFileReferences", {"path": str(path)})["filePaths"]}

    def snapshot(self, template: Mapping[str, Any], parameters: Mapping[str, Any]) -> Snapshot:
        """What a deployment of an ARM template makes, in West Europe: what was compiled once need not be each time.

        Raises:
            RefusedError: Azure would refuse it before it begins.
        """
        values = [f"param {name} = json('{_quoted(json.dumps(value))}')" for name, value in parameters.items()]
        number = next(self._numbers)
        (self._folder / f"{number}.json").write_text(json.dumps(template), encoding="utf-8")
        file = self._folder / f"{number}.bicepparam"
        file.write_text("\n".join([f"using '{number}.json'", *values]), encoding="utf-8")
        where = {"subscriptionId": SUBSCRIPTION, "tenantId": TENANT, "location": "westeurope", "deploymentName": "prod"}
        answer = self._call(
            "bicep/getSnapshot",
            {"path": str(file), "metadata": {**where, "resourceGroup": None}, "externalInputs": []},
        )
        found = json.loads(answer["snapshot"])
        return Snapshot(resources=found["predictedResources"], outputs=found["outputs"], warnings=found["diagnostics"])

    def evaluated(self, value: Any, known: Callable[[str], object], environment: object) -> Any:
        """A value of a snapshot in which the engine worked out the expressions that were left.

        `known` tells the properties of a resource by its id, `environment` what the cloud is.
        """

        def asked(expression: str) -> str:
            text = _REFERENCE.sub(lambda match: _literal(known(match[1])), expression)
            # As text behind a sign: what begins with a bracket would be worked out once more.
            return f"[concat('=', string(createArray({text.replace('environment()', _literal(environment))})))]"

        expressions = dict.fromkeys(text[1:-1] for text in _texts(value) if _is_expression(text))
        output = {"value": {"type": "array", "value": list(map(asked, expressions))}}
        made = self.snapshot({**_WITHOUT_RESOURCES, "outputs": output}, {})
        answers = [json.loads(text[1:])[0] for text in made.outputs["value"]]
        return _replaced(value, dict(zip(expressions, answers, strict=True)))

    def _call(self, method: str, parameters: object) -> dict[str, Any]:
        body = json.dumps({"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": parameters})
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        # A server that hangs is ended, and the line that it then doesn't send ends the test.
        watch = Timer(_ANSWERS_WITHIN, self._server.kill)
        watch.start()
        try:
            self._server.stdin.write(f"Content-Length: {len(body.encode())}\r\n\r\n{body}".encode())
            self._server.stdin.flush()
            length = 0
            while line := self._server.stdout.readline().strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            answer = json.loads(self._server.stdout.read(length))
        finally:
            watch.cancel()
        if "error" in answer:
            raise RefusedError(answer["error"]["message"])
        result: dict[str, Any] = answer["result"]
        return result


@contextmanager
def running_bicep() -> Iterator[Bicep]:
    """A compiler that runs until the end; skips the test where there is none on PATH."""
    program = shutil.which("bicep")
    need(program is not None, "what Azure's deployment engine makes of infra/: there is no bicep on PATH")
    command = [str(program), "jsonrpc", "--stdio"]
    with (
        TemporaryDirectory() as folder,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server,
    ):
        try:
            yield Bicep(server, Path(folder))
        finally:
            server.kill()


def _quoted(text: str) -> str:
    """A text as it stands between the quotes of Bicep."""
    return text.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${")


def _literal(value: object) -> str:
    """A value as an expression."""
    inner = json.dumps(value).replace("'", "''")
    return f"json('{inner}')"


def _is_expression(text: str) -> bool:
    return re.match(r"\[\w+\(", text) is not None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(inner)


def _replaced(value: Any, answers: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(inner, answers) for name, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, answers) for inner in value]
    return answers[value[1:-1]] if isinstance(value, str) and _is_expression(value) else value
