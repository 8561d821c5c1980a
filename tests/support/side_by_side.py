"""Run all tests: those that drive a browser beside all others, as they mostly wait for it.

``make test`` calls this in its environment and hands its arguments on to pytest; the gates on coverage follow. The
closing line is pytest's, with the numbers of both processes. Arguments that choose by markers are for one process.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from tests.support import gates
from tests.support.matrix import CLOSING_LINE, ROOT

BROWSER, OTHERS = ("-m", "browser"), ("-m", "not browser")
PYTEST = (sys.executable, "-m", "pytest")
COVERED = (sys.executable, "-m", "coverage", "run", "-m", "pytest")
NONE_SELECTED = 5
"""Pytest's status when no test fits its arguments."""

_NUMBER = re.compile(r"(\d+) (passed|failed|skipped|deselected|xfailed|xpassed|warnings?|errors?)")


def closing_line(outputs: Sequence[str], seconds: float) -> str:
    """Add the numbers of several runs up: ``7 passed, 1 failed in 2.50s``.

    What one run has left to another is not mentioned.
    """
    numbers: Counter[str] = Counter()
    for output in outputs:
        lines = [match[1] for match in map(CLOSING_LINE.match, output.splitlines()) if match]
        for number, kind in _NUMBER.findall(lines[-1] if lines else ""):
            numbers[kind.removesuffix("s") if kind in ("errors", "warnings") else kind] += int(number)
    numbers.pop("deselected", None)
    parts = [f"{numbers[kind]} {kind}" for kind in sorted(numbers, key=lambda kind: kind != "failed")]
    return f"{', '.join(parts) or 'no tests ran'} in {seconds:.2f}s"


def status_of(statuses: Sequence[int]) -> int:
    """Give the status of all runs together: one of them may have nothing to do."""
    found = [status for status in statuses if status != NONE_SELECTED]
    return next((status for status in found if status), 0) if found else NONE_SELECTED


def show(process: subprocess.Popen[bytes]) -> str:
    """Print what a process prints, line by line; give all of it."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.decode(errors="replace"))
        print(lines[-1], end="", flush=True)
    return "".join(lines)


def run(arguments: Sequence[str], log: IO[bytes]) -> tuple[int, list[str]]:
    """Run the two; give the status and what they printed. ``log`` takes what the one beside prints."""
    if "-m" in arguments:
        with subprocess.Popen([*COVERED, *arguments], cwd=ROOT, stdout=subprocess.PIPE) as alone:
            output = show(alone)
        return alone.returncode, [output]
    # The cache of pytest is the other one's: both would write it.
    beside = subprocess.Popen(
        [*PYTEST, "-p", "no:cacheprovider", *BROWSER, *arguments], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
    )
    try:
        with subprocess.Popen([*COVERED, *OTHERS, *arguments], cwd=ROOT, stdout=subprocess.PIPE) as others:
            output = show(others)
        beside.wait()
    finally:
        beside.terminate()  # after an interrupt; one that has ended does not mind
        beside.wait()
    output_beside = Path(log.name).read_text(errors="replace")
    print(output_beside, flush=True)
    return status_of((others.returncode, beside.returncode)), [output, output_beside]


def main(arguments: list[str]) -> int:
    """Run everything; give 0 if all is well."""
    started = time.monotonic()
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        status, outputs = run(arguments, log)
    status = gates.main() or status
    print(closing_line(outputs, time.monotonic() - started), flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
