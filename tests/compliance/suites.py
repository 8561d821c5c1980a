"""Find the official protocol suites in a copy, and prepare a temporary copy of one that can be run.

Knows the layout of socketio/engine.io-protocol and socketio/socket.io-protocol (folder ``test-suite/``, mocha) and the
three changes that are made to the *temporary* copy. Does not know which server is under test.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

WS_VERSION = "8.16.0"
"""The suites' lock files hold ws 8.5.0, which has no ``allowSynchronousEvents`` option yet. From 8.17 on, the option
puts an event off by a turn of Node's event loop instead of a microtask: too late for a test of the Engine.IO 4 suite
("ignores HTTP requests with same sid after upgrade"), which counts on ``3probe`` having passed by unheard.
"""

ENGINE_3_SHORT_HEARTBEAT = frozenset(
    "Engine.IO protocol " + title
    for title in (
        "handshake HTTP long-polling successfully opens a session",
        "handshake WebSocket successfully opens a session",
        "heartbeat HTTP long-polling closes the session upon ping timeout",
        "heartbeat WebSocket closes the session upon ping timeout",
    )
)
"""In revision 3 the client sends the pings, so that two heartbeat tests do not depend on the interval."""

ENGINE_4_SHORT_HEARTBEAT = ENGINE_3_SHORT_HEARTBEAT | {
    "Engine.IO protocol heartbeat HTTP long-polling sends ping/pong packets",
    "Engine.IO protocol heartbeat WebSocket sends ping/pong packets",
}

SOCKET_SHORT_HEARTBEAT = frozenset(
    (
        "Engine.IO protocol handshake HTTP long-polling should successfully open a session",
        "Engine.IO protocol handshake WebSocket should successfully open a session",
        "Engine.IO protocol heartbeat HTTP long-polling should send ping/pong packets",
        "Engine.IO protocol heartbeat HTTP long-polling should close the session upon ping timeout",
        "Engine.IO protocol heartbeat WebSocket should send ping/pong packets",
        # Both wait for the next ping. ("should close the session upon ping timeout" over WebSocket is not in this
        # list: the session is closed after a second because it joins no namespace.)
        "Socket.IO protocol disconnect should disconnect from the main namespace",
        "Socket.IO protocol disconnect should connect then disconnect from a custom namespace",
    )
)

SHORT_HEARTBEAT = {
    ("engine.io", 3): ENGINE_3_SHORT_HEARTBEAT,
    ("engine.io", 4): ENGINE_4_SHORT_HEARTBEAT,
    ("socket.io", 4): SOCKET_SHORT_HEARTBEAT,
}
"""Tests that compare with, or wait for, a heartbeat of 300 and 200 ms."""

NODE_DEVIATIONS = {
    # A close packet over WebSocket is ignored by engine.io, and a missing EIO is taken for 3 where 3 is allowed; with
    # the short heartbeat both are hidden, because the session dies by itself.
    ("engine.io", 3): {
        "Engine.IO protocol close WebSocket forcefully closes the session",
        "Engine.IO protocol handshake WebSocket fails with an invalid 'EIO' query parameter",
    },
    ("engine.io", 4): {"Engine.IO protocol close WebSocket forcefully closes the session"},
    ("socket.io", 4): set[str](),
}
"""What the reference fails with the long heartbeat beyond that; not accepted from us."""


@dataclass(frozen=True)
class Suite:
    """One official suite: where it lies and what it asks for."""

    folder: Path
    protocol: str
    """``engine.io`` or ``socket.io``."""
    revision: int
    """The Engine.IO revision that it speaks (``EIO=``)."""
    commit: str
    """The commit of the copy, or ``unknown``."""

    @property
    def name(self) -> str:
        """Return the name used in tables."""
        return f"{self.protocol}-protocol (EIO={self.revision})"

    @property
    def digest(self) -> str:
        """Return the first twelve hex digits of the SHA-256 of the suite's file."""
        return hashlib.sha256((self.folder / "test-suite.js").read_bytes()).hexdigest()[:12]

    def excused(self, server: str, heartbeat: str) -> frozenset[str]:
        """Return the full titles of the tests that a server may fail with a heartbeat."""
        if heartbeat == "short":
            return frozenset()
        key = self.protocol, self.revision
        return SHORT_HEARTBEAT[key] | (NODE_DEVIATIONS[key] if server == "node" else set())


