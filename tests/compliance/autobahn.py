"""The Autobahn|Testsuite: an environment of its own, one run per part of its cases, and what the results mean.

It is a program for CPython 2.7, which this project neither brings nor installs: it is found on the path or in pyenv's
directory. Everything else is installed by pip into ``.venvs/autobahn``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.matrix import ENVIRONMENTS, candidates

VERSION = "25.10.1"
LAST_VIRTUALENV = "virtualenv<20.22"
"""The last versions that make environments for Python 2.7."""

ENVIRONMENT = ENVIRONMENTS / "autobahn"
TIME_LIMIT = 900.0
"""Seconds for one part: the suite waits for ever for a server that answers no more."""

PARTS = (
    *("1", "2", "3", "4", "5", "6", "7", "9", "10"),
    *(f"12.{number}" for number in range(1, 6)),
    *(f"13.{number}" for number in range(1, 8)),
)
"""There are no groups 8 and 11. Those with compression, 12 and 13, take most of the time, so they are split."""

EXCUSED: dict[str, str] = {}
"""Cases that may be NON-STRICT, with the reason."""


class NoPython27(Exception):
    """There is no CPython 2.7 to be found."""


def python27() -> str:
    """Find a CPython 2.7; a pyenv shim on the path may refuse to work."""
    for candidate in candidates("2.7"):
        if subprocess.run([candidate, "-c", "import pip, zlib, ssl"], capture_output=True).returncode == 0:
            return candidate
    raise NoPython27(
        "The Autobahn|Testsuite needs CPython 2.7, and there is none with pip, neither as python2.7 on the path nor "
        "under pyenv's versions/: `pyenv install 2.7.18` builds one."
    )


def install() -> Path:
    """Make the environment, unless it is there; give the path of ``wstest`` in it."""
    wstest = ENVIRONMENT / "bin" / "wstest"
    if not wstest.exists():
        interpreter = python27()
        with tempfile.TemporaryDirectory(prefix="virtualenv-") as scratch:
            tool = Path(scratch) / "bin"
            run(sys.executable, "-m", "venv", scratch)
            run(tool / "pip", "install", "-qq", LAST_VIRTUALENV)
            run(tool / "virtualenv", "-q", "-p", interpreter, ENVIRONMENT)
        run(ENVIRONMENT / "bin" / "pip", "install", "-qq", f"autobahntestsuite=={VERSION}")
    return wstest


def run(*command: str | Path) -> None:
    """Run a command; raise with what it printed if it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")


@dataclass(frozen=True)
class Case:
    """The result of one case."""

    name: str
    behaviour: str
    close: str

    @property
    def verdict(self) -> str:
        """Join both results: ``OK``, ``INFORMATIONAL``, ``NON-STRICT``, or what went wrong."""
        if self.close not in ("OK", "INFORMATIONAL"):
            return f"{self.behaviour}, close {self.close}"
        return self.behaviour

    @property
    def is_bad(self) -> bool:
        """Tell whether the case is not as it must be."""
        if self.verdict == "NON-STRICT":
            return self.name not in EXCUSED
        return self.verdict not in ("OK", "INFORMATIONAL")


@dataclass(frozen=True)
class Run:
    """What one part gave."""

    part: str
    cases: tuple[Case, ...]
    seconds: float
    is_over_time: bool = False

    @property
    def bad(self) -> list[Case]:
        """Return the cases that are not as they must be."""
        return [case for case in self.cases if case.is_bad]

    @property
    def is_good(self) -> bool:
        """Tell whether the part ran to its end, and was as it must be."""
        return bool(self.cases) and not self.bad and not self.is_over_time

    def row(self) -> str:
        """Return the part as a line of the table."""
        count = Counter(case.verdict for case in self.cases)
        known = [count.pop(verdict, 0) for verdict in VERDICTS]
        cells = "".join(f"{cell:>15}" for cell in (len(self.cases), *known, sum(count.values())))
        return f"{self.part:<6}{cells}{self.seconds:>9.1f}{'  TIME LIMIT' if self.is_over_time else ''}"


VERDICTS = ("OK", "INFORMATIONAL", "NON-STRICT")
HEADER = f"{'part':<6}" + "".join(f"{title:>15}" for title in ("cases", *VERDICTS, "FAILED")) + f"{'seconds':>9}"


def specification(part: str, port: int, report: Path) -> dict[str, Any]:
    """Build what ``wstest -m fuzzingclient`` reads: which cases, against which server."""
    return {
        "outdir": str(report),
        "servers": [{"url": f"ws://127.0.0.1:{port}"}],
        "cases": [f"{part}.*"],
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }


def read_report(report: Path) -> tuple[Case, ...]:
    """Read the results of a run; none if it did not get to its end."""
    index = report / "index.json"
    if not index.exists():
        return ()
    (results,) = json.loads(index.read_text()).values()
    return tuple(Case(name, result["behavior"], result["behaviorClose"]) for name, result in sorted(results.items()))
