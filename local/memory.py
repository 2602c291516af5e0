"""What the local stack remembers from one start to the next, in a file of its own.

The Batch account's address is part of every stored key, so a new port would be a new account; a new secret
would leave what was recorded before unverifiable. What is stored in Azurite is not remembered here.
"""

import base64
import json
import secrets
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

LONGEST_STORY = timedelta(hours=6)
_LASTING_PORTS = range(20_000, 30_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Ports on loopback, the key of the simulated Batch account, the secret of the webhook.

    The account's story began at `story_start` (ISO 8601): while the stack stands still, its jobs live on.
    """

    batch_port: int
    receiver_port: int
    batch_key: str
    webhook_secret: str
    story_start: str


def free_port() -> int:
    """Return a port on loopback that is free at this moment.

    None of those that systems hand to outgoing connections: it has to be free at the next start too.
    """
    while not is_free(port := secrets.choice(_LASTING_PORTS)):
        pass
    return port


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this port of loopback."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def recall(file: Path, tell: Callable[[str], None], now: datetime) -> Memory:
    """Return what *file* holds, made and written at the first start; a port taken since is replaced.

    A story that began more than LONGEST_STORY ago begins anew.

    Raises:
        ValueError: the file is not what was written; delete it to begin anew.
    """
    memory = _read(file) if file.exists() else _new(now)
    if now - datetime.fromisoformat(memory.story_start) > LONGEST_STORY:
        memory = replace(memory, story_start=now.isoformat())
    memory = replace(
        memory,
        batch_port=_still_free(memory.batch_port, tell),
        receiver_port=_still_free(memory.receiver_port, tell),
    )
    file.write_text(json.dumps(asdict(memory), indent=2) + "\n", encoding="utf-8")
    return memory


def _still_free(port: int, tell: Callable[[str], None]) -> int:
    if is_free(port):
        return port
    other = free_port()
    tell(f"port {port} of the last start is taken by another program: using {other} instead")
    return other


def _read(file: Path) -> Memory:
    try:
        return Memory(**json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as exc:
        raise ValueError(f"{file} can't be read ({exc}): delete it to begin anew") from exc


def _new(now: datetime) -> Memory:
    return Memory(
        batch_port=free_port(),
        receiver_port=free_port(),
        batch_key=base64.b64encode(secrets.token_bytes(64)).decode(),
        webhook_secret="whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
        story_start=now.isoformat(),
    )
