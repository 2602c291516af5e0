"""Azurite, the emulator of Azure Storage, as a process of ours: started, awaited, ended.

It ends with us however we end, because it listens to the pipe on its standard input. What is stored in
it is the business of whoever asked for it.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from queue import Empty, Queue

from local.children import Child
from local.node import node

SCRIPT = Path(__file__).parent.parent / "node_modules/azurite/dist/src/azurite.js"
START_LIMIT = timedelta(seconds=60)
SERVICES = ("Blob", "Queue", "Table")
# Public knowledge: every Azurite has this account and this key.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

# Azurite's own handler of SIGTERM saves what it holds in memory; calling it works on Windows too. It is there for one
# signal only: a second one, while it saves, would end the process with what is not yet saved.
_END_WITH_THE_OWNER = (
    'data:text/javascript,process.on("SIGTERM",()=>{});process.stdin.resume().on("end",()=>process.emit("SIGTERM"))'
)
_LISTENING = re.compile(r"Azurite (\w+) service is successfully listening at (http://\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Azurite:
    """A running Azurite; the addresses are those of its services, without the account."""

    blob: str
    queue: str
    table: str
    pid: int

    @property
    def connection_string(self) -> str:
        """Everything that a client of Azure Storage needs, with explicit endpoints."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
            f"BlobEndpoint={self.blob}/{ACCOUNT};"
            f"QueueEndpoint={self.queue}/{ACCOUNT};"
            f"TableEndpoint={self.table}/{ACCOUNT};"
        )


class AzuriteError(Exception):
    """Azurite did not start; the message holds what it said. Mend that, then start again."""


@contextmanager
def running_azurite(
    *,
    state: Path | None = None,
    ports: tuple[int, int, int] = (0, 0, 0),
    on_end: Callable[[int], None] = lambda _exit_code: None,
) -> Iterator[Azurite]:
    """Start Azurite, wait until its three services answer, end it when the block is left.

    *state* is the folder that keeps its content for the next start; None keeps it in memory. *ports* are
    those of blob, queue and table; 0 lets the operating system choose. *on_end* gets the exit code, from
    another thread, when Azurite ends unasked.

    Raises:
        AzuriteError: it is not installed, or ended, or was silent for a minute.
    """
    if not SCRIPT.exists():
        raise AzuriteError("Azurite is not installed: `python3 dev.py run` and `python3 dev.py test` install it")
    said: Queue[str | None] = Queue()

    def ended(_child: Child, exit_code: int) -> None:
        said.put(None)
        on_end(exit_code)

    keep = ["--inMemoryPersistence"] if state is None else ["--location", str(state)]
    port_options = [
        option
        for service, port in zip(SERVICES, ports, strict=True)
        for option in (f"--{service.lower()}Port", str(port))
    ]
    azurite = Child(
        name="azurite",
        # The SDKs are ahead of the API versions that Azurite knows.
        command=[
            *(str(node()), "--import", _END_WITH_THE_OWNER, str(SCRIPT)),
            *("--silent", "--disableTelemetry", "--skipApiVersionCheck"),
            *keep,
            *port_options,
        ],
        on_line=said.put,
        on_end=ended,
    )
    azurite.start()
    try:
        address = _addresses(said)
        pid = azurite.pid or 0
        yield Azurite(blob=address["Blob"], queue=address["Queue"], table=address["Table"], pid=pid)
    finally:
        azurite.end()


def _addresses(said: "Queue[str | None]") -> dict[str, str]:
    found: dict[str, str] = {}
    lines: list[str] = []
    while found.keys() != set(SERVICES):
        try:
            line = said.get(timeout=START_LIMIT.total_seconds())
        except Empty:
            line = None
        if line is None:
            raise AzuriteError("Azurite did not start: " + ("\n".join(lines) or "it said nothing"))
        lines.append(line)
        if match := _LISTENING.search(line):
            found[match[1]] = match[2]
    return found
