"""Compare servers: all of them up, the loads in turn, rounds, medians, ratios. See bench/README.rst.

    python bench/compare.py [--rounds 3] [--seconds 4] [--only NAME,NAME] [--loads NAME,NAME]

Only ratios within one run mean anything: the machine may have few cores and other work.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchlib import loads as catalogue
from benchlib import machine, plots, results
from benchlib.generator import BENCH, LoadFailed, compile_all
from benchlib.servers import COMPILED, NODE, OURS, Peer, Server, changed_since_compiled, is_compiled, peers

#: At most: to connect 10,000 clients takes long, and memory and heartbeats differ little between rounds.
IDLE_ROUNDS = 3


@dataclass
class Run:
    """One run and what came out of it."""

    chosen: list[Peer]
    loads: list[str]
    rounds: int
    seconds: float
    idle: int
    figures: results.Figures = field(default_factory=dict)
    failures: dict[tuple[str, str], str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.figures = {load: {peer.name: [] for peer in self.chosen} for load in self.loads}
        self._begin = time.monotonic()

    @property
    def idle_rounds(self) -> int:
        """Give the number of rounds of what needs many idle clients."""
        return min(self.rounds, IDLE_ROUNDS)

    def report(self, load: str, name: str, outcome: float | LoadFailed) -> None:
        """Keep a figure or a failure, and show it."""
        if isinstance(outcome, LoadFailed):
            self.failures[load, name] = str(outcome)
        else:
            self.figures[load][name].append(outcome)
        shown = f"failed: {outcome}" if isinstance(outcome, LoadFailed) else results.number(outcome)
        print(f"{time.monotonic() - self._begin:6.0f} s  {load:29}{name:26}{shown}", flush=True)

    def measure(self) -> None:
        """Measure everything."""
        with ExitStack() as stack:
            servers = [stack.enter_context(Server(peer)) for peer in self.chosen]
            for _ in range(self.rounds):
                self._closed(servers)
            if catalogue.OPEN in self.loads:
                self._open(servers)
        wanted = set(self.loads) & {catalogue.MEMORY, catalogue.MEMORY_BROWSER, catalogue.BESIDE_IDLE}
        for _ in range(self.idle_rounds):
            for peer in self.chosen if wanted else []:
                catalogue.run_idle(peer, wanted, self.idle, self.seconds, self.report)
        if catalogue.PINGS in self.loads:
            self._pings()

    def _closed(self, servers: list[Server]) -> None:
        for load in self.loads:
            if load not in catalogue.LOADS and load != catalogue.CHURN:
                continue
            for server in servers:
                if not catalogue.applies(load, server.peer):
                    continue
                try:
                    self.report(load, server.peer.name, catalogue.run_closed(load, server, self.seconds))
                except LoadFailed as error:
                    self.report(load, server.peer.name, error)

    def _open(self, servers: list[Server]) -> None:
        medians = results.medians(self.figures)
        rate = catalogue.half_of_nodes_peak(medians, servers, self.seconds)
        if not rate:
            self.loads.remove(catalogue.OPEN)
            del self.figures[catalogue.OPEN]
            return
        self.notes.append(f"Half of Node's peak were {rate:,.0f} messages per second.")
        for _ in range(self.rounds):
            for server in servers:
                name = server.peer.name
                try:
                    own_peak = catalogue.peak(medians, name)
                    self.report(catalogue.OPEN, name, catalogue.run_open(server, rate, self.seconds, own_peak))
                except LoadFailed as error:
                    self.report(catalogue.OPEN, name, error)

    def _pings(self) -> None:
        hopeless: set[str] = set()
        for _ in range(self.idle_rounds):
            for peer in self.chosen:
                if catalogue.applies(catalogue.PINGS, peer) and peer.name not in hopeless:
                    catalogue.run_pings(peer, self.idle, 3, self.report)
                    if (catalogue.PINGS, peer.name) in self.failures:
                        hopeless.add(peer.name)


def mine(run: Run) -> list[str]:
    """Give the names of our servers."""
    return [peer.name for peer in run.chosen if peer.name in (OURS, COMPILED)]


def rows(run: Run) -> list[list[str]]:
    """Give the rows of the table of medians."""
    names = [peer.name for peer in run.chosen]
    medians = results.medians(run.figures)
    lines = []
    for load, row in medians.items():
        cells = [
            "failed" if row[name] is None and (load, name) in run.failures else results.compare(row, mine(run), name)
            for name in names
        ]
        lines.append([f"{load}, {catalogue.UNITS[load]}", *cells])
    return lines


def aims(run: Run) -> str:
    """Give the table of what we aim at, as multiples of Node's."""
    medians = results.medians(run.figures)
    lines = []
    for load, (plain, compiled) in catalogue.AIMS.items():
        row = medians.get(load, {})
        if row.get(NODE):
            reached = [results.ratio(row.get(name), row[NODE]) for name in (OURS, COMPILED)]
            limit = "at most " if load in catalogue.LESS_IS_BETTER else ""
            lines.append([load, f"{limit}{plain:g}", reached[0], f"{limit}{compiled:g}", reached[1]])
    head = ["as multiples of Node's", "aim", "plain Python", "aim, compiled", "compiled"]
    return results.table(head, lines) if lines else ""


