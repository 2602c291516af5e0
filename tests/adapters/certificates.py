"""Certificates of an authority that nobody knows but the test."""

import ssl
from pathlib import Path

import trustme


class Authority:
    """Issues certificates; *bundle* is what to trust."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self.bundle = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.bundle)

    def server(self, host: str) -> ssl.SSLContext:
        """Return what a server for *host* needs."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(host).configure_cert(context)
        return context
