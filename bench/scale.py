"""Hold 150,000 idle connections on this machine, then publish to some and to all: a part of ``make scale``.

    python bench/scale.py [--clients 150000] [--processes 8] [--channel 15000] [--hold 60] [--compiled] [--write]

Plain separate server processes, each with a generator of its own: a process may have some 20,000 files open here. A
publication is one event to each server at the same time. Any loss ends it with status 1.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchlib import machine, results
from benchlib.generator import BENCH, Control, LoadFailed, compile_all
from benchlib.servers import Server, cpu_seconds, ours, resident_bytes

TIMES = 3
#: What a process has open besides its connections.
SPARE_FILES = 500
PING_INTERVAL = 25
"""Seconds: the servers' default."""

EXPLANATION = """\
Idle clients with heartbeats every 25 s in {processes} separate server processes{build}, each with a generator process
of its own on the same machine. To publish, one event goes to each server at the same moment; what is counted is the
time from the first of them to the last delivery anywhere, the median of {times}. Each client checks that it gets every
publication once: none was lost.
"""


@dataclass
class Site:
    """The servers, and who holds their clients."""

    servers: list[Server]
    holders: list[Control]

    def ask(self, commands: list[str], timeout: float = 150) -> list[dict[str, float]]:
        """Tell each holder its command, all at once, and wait for all answers."""
        for holder, command in zip(self.holders, commands, strict=True):
            holder.tell(command)
        return [holder.answer(timeout) for holder in self.holders]

    def cpu(self) -> tuple[float, float]:
        """Give the CPU seconds of the servers and of the holders."""
        servers = sum(sum(cpu_seconds(server.pid)) for server in self.servers)
        return servers, sum(sum(cpu_seconds(holder.pid)) for holder in self.holders)

    def resident(self) -> int:
        """Give the resident bytes of all servers."""
        return sum(server.resident() for server in self.servers)


