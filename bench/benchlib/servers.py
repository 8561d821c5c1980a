"""The servers that are compared, and how one is run."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .generator import BENCH

ROOT = BENCH.parent
COMPILED_TREE = ROOT / ".compiled"
OURS = "webpy_socketio"
COMPILED = "webpy_socketio compiled"
NODE = "socket.io on Node"
GEVENT = "python-socketio gevent"
UVICORN = "python-socketio uvicorn"
FLOOR = "plain C"
#: Nobody compresses here.
NO_DEFLATE = ("--ws-per-message-deflate", "false")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Peer:
    """A server and the command that starts it; ``{port}`` stands for its port."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def ours(python: str, script: str = "peers/ours.py", *, compiled: bool = False) -> Peer:
    """Give our server, in plain Python or with the modules that ``make compiled`` has compiled."""
    environment = {"PYTHONPATH": str(COMPILED_TREE if compiled else ROOT), "BENCH_COMPILED": str(int(compiled))}
    return Peer(COMPILED if compiled else OURS, (python, str(BENCH / script), "{port}"), environment)


def peers(ours_python: str, python: str) -> list[Peer]:
    """Give all servers; ``python`` is an interpreter with the Python peers installed."""
    uvicorn = ("python_socketio_asgi:app", "--app-dir", str(BENCH / "peers"), "--log-level", "warning", *NO_DEFLATE)
    return [
        ours(ours_python),
        *([ours(ours_python, compiled=True)] if is_compiled() else []),
        Peer(NODE, ("node", str(BENCH / "peers/node.js"), "{port}")),
        Peer(GEVENT, (python, str(BENCH / "peers/python_socketio_gevent.py"), "{port}")),
        Peer(UVICORN, (python, "-m", "uvicorn", *uvicorn, "--loop", "uvloop", "--port", "{port}")),
        *([floor()] if (BENCH / "floor").exists() else []),
    ]


def floor() -> Peer:
    """Give the server in plain C, which does the least that is possible."""
    return Peer(FLOOR, (str(BENCH / "floor"), "{port}"))


def is_compiled() -> bool:
    """Tell whether there is a compiled build that this Python can load."""
    return any(COMPILED_TREE.glob("webpy_socketio/*/*" + sysconfig.get_config_var("EXT_SUFFIX")))


def changed_since_compiled() -> list[str]:
    """Name the modules that differ from those of the compiled build."""
    sources = (path.relative_to(ROOT) for path in sorted(ROOT.glob("webpy_socketio/**/*.py")))
    return [str(path) for path in sources if _bytes(ROOT / path) != _bytes(COMPILED_TREE / path)]


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def cpu_seconds(pid: int) -> tuple[float, float]:
    """Give the seconds that a process has spent in its own code and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


def run_nanoseconds(pid: int) -> int:
    """Give the nanoseconds that all threads of a process have run: finer than `cpu_seconds`, whose clock ticks."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def resident_bytes(pid: int) -> int:
    """Give the resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Server:
    """A running server; ends with the ``with`` block."""

    def __init__(self, peer: Peer, **environment: str) -> None:
        self.peer = peer
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        command = [part.format(port=self.port) for part in peer.command]
        self._process = subprocess.Popen(
            command,
            cwd=BENCH,
            env={**os.environ, **peer.environment, **environment},
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def _wait(self) -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise SystemExit(f"{self.peer.name} ended at once: {' '.join(self.peer.command)}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f"{self.peer.name} does not listen")

    def resident(self) -> int:
        """Give the resident memory in bytes."""
        return resident_bytes(self.pid)

    def cpu(self) -> float:
        """Give the seconds of CPU time that it has spent."""
        return sum(cpu_seconds(self.pid))

    def settle(self) -> None:
        """Wait until it has nothing to do any more, for ten seconds at most: connections of the last load end late."""
        until = time.monotonic() + 10
        while time.monotonic() < until:
            before = self.cpu()
            time.sleep(0.2)
            if self.cpu() - before <= 0.02:
                return

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def wait(self, timeout: float) -> None:
        """Wait for its end."""
        self._process.wait(timeout)

    def stop(self) -> None:
        """End the server that this object started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
