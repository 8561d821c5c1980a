"""The loads, and how each is run against one server. The README says what they mean."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .generator import Control, Load, LoadFailed, generate
from .servers import FLOOR, NODE, Peer, Server

Report = Callable[[str, str, float | LoadFailed], None]
"""Takes load, server and what came out."""

#: Against servers that stay up for the whole run.
LOADS = {
    "echo 1x1": Load("msgs_per_s", "sioload", "echo", 1),
    "echo 50x1": Load("msgs_per_s", "sioload", "echo", 50),
    "echo 100x8": Load("msgs_per_s", "sioload", "echo", 100, window=8),
    "echo 16 kB": Load("msgs_per_s", "sioload", "echo", 20, size=16_384),
    "fan-out to 100": Load("msgs_per_s", "sioload", "fanout", 100),
    "fan-out to 1,000": Load("msgs_per_s", "sioload", "fanout", 1000),
    "fan-out to 1,000, 100 slow": Load("msgs_per_s", "sioload", "fanout", 1000, size=1000, extra=("100",)),
    "polling echo": Load("msgs_per_s", "pollload", "echo", 50),
    "connects": Load("conn_per_s", "sioload", "idle", 4000, window=0, seconds=0, size=0),
    "polling handshakes": Load("conn_per_s", "pollload", "handshake", 32, window=0, size=0),
}
CHURN = "join and leave at 50,000"
CHURN_CLIENTS, CHURN_CHANNELS = 500, 100
#: Against a server of their own, with many idle clients.
MEMORY = "memory per idle connection"
MEMORY_BROWSER = "memory, a browser's headers"
BESIDE_IDLE = "echo 50x1 beside 10,000 idle"
PINGS = "10,000 pinged each second"
#: At a rate that follows from the rest.
OPEN = "p99 at half of Node's peak"
OPEN_CLIENTS = 100

ALL = (*LOADS, CHURN, BESIDE_IDLE, MEMORY, MEMORY_BROWSER, PINGS, OPEN)
UNITS = {
    **dict.fromkeys(LOADS, "messages/s"),
    **dict.fromkeys(("connects", "polling handshakes"), "connections/s"),
    **dict.fromkeys(("fan-out to 100", "fan-out to 1,000", "fan-out to 1,000, 100 slow"), "deliveries/s"),
    CHURN: "operations/s",
    BESIDE_IDLE: "messages/s",
    MEMORY: "bytes",
    MEMORY_BROWSER: "bytes",
    PINGS: "% of a core",
    OPEN: "µs",
}
LESS_IS_BETTER = (MEMORY, MEMORY_BROWSER, PINGS, OPEN)
NOT_BY_FLOOR = ("polling echo", "polling handshakes", CHURN, PINGS)
ECHOES = ("echo 1x1", "echo 50x1", "echo 100x8")

#: What we want to reach, as multiples of Node's: in plain Python, and compiled.
AIMS = {
    "echo 1x1": (0.95, 1.1),
    "echo 50x1": (1.25, 1.5),
    "echo 100x8": (2.0, 2.5),
    "fan-out to 100": (1.15, 1.4),
    "fan-out to 1,000": (2.0, 2.5),
    "polling echo": (1.0, 1.3),
    "connects": (2.0, 2.0),
    "polling handshakes": (0.7, 0.7),
    OPEN: (1.0, 1.0),
}


def applies(load: str, peer: Peer) -> bool:
    """Tell whether a server can take a load: the one in C speaks WebSocket alone, and knows one channel."""
    return not (peer.name == FLOOR and load in NOT_BY_FLOOR)


def run_closed(load: str, server: Server, seconds: float) -> float:
    """Run one of `LOADS`, or the joins and leaves; give its figure per second."""
    server.settle()
    if load == CHURN:
        return churn(server, seconds)
    wanted = LOADS[load]
    return generate(wanted, server.port, seconds)[wanted.field]


def churn(server: Server, seconds: float) -> float:
    """Give the joins and leaves per second while 50,000 subscriptions exist."""
    with held(server, CHURN_CLIENTS, timeout=60) as control:
        control.ask(f"join 0 {CHURN_CHANNELS}")
        return control.ask(f"churn {seconds}")["ops_per_s"]


@contextmanager
def held(server: Server, clients: int, *, timeout: float, headers: str = "lean") -> Iterator[Control]:
    """Hold connections for the time of a ``with`` block."""
    control = Control(server.port, clients, headers=headers)
    try:
        try:
            control.answer(timeout)
        except LoadFailed as error:
            raise LoadFailed(f"{clients:,} connections: {error}") from None
        yield control
    finally:
        control.stop()


def run_idle(peer: Peer, wanted: set[str], clients: int, seconds: float, report: Report) -> None:
    """Measure what many idle clients cost, in servers that have served some before."""
    for name, headers in ((MEMORY, "lean"), (MEMORY_BROWSER, "browser")):
        if not wanted & {name, BESIDE_IDLE} or (headers == "browser" and name not in wanted):
            continue
        try:
            with Server(peer) as server:
                generate(LOADS["echo 50x1"], server.port, 0.5)
                before = server.resident()
                with held(server, clients, timeout=60, headers=headers) as control:
                    server.settle()
                    if name in wanted:
                        report(name, peer.name, (server.resident() - before) / clients)
                    if BESIDE_IDLE in wanted and headers == "lean":
                        rate = generate(LOADS["echo 50x1"], server.port, seconds)["msgs_per_s"]
                        control.ask("wait 0")  # all of them are still there
                        report(BESIDE_IDLE, peer.name, rate)
        except LoadFailed as error:
            for load in (name, BESIDE_IDLE) if headers == "lean" else (name,):
                if load in wanted:
                    report(load, peer.name, error)


def run_pings(peer: Peer, clients: int, seconds: float, report: Report) -> None:
    """Measure the CPU time of a heartbeat each second, in per cent of a core."""
    try:
        with Server(peer, BENCH_PING_INTERVAL="1") as server, held(server, clients, timeout=45) as control:
            control.ask("wait 2")
            pings, cpu, begin = control.ask("wait 0")["pings"], server.cpu(), time.monotonic()
            counted = control.ask(f"wait {seconds}")["pings"] - pings
            elapsed = time.monotonic() - begin
            percent = 100 * (server.cpu() - cpu) / elapsed
            if counted < 0.8 * clients * elapsed:
                raise LoadFailed(
                    f"{counted / elapsed:,.0f} pings per second of {clients:,}, with {percent:.0f} % of a core"
                )
            report(PINGS, peer.name, percent)
    except LoadFailed as error:
        report(PINGS, peer.name, error)


def peak(row_by_load: dict[str, dict[str, float | None]], name: str) -> float:
    """Give a server's best rate of echoes so far, 0 if none was measured."""
    return max((row_by_load.get(load, {}).get(name) or 0 for load in ECHOES), default=0)


def run_open(server: Server, rate: float, seconds: float, own_peak: float) -> float:
    """Give the 99th percentile of the latency, in µs, at a fixed rate of echoes.

    Raises:
        LoadFailed: there was a loss, or the rate is beyond what the server can do at its best.
    """
    if own_peak and rate >= own_peak:
        raise LoadFailed(f"{rate:,.0f} per second are beyond its peak of {own_peak:,.0f}")
    server.settle()
    load = Load("p99_us", "sioload", "open", OPEN_CLIENTS, window=round(rate))
    return generate(load, server.port, seconds)["p99_us"]


def half_of_nodes_peak(figures: dict[str, dict[str, float | None]], servers: list[Server], seconds: float) -> float:
    """Give half of Node's best rate of echoes in this run, which is measured if it was not; 0 without Node."""
    found = peak(figures, NODE)
    node = [server for server in servers if server.peer.name == NODE]
    if not found and node:
        found = max(run_closed(load, node[0], seconds) for load in ECHOES)
    return found / 2