def split(total: int, parts: int) -> list[int]:
    """Split a number evenly.

    >>> split(10, 4)
    [3, 3, 2, 2]
    """
    return [total // parts + (index < total % parts) for index in range(parts)]


def available_bytes() -> int:
    """Give the memory that the machine has left, the kernel's own needs taken off."""
    line = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable"))
    return int(line.split()[1]) * 1024


def publish(site: Site, commands: list[str]) -> tuple[float, float, int]:
    """Publish some times; give the medians of the seconds to the last delivery and of the servers' CPU seconds, and
    the number of deliveries.
    """
    seconds, cpu, deliveries = [], [], 0.0
    for _ in range(TIMES):
        before = site.cpu()[0]
        answers = site.ask(commands)
        seconds.append((max(a["last_ns"] for a in answers) - min(a["first_ns"] for a in answers)) / 1e9)
        cpu.append(site.cpu()[0] - before)
        deliveries = sum(answer["deliveries"] for answer in answers)
        time.sleep(1)
    return sorted(seconds)[TIMES // 2], sorted(cpu)[TIMES // 2], int(deliveries)


def hold(site: Site, seconds: float) -> list[list[str]]:
    """Let heartbeats pass; give rows about them."""
    pings = sum(answer["pings"] for answer in site.ask(["wait 0"] * len(site.holders)))
    before, begin = site.cpu(), time.monotonic()
    after = site.ask([f"wait {seconds}"] * len(site.holders), seconds + 60)
    counted, elapsed = sum(answer["pings"] for answer in after) - pings, time.monotonic() - begin
    due = (elapsed // PING_INTERVAL) * sum(holder.clients for holder in site.holders)
    if counted < 0.95 * due:
        raise LoadFailed(f"{counted:,.0f} pings in {elapsed:.0f} s, where {due:,.0f} were due")
    servers, holders = (100 * (end - start) / elapsed for start, end in zip(before, site.cpu(), strict=True))
    return [
        [f"pings answered in {elapsed:.0f} s", f"{counted:,.0f}"],
        ["CPU of all servers meanwhile, % of a core", f"{servers:.0f}"],
        ["CPU of all generators meanwhile, % of a core", f"{holders:.0f}"],
    ]


def connect(site: Site, sizes: list[int], stack: ExitStack) -> list[list[str]]:
    """Connect all clients; give rows about it."""
    before, left, begin = site.resident(), available_bytes(), time.monotonic()
    for server, size in zip(site.servers, sizes, strict=True):
        holder = Control(server.port, size)
        stack.callback(holder.stop)
        site.holders.append(holder)
    for holder in site.holders:
        holder.answer(300)
    elapsed, clients = time.monotonic() - begin, sum(sizes)
    own = sum(resident_bytes(holder.pid) for holder in site.holders)
    memory = site.resident()
    return [
        ["connections", f"{clients:,} in {len(sizes)} servers"],
        ["seconds to connect them", f"{elapsed:.1f} ({clients / elapsed:,.0f} per second)"],
        [
            "resident memory of all servers, MB",
            f"{memory / 1e6:,.0f} ({(memory - before) / clients:,.0f} bytes per connection)",
        ],
        [
            "memory of the machine in use for it, MB",
            f"{(left - available_bytes() - own) / 1e6:,.0f} with both ends' kernel buffers",
        ],
    ]


def run(clients: int, processes: int, channel: int, seconds: float, *, compiled: bool) -> list[list[str]]:
    """Do it all; give the rows of the table."""
    sizes, members = split(clients, processes), split(channel, processes)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - SPARE_FILES
    if max(sizes) > most:
        raise SystemExit(f"{max(sizes):,} connections per process, but it may have {most:,}: use more --processes")
    with ExitStack() as stack:
        peer = ours(sys.executable, compiled=compiled)
        site = Site([stack.enter_context(Server(peer)) for _ in sizes], [])
        rows = connect(site, sizes, stack)
        print(*rows, sep="\n", flush=True)
        site.ask([f"join 0 1 {amount}" for amount in members])
        rows += hold(site, seconds)
        print(*rows[4:], sep="\n", flush=True)
        for name, commands in (
            (f"a channel of {channel:,}", [f"pub 0 {amount} 1" for amount in members]),
            ("all", [f"puball {size} 1" for size in sizes]),
        ):
            last, cpu, deliveries = publish(site, commands)
            rows.append(
                [
                    f"seconds to the last delivery, {name}",
                    f"{last:.3f} ({deliveries / last:,.0f} deliveries per second)",
                ]
            )
            rows.append(["CPU seconds of the servers for it", f"{cpu:.2f}"])
        site.ask(["wait 0"] * processes)  # all of them are still there
        rows.append(["losses", "0"])
    return rows


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=150_000)
    parser.add_argument("--processes", type=int, default=8, help="servers, and as many generators")
    parser.add_argument("--channel", type=int, default=15_000, help="clients in the channel")
    parser.add_argument("--hold", type=float, default=60, help="seconds of heartbeats")
    parser.add_argument("--compiled", action="store_true", help="the build in .compiled")
    parser.add_argument("--write", action="store_true", help="write RESULTS.rst")
    arguments = parser.parse_args()
    compile_all()
    quiet = machine.warn_if_busy()
    try:
        amounts = (arguments.clients, arguments.processes, arguments.channel)
        rows = run(*amounts, arguments.hold, compiled=arguments.compiled)
    except LoadFailed as error:
        sys.exit(f"failed: {error}")
    text = results.table(["what", "how much"], rows)
    print(text)
    if arguments.write:
        build = " with compiled modules" if arguments.compiled else " in plain Python"
        explained = EXPLANATION.format(processes=arguments.processes, times=TIMES, build=build)
        body = "\n\n".join([results.paragraph(machine.describe(), quiet), explained, text])
        title = f"{arguments.clients:,} connections on one machine"
        results.write_part(BENCH / "RESULTS.rst", "scale", results.titled(title, body))


if __name__ == "__main__":
    main()
