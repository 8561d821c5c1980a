"""A certificate for ``localhost``, made on the spot: none with a date stands in the repository."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path


def make_certificate(directory: Path) -> tuple[str, str]:
    """Make a self-signed certificate and its key; give the names of both files."""
    certificate, key = str(directory / "certificate.pem"), str(directory / "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


def client_context(certificate: str, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """Make a client's context that trusts this certificate only, and speaks only this version if one is given."""
    context = ssl.create_default_context(cafile=certificate)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context
