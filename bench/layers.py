"""Tell where the time of a message goes, by layer: ``make profile``.

    python bench/layers.py [--seconds 10] [--write]

The server runs under a full load while a timer of its CPU time interrupts it some hundred times per second and notes
what runs; the shares of the samples are multiplied with the CPU time that the kernel says a message has cost. So
nothing is wrapped or replayed, and the table stays true when the code changes.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from benchlib import machine, results
from benchlib.generator import BENCH, LoadFailed, compile_all, generate
from benchlib.loads import LOADS
from benchlib.servers import Server, cpu_seconds, ours

MEASURED = {"echo 50x1": "an echo (50x1)", "echo 1x1": "an echo (1x1)", "fan-out to 100": "a delivery (fan-out to 100)"}
ROWS = {
    "wire": "wire: frames, packets, JSON",
    "state": "state: the machines",
    "transport": "transport: links, outboxes, the turn's end",
    "hub": "hub: mailboxes, dispatch, sockets, fan-out",
    "gateway": "gateway",
    "vocabulary": "events, channels, config",
    "handler": "the application's handler",
    "loop": "gevent and libev, with epoll_wait",
    "kernel": "system calls of the link: recv, send",
}
EXPLANATION = """\
The server is sampled under full load by a timer of its CPU time, at each tick of the kernel, whose signal Python
notices at the next call; each sample belongs to the innermost line of this package (orjson, zlib and the standard
library count for their caller), and the shares are multiplied with the CPU time that the kernel has counted per
message. The last rows are the kernel's own accounting of the same time; its part in the kernel lies in both "system
calls" and "gevent and libev".
"""


class Sampled:
    """What one load has shown: samples by layer and place, and µs of CPU time per message."""

    def __init__(self, samples: dict[str, int], user: float, system: float) -> None:
        self.user, self.system = user, system
        self.places = Counter(samples)
        layers: Counter[str] = Counter()
        for place, count in samples.items():
            layers[place.partition("|")[0]] += count
        self._layers, self._total = layers, sum(layers.values()) or 1

    @property
    def whole(self) -> float:
        """µs per message."""
        return self.user + self.system

    def share(self, layer: str) -> float:
        """Give a layer's part of the time."""
        return self._layers[layer] / self._total


def sample(load: str, seconds: float) -> Sampled:
    """Run a load against a server that is sampled during the middle of it."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "samples.json"
        peer = ours(sys.executable, "peers/sampled.py")
        peer = type(peer)(peer.name, (*peer.command, str(found)), peer.environment)
        outcome: list[dict[str, float] | LoadFailed] = []
        with Server(peer) as server:

            def run() -> None:
                try:
                    outcome.append(generate(LOADS[load], server.port, seconds))
                except LoadFailed as error:
                    outcome.append(error)

            thread = threading.Thread(target=run)
            thread.start()
            time.sleep(0.3 * seconds)
            server.signal(signal.SIGUSR1)
            before, begin = cpu_seconds(server.pid), time.monotonic()
            time.sleep(0.6 * seconds)
            after, elapsed = cpu_seconds(server.pid), time.monotonic() - begin
            server.signal(signal.SIGUSR2)
            thread.join()
            if isinstance(outcome[0], LoadFailed):
                raise outcome[0]
            messages = outcome[0]["msgs_per_s"] * elapsed
            user, system = (end - start for start, end in zip(before, after, strict=True))
            samples = json.loads(found.read_text())
            return Sampled(samples, user / messages * 1e6, system / messages * 1e6)


def render(sampled: dict[str, Sampled]) -> str:
    """Give the table."""
    head = ["CPU time in µs, and its share", *(MEASURED[load] for load in sampled)]
    rows = []
    for layer, title in ROWS.items():
        rows.append(
            [title, *(f"{one.whole * one.share(layer):.2f} ({one.share(layer):.0%})" for one in sampled.values())]
        )
    rows.append(["samples", *(f"{one.places.total():,}" for one in sampled.values())])
    rows.append(["**sum**", *(f"{one.whole:.2f}" for one in sampled.values())])
    rows.append(["in the kernel, by its accounting", *(f"{one.system:.2f}" for one in sampled.values())])
    rows.append(["outside it, by its accounting", *(f"{one.user:.2f}" for one in sampled.values())])
    return results.table(head, rows)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20, help="of each load")
    parser.add_argument("--write", action="store_true", help="write RESULTS.rst")
    arguments = parser.parse_args()
    compile_all()
    quiet = machine.warn_if_busy()
    sampled = {load: sample(load, arguments.seconds) for load in MEASURED}
    text = render(sampled)
    print(text)
    for load, one in sampled.items():
        total = sum(one.places.values())
        print(f"{load}, where most samples are:")
        for place, count in one.places.most_common(15):
            print(f"  {count / total:6.1%}  {place.replace('|', '  ')}")
    if arguments.write:
        body = "\n\n".join([results.paragraph(machine.describe(), quiet), EXPLANATION, text])
        results.write_part(BENCH / "RESULTS.rst", "layers", results.titled("Where the time goes", body))


if __name__ == "__main__":
    main()
