"""The real HTTP functions of an app that a test holds, on a port of this machine, for a browser or a script to ask.

Owns the server. Does not own the app: its table, time and Batch accounts are whatever the test gave it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from unittest.mock import patch
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import WSGIApplication

import function_app
from shared.composition import App
from tests.support.wsgi import FunctionsOverWsgi


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Stay quiet."""


@contextmanager
def serving(
    build: Callable[[], App], port: int = 0, around: Callable[[WSGIApplication], WSGIApplication] = lambda inner: inner
) -> Iterator[str]:
    """Where the functions answer for the app that *build* gives, as `prepwatch` does for each call; without keys.

    *port* 0 takes any that is free. *around* puts something between callers and functions, as the platform is.
    """
    wsgi = around(FunctionsOverWsgi(lambda name: getattr(function_app, name)))
    with (
        patch.object(function_app, "prepwatch", build),
        make_server("127.0.0.1", port, wsgi, server_class=_Server, handler_class=_Quiet) as server,
    ):
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
