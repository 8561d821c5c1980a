"""Measure how cost grows with subscribers and with channels per client: a part of ``make scale``.

    python bench/growth.py [--rounds 3] [--amount 200000] [--write]

All figures are CPU time of the server. What costs more per item when there are more items is a defect.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable

from benchlib import machine, plots, results
from benchlib.generator import BENCH, Control, compile_all
from benchlib.loads import held
from benchlib.servers import Server, floor, ours, run_nanoseconds

SUBSCRIBERS = (10, 100, 1_000, 10_000)
CHANNELS = (1, 10, 100, 1_000)
CLIENTS = 100
SHARE_OF_CHANGES = 10
"""A join or a leave is about so much dearer than a delivery, and there are so many fewer of them."""

EXPLANATION = """\
CPU time of the server in µs, the kernel's included, medians of the rounds. With n subscribers: one of the deliveries
of a publication, whose own cost is spread over them; and beside it the same of the plain C server, as many sockets are
dearer than few for any server (caches): growth is judged by the multiple. With n channels per client (100 clients, all
in the same channels): one subscription, one unsubscription, each asked for by an event with an ack, and one delivery
to one of the channels. What grows linearly has the same cost, or less, in each row.
"""


def cost(server: Server, action: Callable[[], float]) -> float:
    """Give the µs of CPU time per item; the action tells how many items it made."""
    before = run_nanoseconds(server.pid)
    items = action()
    return (run_nanoseconds(server.pid) - before) / 1000 / items


def by_subscribers(server: Server, amount: int) -> list[float]:
    """Give the cost of a delivery for each number of subscribers."""
    costs = []
    for receivers in SUBSCRIBERS:
        with held(server, receivers, timeout=60) as control:
            control.ask("join 0 1")
            server.settle()
            times = max(10, amount // receivers)
            costs.append(cost(server, publishing(control, receivers, times)))
        server.settle()
    return costs


def publishing(control: Control, receivers: int, times: int) -> Callable[[], float]:
    """Give the action that publishes some times to a channel."""
    return lambda: control.ask(f"pub 0 {receivers} {times}")["deliveries"]


def changing(control: Control, action: str, channels: int) -> Callable[[], float]:
    """Give the action that lets all clients join, or leave, their channels."""
    return lambda: control.ask(f"{action} 0 {channels}")["ops"]


def by_channels(server: Server, amount: int) -> dict[str, list[float]]:
    """Give the costs of joins, leaves and deliveries for each number of channels per client."""
    costs: dict[str, list[float]] = {"subscribe": [], "unsubscribe": [], "deliver": []}
    for channels in CHANNELS:
        with held(server, CLIENTS, timeout=60) as control:
            server.settle()
            sums = {"join": 0.0, "leave": 0.0}
            cycles = max(1, amount // SHARE_OF_CHANGES // (CLIENTS * channels))
            # The first cycle makes what later ones find there: it does not count.
            for cycle in range(cycles + 1):
                for action in sums:
                    each = cost(server, changing(control, action, channels))
                    sums[action] += each if cycle else 0
            control.ask(f"join 0 {channels}")
            costs["subscribe"].append(sums["join"] / cycles)
            costs["unsubscribe"].append(sums["leave"] / cycles)
            costs["deliver"].append(cost(server, publishing(control, CLIENTS, max(10, amount // CLIENTS))))
        server.settle()
    return costs


def tables(subscribers: list[float], least: list[float], channels: dict[str, list[float]]) -> str:
    """Give both tables, with what grows faster than it may; ``least`` are the plain C server's costs."""
    multiples = [mine / other for mine, other in zip(subscribers, least, strict=True)]
    columns = zip(SUBSCRIBERS, subscribers, least, multiples, results.growth(SUBSCRIBERS, multiples), strict=True)
    first = [[f"{size:,}", f"{mine:.2f}", f"{c:.2f}", f"{times:.2f}", text] for size, mine, c, times, text in columns]
    judged = {name: results.growth(CHANNELS, costs) for name, costs in channels.items()}
    second = []
    for place, size in enumerate(CHANNELS):
        faults = "; ".join(f"{name} {verdict[place]}" for name, verdict in judged.items() if verdict[place])
        second.append([f"{size:,}", *(f"{costs[place]:.2f}" for costs in channels.values()), faults])
    return "\n".join(
        [
            results.table(["subscribers", "µs per delivery", "in plain C", "multiple", "growth"], with_dash(first)),
            results.table(["channels per client", *(f"{name}, µs" for name in channels), "growth"], with_dash(second)),
        ]
    )


def medians(rounds: list[list[float]]) -> list[float]:
    """Give the median of each column."""
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def with_dash(rows: list[list[str]]) -> list[list[str]]:
    """Say that a row without a verdict is as it should be."""
    return [[*row[:-1], row[-1] or "linear"] for row in rows]


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--amount", type=int, default=200_000, help="deliveries per row and round")
    parser.add_argument("--write", action="store_true", help="write RESULTS.rst and growth.png")
    arguments = parser.parse_args()
    compile_all()
    quiet = machine.warn_if_busy()
    first, least, second = [], [], []
    with Server(ours(sys.executable)) as server, Server(floor()) as plain:
        for _ in range(arguments.rounds):
            first.append(by_subscribers(server, arguments.amount))
            least.append(by_subscribers(plain, arguments.amount))
            second.append(by_channels(server, arguments.amount))
    subscribers, in_c = medians(first), medians(least)
    channels = {name: medians([costs[name] for costs in second]) for name in second[0]}
    text = tables(subscribers, in_c, channels)
    print(text)
    if arguments.write:
        per_client = {name: ([float(size) for size in CHANNELS], costs) for name, costs in channels.items()}
        sizes = [float(size) for size in SUBSCRIBERS]
        by_size = {"webpy_socketio": (sizes, subscribers), "plain C": (sizes, in_c)}
        panels = [
            ("a delivery", "subscribers", "µs of CPU time", by_size),
            ("100 clients", "channels per client", "µs of CPU time", per_client),
        ]
        plots.curves(BENCH / "growth.png", panels)
        image = ".. image:: growth.png\n   :alt: Cost per delivery and per subscription, flat where it is linear"
        body = "\n\n".join([results.paragraph(machine.describe(), quiet), EXPLANATION, text, image])
        results.write_part(BENCH / "RESULTS.rst", "growth", results.titled("How cost grows", body))
    if "above linear" in text:
        print("warning: something costs more than linear", file=sys.stderr)


if __name__ == "__main__":
    main()