def find_suites(path: Path) -> list[Suite]:
    """Return the suites in a copy of one suite's repository, or in a folder of such copies."""
    candidates = [path, path / "test-suite", *sorted(path.glob("*/test-suite"))]
    return [read_suite(folder) for folder in candidates if (folder / "test-suite.js").is_file()]


def read_suite(folder: Path) -> Suite:
    """Read from a suite's source which protocol and which revision it speaks."""
    source = (folder / "test-suite.js").read_text(encoding="utf-8")
    found = re.search(r"/(engine\.io|socket\.io)/\?EIO=(\d)", source)
    if found is None:
        raise ValueError(f"{folder}/test-suite.js asks for no /engine.io/?EIO= or /socket.io/?EIO= address")
    return Suite(folder, found[1], int(found[2]), read_commit(folder.parent))


def read_commit(repository: Path) -> str:
    """Return the commit of a copy: of its Git directory, of a file ``COMMIT`` put beside it, or ``unknown``."""
    noted = repository / "COMMIT"
    if noted.is_file():
        return noted.read_text(encoding="ascii").strip()
    if not (repository / ".git").exists():
        return "unknown"
    asked = subprocess.run(["git", "-C", str(repository), "rev-parse", "HEAD"], capture_output=True, text=True)
    return asked.stdout.strip() or "unknown"


def prepare(suite: Suite, into: Path, packages: tuple[str, ...] = (), *, plain: bool = False) -> None:
    """Copy a suite into an empty folder, install what it needs, and take care of its two faults.

    Args:
        suite: the suite to copy; the copy given by the user is never touched.
        into: the folder to make.
        packages: npm packages that the server under test needs beside it.
        plain: leave the faults in, to see what they do.
    """
    shutil.copytree(suite.folder, into, ignore=shutil.ignore_patterns("node_modules"))
    run_npm(into, "ci")
    if not plain:
        packages = (f"ws@{WS_VERSION}", *packages)
        defer_messages(into / "node-imports.js")
        await_closes(into / "test-suite.js")
    if packages:
        # All in one call: what was installed by an earlier --no-save is put back to the lock file's version.
        run_npm(into, "install", "--no-save", *packages)


def run_npm(folder: Path, *arguments: str) -> None:
    """Run npm in a folder; raise with what it printed if it fails."""
    done = subprocess.run(["npm", *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"npm {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


def point_at(folder: Path, port: int) -> None:
    """Rewrite the suite's address, a constant at the head of its file."""
    replace(folder / "test-suite.js", r'^const URL = ".*";$', f'const URL = "http://127.0.0.1:{port}";', count=1)


def defer_messages(imports: Path) -> None:
    """Give the suite a WebSocket class that emits no two events in one go.

    The suites wait with ``await waitFor(socket, "message")``, which listens for one event only, and listens again a
    microtask later. A message that came in the same TCP segment as the one before, or as the answer to the handshake,
    is emitted in between and lost, so every server that writes two things at once fails, Node's own included.
    """
    wrapped = (
        "globalThis.WebSocket = class extends WebSocket {\n"
        "  constructor(address, protocols, options) {\n"
        "    super(address, protocols, { ...options, allowSynchronousEvents: false });\n"
        "  }\n"
        "};"
    )
    replace(imports, r"^globalThis\.WebSocket = WebSocket;$", wrapped, count=1)


def await_closes(source: Path) -> None:
    """Make the two tests that forget to await the end of a refused WebSocket wait for it.

    Without the ``await`` they pass whatever the server answers.
    """
    replace(source, r'^( +)waitFor\((socket2?), "close"\);$', r'\1await waitFor(\2, "close");', count=4)


def replace(path: Path, pattern: str, replacement: str, *, count: int) -> None:
    """Replace a pattern in a file exactly ``count`` times; raise if the file has changed so that it does not fit."""
    text, found = re.subn(pattern, replacement, path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if found != count:
        raise ValueError(f"{path.name}: expected {count} places like {pattern!r}, found {found}")
    path.write_text(text, encoding="utf-8")
