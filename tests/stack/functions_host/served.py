"""The local host with a small app, served on a port of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import requests

from local.functions_host.host import Host, build
from local.functions_host.keys import Keys, load_keys
from tests.stack.functions_host.sample import APP, SETTINGS, write_app
from tests.stack.functions_host.virtual import FakeQueues

JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Served:
    """A host that answers on loopback."""

    url: str
    host: Host
    queues: FakeQueues
    keys: Keys | None

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """The answer to a request."""
        return requests.request(method, self.url + path, timeout=10, **options)

    def bodies(self, queue: str) -> list[str]:
        """The bodies on *queue*, as on the wire."""
        return [message.text for message in self.queues.queue(queue).messages]


def serve(
    directory: Path, monkeypatch: pytest.MonkeyPatch, *, check_keys: bool, source: str = APP, **settings: str
) -> Iterator[Served]:
    """Serve an app until the test ends; calls need a key if *check_keys*."""
    monkeypatch.syspath_prepend("")
    queues = FakeQueues()
    host = build(
        write_app(directory, source),
        {**SETTINGS, "AzureWebJobs.off.Disabled": "1", **settings},
        port=0,
        state_dir=directory / "state",
        check_keys=check_keys,
        ending=Event(),
        connect=lambda _: queues,
    )
    Thread(target=host.server.serve_forever, args=(0.01,), daemon=True).start()
    keys = load_keys(directory / "state" / "keys.json", ["echo"]) if check_keys else None
    yield Served(f"http://127.0.0.1:{host.port}", host, queues, keys)
    host.server.shutdown()
    assert host.stop(timedelta(seconds=10))
