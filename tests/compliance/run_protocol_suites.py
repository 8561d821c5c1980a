"""Run the official Engine.IO and Socket.IO protocol suites against our server, and print what passed.

``python -m tests.compliance.run_protocol_suites PATH`` where PATH is a copy of socketio/engine.io-protocol or
socketio/socket.io-protocol, or a folder that holds copies of both. Needs Node and npm. Everything is done in a
temporary folder; PATH and this project stay as they are.

Every suite is run with the heartbeat that it expects (300 + 200 ms), where everything must pass, and with a long one
(10 + 10 s): no client in the suites answers pings, so with the short one every session dies after half a second and
"closes the session upon …" would pass on a server that ignores bad input. With the long one the tests that need the
short one may fail, by name; all others must pass.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.compliance.servers import PACKAGES, install, serving
from tests.compliance.suites import Suite, find_suites, point_at, prepare

HEARTBEATS = {"short": (300, 200), "long": (10_000, 10_000)}
"""Ping interval and ping time-out, in milliseconds."""

MOCHA_TIMEOUT = 300.0
"""Seconds for one run; the longest one measured takes about 30."""


@dataclass(frozen=True)
class Run:
    """What one run of one suite gave."""

    suite: Suite
    server: str
    heartbeat: str
    number: int
    passed: tuple[str, ...]
    failed: dict[str, str]
    """Full title to the error's message."""
    pending: tuple[str, ...]
    seconds: float

    @property
    def unexpected(self) -> dict[str, str]:
        """Return the failures that neither the heartbeat nor the server explains."""
        excused = self.suite.excused(self.server, self.heartbeat)
        return {title: why for title, why in self.failed.items() if title not in excused}

    def row(self) -> str:
        """Return the run as a line of the table."""
        excused = len(self.failed) - len(self.unexpected)
        cells = (len(self.passed), excused, len(self.unexpected), len(self.pending))
        counts = "".join(f"{cell:>12}" for cell in cells)
        return f"{self.suite.name:<28}{self.heartbeat:<10}{self.number:>5}{counts}{self.seconds:>9.1f}"


HEADER = (
    f"{'suite':<28}{'heartbeat':<10}{'round':>5}"
    + "".join(f"{title:>12}" for title in ("passed", "excused", "FAILED", "skipped"))
    + f"{'seconds':>9}"
)


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; return 0 if nothing failed that had to pass."""
    options = parse(arguments)
    suites = find_suites(options.path)
    if not suites:
        print(f"no suite in {options.path}: expected a folder test-suite/ with test-suite.js", file=sys.stderr)
        return 2
    heartbeats = list(HEARTBEATS) if options.heartbeat == "both" else [options.heartbeat]
    with tempfile.TemporaryDirectory(prefix="protocol-suites-") as scratch:
        runs = run_all(suites, heartbeats, options, Path(scratch))
    report_failures(runs)
    bad = sum(1 for run in runs if run.unexpected)
    print(f"\n{len(runs) - bad} of {len(runs)} runs as they must be")
    return 1 if bad else 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="run_protocol_suites", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("path", type=Path, help="a copy of one suite's repository, or a folder of such copies")
    parser.add_argument("--server", choices=("ours", "node"), default="ours", help="node: prove the harness itself")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--heartbeat", choices=(*HEARTBEATS, "both"), default="both")
    parser.add_argument("--plain", action="store_true", help="run the suites with their two faults left in")
    return parser.parse_args(arguments)


def run_all(suites: list[Suite], heartbeats: list[str], options: argparse.Namespace, scratch: Path) -> list[Run]:
    """Run every suite with every heartbeat for some rounds, printing each run's row at once."""
    print(f"server: {options.server}")
    for suite in suites:
        print(f"{suite.name}: commit {suite.commit}, test-suite.js sha256 {suite.digest}…")
    print(HEADER, flush=True)
    runs = []
    for suite in suites:
        folder = scratch / f"{suite.protocol}-{suite.revision}"
        prepare(suite, folder, PACKAGES[options.server], plain=options.plain)
        install(options.server, folder)
        for heartbeat in heartbeats:
            for number in range(1, options.rounds + 1):
                runs.append(run_once(suite, heartbeat, number, options.server, folder))
                print(runs[-1].row(), flush=True)
    return runs


def run_once(suite: Suite, heartbeat: str, number: int, server: str, folder: Path) -> Run:
    """Start a server, run mocha against it once, and end the server."""
    log = folder / "server.log"
    with serving(server, suite, folder, HEARTBEATS[heartbeat], log) as port:
        point_at(folder, port)
        # --exit: with a long heartbeat the suite leaves connections open that would keep Node alive.
        done = subprocess.run(
            ["node", "node_modules/mocha/bin/mocha", "--exit", "--reporter", "json", "test-suite.js"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=MOCHA_TIMEOUT,
        )
    if not done.stdout.lstrip().startswith("{"):
        raise RuntimeError(f"mocha gave no report:\n{done.stdout}{done.stderr}\nserver:\n{log.read_text()}")
    report = json.loads(done.stdout)
    return Run(
        suite,
        server,
        heartbeat,
        number,
        passed=tuple(test["fullTitle"] for test in report["passes"]),
        failed={test["fullTitle"]: test["err"].get("message", "") for test in report["failures"]},
        pending=tuple(test["fullTitle"] for test in report["pending"]),
        seconds=report["stats"]["duration"] / 1000,
    )


def report_failures(runs: list[Run]) -> None:
    """Print the name of every failed test with the rounds it failed in, the excused ones too."""
    places: dict[tuple[str, ...], list[int]] = {}
    messages: dict[tuple[str, ...], str] = {}
    for run in runs:
        for title, why in run.failed.items():
            word = "FAILED" if title in run.unexpected else "excused"
            key: tuple[str, ...] = word, run.suite.name, run.heartbeat, title
            places.setdefault(key, []).append(run.number)
            messages[key] = why.split(". For async tests", maxsplit=1)[0]
    for key, numbers in sorted(places.items()):
        rounds = ",".join(str(number) for number in numbers)
        print(f"{': '.join(key)} [round {rounds}]: {messages[key]}")


if __name__ == "__main__":
    sys.exit(main())
