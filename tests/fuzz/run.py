"""Run targets under the fuzzer, one after the other: ``python -m tests.fuzz.run [--seconds 600] [TARGET …]``.

Needs atheris; ``make fuzz`` makes an environment with it. What is found is printed and left as ``fuzz-<target>-…`` in
the working directory, to be replayed with ``TARGET --replay FILE``. Afterwards the corpus (``tests/fuzz/corpus``) is
replaced by as few inputs as reach the same.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from tests.fuzz.corpus import seeds, store
from tests.fuzz.targets import NAMES, load
from tests.support.processes import ROOT

TIMEOUT = 10
"""Seconds that one input may take, on a machine where much else runs."""

MEMORY = 1_024
"""Megabytes."""

HEADER = f"{'target':<16} {'executions':>11} {'features':>9} {'findings':>9} {'corpus':>7}  date"


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; return 0 if nothing was found."""
    parser = argparse.ArgumentParser(prog="run", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(NAMES)}; default: all")
    parser.add_argument("--seconds", type=int, default=600, metavar="N", help="for each target")
    parser.add_argument("--replay", nargs="*", type=Path, metavar="FILE", help="feed files, or all of the corpus, once")
    parser.add_argument("--in-fuzzer", action="store_true", help=argparse.SUPPRESS)
    options, rest = parser.parse_known_args(arguments)
    unknown = set(options.targets) - set(NAMES)
    if unknown or (rest and not options.in_fuzzer):
        parser.error(f"unknown: {' '.join([*sorted(unknown), *rest])}; the targets are {', '.join(NAMES)}")
    if options.in_fuzzer:
        return _fuzz(options.targets[0], rest)
    if options.replay is not None:
        return _replay(options.targets, options.replay)
    print(HEADER, flush=True)
    return max([_run(name, options.seconds) for name in options.targets or NAMES])


def _replay(names: list[str], files: list[Path]) -> int:
    """Feed inputs without the fuzzer."""
    for name in names:
        if name == "http":
            _patch()
        target = load(name)
        inputs = [path.read_bytes() for path in files] or [*target.SEEDS, *seeds(name)]
        for data in inputs:
            target.run(data)
        print(f"{name}: {len(inputs)} inputs")
    return 0


def _patch() -> None:
    from gevent import monkey  # in the process of the one target that needs it

    monkey.patch_all()


def _fuzz(name: str, options: list[str]) -> int:
    """Be the fuzzer's process; does not return."""
    import atheris  # nobody else needs it

    if name == "http":
        _patch()
    with atheris.instrument_imports(include=["webpy_socketio"]):
        target = load(name)
    # For merging, the fuzzer starts itself again, by a shell.
    itself = f"{sys.executable} -m tests.fuzz.run {name} --in-fuzzer"
    atheris.Setup([itself, *options], target.run)
    atheris.Fuzz()
    return 0


def _run(name: str, seconds: int) -> int:
    """Fuzz one target, and keep what it has learned; return the fuzzer's status."""
    target = load(name)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        grown, least = Path(scratch, "grown"), Path(scratch, "least")
        grown.mkdir()
        least.mkdir()
        words = Path(scratch, "words")
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.WORDS))
        for number, seed in enumerate([*seeds(name), *target.SEEDS]):
            (grown / f"seed-{number}").write_bytes(seed)
        limits = [f"-max_len={target.MAX_LENGTH}", f"-timeout={TIMEOUT}", f"-rss_limit_mb={MEMORY}"]
        ways = [f"-dict={words}", f"-artifact_prefix={ROOT}/fuzz-{name}-", f"-max_total_time={seconds}"]
        status, output = _call(name, [*limits, *ways, "-print_final_stats=1", str(grown)])
        if status:
            print(output[-6_000:], file=sys.stderr)
        _call(name, [*limits, "-merge=1", str(least), str(grown)])
        kept = store(name, [path.read_bytes() for path in least.iterdir()] or seeds(name))
        print(_row(name, output, status, kept), flush=True)
    return status


def _escaped(word: bytes) -> str:
    """Write a word as the fuzzer's dictionaries have it."""
    return "".join(chr(byte) if byte < 0x80 and chr(byte).isalnum() else f"\\x{byte:02x}" for byte in word)


def _call(name: str, options: list[str]) -> tuple[int, str]:
    command = [sys.executable, "-m", "tests.fuzz.run", name, "--in-fuzzer", *options]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout.decode(errors="replace")


def _row(name: str, output: str, status: int, kept: int) -> str:
    runs = re.search(r"number_of_executed_units: (\d+)", output)
    features = re.findall(r" ft: (\d+) ", output)
    day = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    executions = int(runs[1]) if runs else 0
    return f"{name:<16} {executions:>11,} {features[-1] if features else '-':>9} {int(status != 0):>9} {kept:>7}  {day}"


if __name__ == "__main__":
    sys.exit(main())
