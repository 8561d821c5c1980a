"""Run the Autobahn|Testsuite's fuzzing client against a plain echo on our WebSocket code, and print what came out.

``python -m tests.compliance.run_autobahn [--parts 1 2 12.1 …] [--jobs 2]``; ``make compliance`` runs all parts. Needs
CPython 2.7 for the suite. Compression is on in all parts; only the client of groups 12 and 13 asks for it.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from tests.compliance.autobahn import (
    EXCUSED,
    HEADER,
    PARTS,
    TIME_LIMIT,
    VERSION,
    NoPython27,
    Run,
    install,
    read_report,
    specification,
)
from tests.support.ports import free_port
from tests.support.processes import module_command, running


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; return 0 if every case was as it must be."""
    parser = argparse.ArgumentParser(prog="run_autobahn", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", nargs="+", default=PARTS, metavar="PART", help="such as 1 or 12.1; default: all")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="parts that run at the same time")
    options = parser.parse_args(arguments)
    try:
        wstest = install()
    except NoPython27 as error:
        print(error, file=sys.stderr)
        return 2
    print(versions(), HEADER, sep="\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="autobahn-") as scratch:
        runs = run_all(wstest, options.parts, options.jobs, Path(scratch))
    return summarise(runs)


def versions() -> str:
    """Name what is run, on what, and when."""
    day = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    python = platform.python_version()
    ours = f"webpy_socketio {version('webpy_socketio')} on gevent {version('gevent')}, Python {python}"
    return f"autobahntestsuite {VERSION} against {ours}, {day}"


def run_all(wstest: Path, parts: list[str], jobs: int, scratch: Path) -> list[Run]:
    """Run the parts against one server, printing each part's row as soon as it is there."""
    port = free_port()
    runs = []
    command = module_command("tests.compliance.echo_app", "--port", port, "--compression", 1)
    with running(command, scratch / "server.log", ready=port) as server, ThreadPoolExecutor(jobs) as pool:
        for run in pool.map(lambda part: run_part(wstest, part, port, scratch), parts):
            runs.append(run)
            print(run.row(), flush=True)
        if not server.running:
            raise server.failure("ended during the suite")
    return runs


def run_part(wstest: Path, part: str, port: int, scratch: Path) -> Run:
    """Run the fuzzing client on one part of the cases."""
    report = scratch / f"report-{part}"
    spec = scratch / f"spec-{part}.json"
    spec.write_text(json.dumps(specification(part, port, report)))
    command = [str(wstest), "-m", "fuzzingclient", "-s", str(spec)]
    began = time.monotonic()
    try:
        subprocess.run(command, cwd=scratch, capture_output=True, timeout=TIME_LIMIT, check=True)
        is_over_time = False
    except subprocess.TimeoutExpired:
        is_over_time = True
    return Run(part, read_report(report), time.monotonic() - began, is_over_time)


def summarise(runs: list[Run]) -> int:
    """Print every case that is not OK, and the sums."""
    cases = [case for run in runs for case in run.cases]
    for case in cases:
        if case.verdict not in ("OK", "INFORMATIONAL"):
            print(f"{case.name}: {case.verdict}{f' ({EXCUSED[case.name]})' if case.name in EXCUSED else ''}")
    bad = sum(len(run.bad) for run in runs)
    unfinished = [run.part for run in runs if not run.cases or run.is_over_time]
    print(f"\n{len(cases)} cases, {bad} not as they must be", *(f"; unfinished: {part}" for part in unfinished), sep="")
    return 0 if all(run.is_good for run in runs) else 1


if __name__ == "__main__":
    sys.exit(main())