def text(run: Run, quiet: str) -> str:
    """Write the part of the results."""
    builds = "in plain Python" + (" / with compiled modules" if COMPILED in mine(run) else "")
    parts = [
        results.paragraph(machine.describe(), *run.notes, quiet),
        results.paragraph(
            f"Medians of {run.rounds} rounds of {run.seconds:g} s,",
            f"with many idle clients of {run.idle_rounds}.",
            f"In brackets, ours as a multiple of the other's: {builds}.",
            f"Of bytes, per cent and µs, less is better. Idle clients: {run.idle:,}.",
        ),
        results.table(["load", *(peer.name for peer in run.chosen)], rows(run)),
        ".. image:: results.png\n   :alt: Each server's figure as a multiple of Node's, one group of bars per load",
        aims(run),
    ]
    if run.failures:
        parts.append("What failed:")
        parts.append("\n".join(f"* {load}, {name}: {why}" for (load, name), why in run.failures.items()))
    return results.titled("Servers side by side", "\n\n".join(filter(None, parts)))


def show(run: Run) -> None:
    """Print the medians and, in brackets, ours as a multiple of each peer's."""
    print(results.table(["load", *(peer.name for peer in run.chosen)], rows(run)))
    print(aims(run))
    for (load, name), why in run.failures.items():
        print(f"failed: {load}, {name}: {why}")


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help=f"with many idle clients at most {IDLE_ROUNDS}")
    parser.add_argument("--seconds", type=float, default=4, help="of each closed loop")
    parser.add_argument("--python", default=sys.executable, help="an interpreter with the Python peers installed")
    parser.add_argument("--only", default="", help="names of servers, separated by commas; ours is always there")
    parser.add_argument("--loads", default="", help="names of loads, separated by commas")
    parser.add_argument("--idle", type=int, default=10_000, help="clients of the loads with idle ones")
    parser.add_argument("--write", action="store_true", help="write RESULTS.rst and results.png")
    arguments = parser.parse_args()
    compile_all()
    known = peers(sys.executable, os.path.abspath(arguments.python))
    try:
        names = results.choose(arguments.only, [peer.name for peer in known])
        loads = results.choose(arguments.loads, catalogue.ALL)
    except ValueError as error:
        parser.error(str(error))
    chosen = [peer for peer in known if peer.name == OURS or peer.name in names]
    run = Run(chosen, loads, arguments.rounds, arguments.seconds, arguments.idle)
    quiet = machine.warn_if_busy()
    if COMPILED in mine(run) and changed_since_compiled():
        run.notes.append("The compiled build is of older sources.")
        print("warning: the compiled build is of older sources; `make compiled` makes a new one", file=sys.stderr)
    elif not is_compiled() and not arguments.only:
        print("there is no compiled build for this Python; `make compiled` makes one", file=sys.stderr)
    run.measure()
    show(run)
    if arguments.write:
        base = NODE if NODE in {peer.name for peer in chosen} else OURS
        names = [peer.name for peer in chosen]
        plots.bars(BENCH / "results.png", results.medians(run.figures), names, base, catalogue.LESS_IS_BETTER)
        results.write_part(BENCH / "RESULTS.rst", "servers", text(run, quiet))
    if any(name in (OURS, COMPILED) for _, name in run.failures):
        sys.exit(1)


if __name__ == "__main__":
    main()
