"""What has to hold after the tests: full branch coverage of the pure layers, and a reason for every waiver.

``make test`` looks at them when its tests have run (`tests.support.side_by_side`), on the coverage data that these have
just written; ``python -m tests.support.gates`` does so again.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterable

from tests.support.processes import ROOT
from tests.support.sources import Waiver, waivers

FULLY_COVERED = ("webpy_socketio/wire/*", "webpy_socketio/state/*")
KINDS = ("pragma: no cover", "pragma: no branch", "type: ignore")


def count_waivers(found: Iterable[Waiver]) -> tuple[str, list[Waiver]]:
    """Return a line with the number of waivers of each kind, and those that carry no reason."""
    found = list(found)
    numbers = Counter(waiver.kind for waiver in found)
    line = "waived checks: " + ", ".join(f"{kind} {numbers[kind]}" for kind in KINDS)
    return line, [waiver for waiver in found if not waiver.reasoned]


def coverage_report(*options: str) -> bool:
    """Print a report of the coverage data; say whether it reached what the options demand."""
    return subprocess.run([sys.executable, "-m", "coverage", "report", *options], cwd=ROOT).returncode == 0


def main() -> int:
    """Print the figures; return 1 if a gate is shut."""
    coverage_report()
    shut = []
    if not coverage_report(f"--include={','.join(FULLY_COVERED)}", "--fail-under=100"):
        shut.append(f"not all branches of {' and '.join(FULLY_COVERED)} are covered")
    line, unreasoned = count_waivers(waivers())
    print(line, flush=True)
    shut += [f"{waiver.path}:{waiver.line}: '{waiver.kind}' without a reason after it" for waiver in unreasoned]
    for complaint in shut:
        print(f"GATE: {complaint}", file=sys.stderr, flush=True)
    return 1 if shut else 0


if __name__ == "__main__":
    sys.exit(main())
