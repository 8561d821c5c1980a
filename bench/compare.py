"""Compare servers: all of them up, the loads in turn, rounds, medians, ratios. See bench/README.rst.

    python bench/compare.py [--rounds 3] [--seconds 4] [--only NAME,NAME] [--loads NAME,NAME]

Only ratios within one run mean anything: the machine may have few cores and other work.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).resolve().parent
GENERATOR = BENCH / "sioload"
OURS = "webpy_socketio"
UVICORN_OPTIONS = (
    "python_socketio_asgi:app",
    *("--app-dir", str(BENCH / "peers")),
    *("--log-level", "warning", "--loop", "uvloop"),
)


@dataclass(frozen=True)
class Peer:
    """A server and the command that starts it; ``{port}`` stands for its port."""

    name: str
    command: tuple[str, ...]


def peers(python: str) -> list[Peer]:
    """Give all servers; ``python`` is an interpreter with the Python peers installed."""
    return [
        Peer(OURS, (sys.executable, str(BENCH / "peers/ours.py"), "{port}")),
        Peer("socket.io on Node", ("node", str(BENCH / "peers/node.js"), "{port}")),
        Peer("python-socketio gevent", (python, str(BENCH / "peers/python_socketio_gevent.py"), "{port}")),
        Peer("python-socketio uvicorn", (python, "-m", "uvicorn", *UVICORN_OPTIONS, "--port", "{port}")),
    ]


# name: (mode of the generator, connections, window, seconds as a factor, bytes, what is read from its output)
LOADS = {
    "echo 1x1": ("echo", 1, 1, 1, 20, "msgs_per_s"),
    "echo 50x1": ("echo", 50, 1, 1, 20, "msgs_per_s"),
    "echo 100x8": ("echo", 100, 8, 1, 20, "msgs_per_s"),
    "fan-out to 100": ("fanout", 100, 1, 1, 20, "msgs_per_s"),
    "fan-out to 1,000": ("fanout", 1000, 1, 1, 20, "msgs_per_s"),
    "connects": ("idle", 4000, 0, 0, 0, "conn_per_s"),
}
MEMORY = "memory per idle connection"
IDLE_CONNECTIONS = 4000


class Server:
    """A running peer."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        command = [part.format(port=self.port) for part in peer.command]
        self._process = subprocess.Popen(command, cwd=BENCH, stdout=subprocess.DEVNULL, start_new_session=True)
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + 20
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
        pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def stop(self) -> None:
        """End the server that this object started."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def generate(server: Server, load: str, seconds: float) -> float:
    """Run one load against a server; give its figure per second."""
    mode, connections, window, factor, size, field = LOADS[load]
    command = [GENERATOR, mode, "127.0.0.1", server.port, connections, window, seconds * factor, size]
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, check=False)
    found = re.search(rf"{field}=(\d+)", result.stdout)
    if result.returncode or not found:
        raise SystemExit(f"{server.peer.name}, {load}: {result.stdout}{result.stderr}")
    return float(found.group(1))


def measure_memory(peer: Peer) -> float:
    """Give the bytes that one idle connection costs, in a server that has served connections before."""
    server = Server(peer)
    try:
        generate(server, "echo 50x1", 1)
        before = server.resident()
        arguments = ("idle", "127.0.0.1", server.port, IDLE_CONNECTIONS, 0, 4, 0)
        holder = subprocess.Popen([str(GENERATOR), *map(str, arguments)], stdout=subprocess.PIPE, text=True)
        assert holder.stdout is not None
        if "READY" not in holder.stdout.readline():
            raise SystemExit(f"{peer.name} did not take {IDLE_CONNECTIONS} connections")
        time.sleep(1)
        held = server.resident()
        holder.wait()
        return (held - before) / IDLE_CONNECTIONS
    finally:
        server.stop()


def run(chosen: list[Peer], loads: list[str], rounds: int, seconds: float) -> dict[str, dict[str, list[float]]]:
    """Measure everything: ``{load: {peer: [figure of each round]}}``."""
    figures: dict[str, dict[str, list[float]]] = {load: {peer.name: [] for peer in chosen} for load in loads}
    servers: list[Server] = []
    try:
        servers += map(Server, chosen)
        for _ in range(rounds):
            for load in loads:
                for server in servers:
                    figures[load][server.peer.name].append(generate(server, load, seconds))
    finally:
        for server in servers:
            server.stop()
    figures[MEMORY] = {peer.name: [measure_memory(peer) for _ in range(rounds)] for peer in chosen}
    return figures


def show(figures: dict[str, dict[str, list[float]]], chosen: list[Peer]) -> None:
    """Print the medians and, in brackets, ours as a multiple of each peer's."""
    print("load".ljust(28), *(peer.name.rjust(26) for peer in chosen))
    for load, by_peer in figures.items():
        medians = {name: statistics.median(values) for name, values in by_peer.items()}
        cells = []
        for peer in chosen:
            ratio = medians.get(OURS, 0) / medians[peer.name] if medians[peer.name] else 0
            cells.append(f"{medians[peer.name]:,.0f} ({ratio:.2f})".rjust(26))
        print(load.ljust(28), *cells)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="of each closed loop")
    parser.add_argument("--python", default=sys.executable, help="an interpreter with the Python peers installed")
    parser.add_argument("--only", default="", help="names of servers, separated by commas; ours is always there")
    parser.add_argument("--loads", default="", help="names of loads, separated by commas")
    arguments = parser.parse_args()
    if not GENERATOR.exists():
        subprocess.run(["gcc", "-O2", "-o", str(GENERATOR), str(BENCH / "sioload.c")], check=True)
    names = [name.strip() for name in arguments.only.split(",") if name.strip()]
    chosen = [p for p in peers(os.path.abspath(arguments.python)) if not names or p.name == OURS or p.name in names]
    loads = [name.strip() for name in arguments.loads.split(",") if name.strip()] or list(LOADS)
    show(run(chosen, loads, arguments.rounds, arguments.seconds), chosen)


if __name__ == "__main__":
    main()
