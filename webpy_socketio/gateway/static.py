"""The scripts of a page, served under the endpoint's own path so that a page needs no static set-up and no CDN.

It knows three names and the file behind each, and HTTP's validators and codings (RFC 9110 sections 8.8.3, 12.5.3 and
13.1.2). It refuses to know web.py, and never makes a path out of what a user sent: a name is one of the three, or
nothing.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .. import config
from .answers import Answer
from .codings import choose

__all__ = ["CLIENT", "EXTENSION", "serve"]

CLIENT = "socket.io.min.js"
EXTENSION = "webpy_socketio.js"
_SOURCE_MAP = CLIENT + ".map"

_DIRECTORY = Path(__file__).resolve().parent.parent / "static"
_JAVASCRIPT = "text/javascript; charset=utf-8"
_JSON = "application/json; charset=utf-8"
_TEXT = "text/plain; charset=utf-8"

# Revalidated each time: the addresses bear no version, and a page must never mix the scripts of two releases.
_FRESHNESS = ("Cache-Control", "no-cache")

_MISSING = {
    CLIENT: (
        "The Socket.IO client is not here.\n"
        "In a checkout of webpy_socketio, run: make client\n"
        "Elsewhere, run: npm install socket.io-client\n"
        "and name its file in the option client_file, for example\n"
        'SocketIOServer(..., client_file="node_modules/socket.io-client/dist/socket.io.min.js")\n'
        "or in the environment as SOCKETIO_CLIENT_FILE.\n"
    ),
    _SOURCE_MAP: "There is no source map beside the Socket.IO client.\n",
    EXTENSION: "This installation of webpy_socketio is incomplete: its static files are missing.\n",
}


@dataclass(frozen=True, slots=True)
class _Asset:
    """A file as it was read, its gzip form, and a digest of its bytes."""

    body: bytes
    gzipped: bytes
    digest: str


def serve(name: str, environ: Mapping[str, object]) -> Answer | None:
    """Answer a request for one of the scripts; None for any other name.

    ``name`` is what follows the endpoint's path, ``environ`` the request's WSGI environment.
    """
    path = _path_of(name)
    if path is None:
        return None
    method = environ.get("REQUEST_METHOD", "GET")
    if method not in {"GET", "HEAD"}:
        return _text("405 Method Not Allowed", "A script can only be read.\n", ("Allow", "GET, HEAD"))
    answer = _answer(name, path, environ)
    return Answer(answer.status, answer.headers, b"") if method == "HEAD" else answer


def _path_of(name: str) -> Path | None:
    if name not in _MISSING:
        return None
    if name == EXTENSION:
        return _DIRECTORY / EXTENSION
    chosen = config.current().client_file
    client = Path(chosen) if chosen else _DIRECTORY / "vendor" / CLIENT
    return client if name == CLIENT else client.with_name(client.name + ".map")


def _answer(name: str, path: Path, environ: Mapping[str, object]) -> Answer:
    try:
        state = path.stat()
        asset = _read(path, state.st_mtime_ns, state.st_size)
    except OSError:
        return _text("404 Not Found", _MISSING[name], ("Cache-Control", "no-store"))
    compressed = choose(str(environ.get("HTTP_ACCEPT_ENCODING", "")), ["gzip"]) is not None
    # Two representations are two entities, so their tags differ (RFC 9110 section 8.8.3.3).
    tag = f'"{asset.digest}-gzip"' if compressed else f'"{asset.digest}"'
    headers = [("ETag", tag), ("Vary", "Accept-Encoding"), _FRESHNESS]
    if _is_known(str(environ.get("HTTP_IF_NONE_MATCH", "")), tag):
        return Answer("304 Not Modified", headers, b"")
    body = asset.gzipped if compressed else asset.body
    content_type = _JSON if name == _SOURCE_MAP else _JAVASCRIPT
    headers += [("Content-Type", content_type), ("X-Content-Type-Options", "nosniff")]
    headers += [("Content-Length", str(len(body)))]
    if compressed:
        headers.append(("Content-Encoding", "gzip"))
    return Answer("200 OK", headers, body)


# Three names, and room for the versions that a developer's edits leave behind.
@lru_cache(maxsize=8)
def _read(path: Path, modified: int, size: int) -> _Asset:
    """Read and compress a file once for each of its versions, told apart by time of change (ns) and size (bytes)."""
    body = path.read_bytes()
    return _Asset(body, gzip.compress(body, mtime=0), hashlib.sha256(body).hexdigest()[:32])


def _is_known(if_none_match: str, tag: str) -> bool:
    """Compare weakly, as If-None-Match asks (RFC 9110 section 13.1.2): a proxy may have put ``W/`` before our tag."""
    known = {item.strip().removeprefix("W/") for item in if_none_match.split(",")}
    return tag in known or "*" in known


def _text(status: str, text: str, header: tuple[str, str]) -> Answer:
    body = text.encode()
    headers = [header, ("Content-Type", _TEXT), ("X-Content-Type-Options", "nosniff")]
    return Answer(status, [*headers, ("Content-Length", str(len(body)))], body)
