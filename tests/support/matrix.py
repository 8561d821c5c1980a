"""Run the tests on every Python that is found here, with the newest and with the oldest dependencies.

``make matrix`` calls this with the plain ``python3`` and hands its arguments on to pytest; ``make matrix ROWS=py3.13``
runs only the rows whose names begin with that (several are separated by blanks). Each row gets a virtual
environment of its own under ``.venvs/``. Tests that drive a browser are left out: what a browser sees does not depend
on the version of Python.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ROOT / ".venvs"

VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
SELECTION = ("-m", "not browser")
CLOSING_LINE = re.compile(r"^=*\s*(.*\d+ (?:passed|failed|error).* in .*?)\s*=*$")


@dataclass(frozen=True)
class Row:
    """One line of the matrix: an interpreter, and whether the oldest dependencies are installed."""

    version: str
    interpreter: str
    oldest: bool

    @property
    def name(self) -> str:
        return f"py{self.version}-{'oldest' if self.oldest else 'newest'}"

    @property
    def python(self) -> str:
        return str(ENVIRONMENTS / self.name / "bin" / "python")


def dependencies() -> list[str]:
    """Return the package's requirements as pyproject.toml states them.

    Read with a regular expression, for this runs before anything is installed, on Pythons without ``tomllib`` too.
    """
    text = (ROOT / "pyproject.toml").read_text()
    block = re.search(r"^dependencies = \[\n(.*?)^\]", text, re.DOTALL | re.MULTILINE)
    if block is None:
        raise ValueError("pyproject.toml: no list of dependencies")
    return re.findall(r'^\s*"([^"]+)",', block[1], re.MULTILINE)


def oldest(requirements: list[str]) -> list[str]:
    """Turn lower bounds into pins: ``gevent>=23.9.1`` into ``gevent==23.9.1``; markers stay.

    Raises:
        ValueError: a requirement states no lower bound, so nothing about its age is tested.
    """
    for requirement in requirements:
        if not re.match(r"[\w.-]+>=[\d.]+(?:;.*)?$", requirement):
            raise ValueError(f"expected name>=version, got {requirement!r}")
    return [requirement.replace(">=", "==", 1) for requirement in requirements]


def candidates(version: str) -> Iterator[str]:
    """Name the places where an interpreter of a version may be: the path, then pyenv's directory."""
    if found := shutil.which(f"python{version}"):
        yield found
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for folder in sorted(pyenv.glob(f"versions/{version}.*"), reverse=True):
        yield str(folder / "bin" / f"python{version}")


def interpreter(version: str) -> str | None:
    """Return a working interpreter of the version; pyenv's shims on the path may refuse to work."""
    check = f"import sys, ensurepip, venv; assert sys.version_info[:2] == tuple(map(int, '{version}'.split('.')))"
    for candidate in candidates(version):
        if subprocess.run([candidate, "-c", check], capture_output=True).returncode == 0:
            return candidate
    return None


def rows(wanted: list[str]) -> list[Row]:
    """Return the lines of the matrix that can be run here and whose names begin with what is wanted; [] wants all."""
    found = ((version, interpreter(version)) for version in VERSIONS)
    possible = [Row(version, path, old) for version, path in found if path for old in (False, True)]
    return [row for row in possible if not wanted or row.name.startswith(tuple(wanted))]


def prepare(row: Row) -> None:
    """Make the row's environment, or bring it up to date."""
    if not Path(row.python).exists():
        subprocess.run([row.interpreter, "-m", "venv", str(ENVIRONMENTS / row.name)], check=True)
    pins = oldest(dependencies()) if row.oldest else []
    command = [row.python, "-m", "pip", "install", "-qq", "--upgrade", "--editable", ".[test]", *pins]
    subprocess.run(command, cwd=ROOT, check=True)


def installed(row: Row) -> str:
    """Name the versions that the row really has."""
    code = "from importlib.metadata import version as v; print(*(f'{n} {v(n)}' for n in %r), sep=', ')"
    names = sorted({re.split(r"[>=;]", requirement)[0] for requirement in dependencies()})
    command = [row.python, "-c", code % (names,)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def run(row: Row, arguments: list[str]) -> tuple[bool, str]:
    """Run the tests in a row's environment; return whether they passed, and pytest's closing line."""
    command = [row.python, "-u", "-m", "pytest", "-q", "-p", "no:cacheprovider", *SELECTION, *arguments]
    closing = "(no closing line)"
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            if match := CLOSING_LINE.match(line.rstrip()):
                closing = match[1]
    return process.returncode == 0, closing


def main(arguments: list[str]) -> int:
    """Run all rows one after the other and print what became of each."""
    results: list[tuple[bool, str]] = []
    for row in rows(os.environ.get("ROWS", "").split()):
        print(f"--- {row.name}: {row.interpreter}", flush=True)
        prepare(row)
        passed, closing = run(row, arguments)
        results.append((passed, f"{row.name:<16} {'ok' if passed else 'FAILED':<7} {closing}   [{installed(row)}]"))
    missing = [version for version in VERSIONS if interpreter(version) is None]
    print("\n--- matrix", *(line for _, line in results), sep="\n")
    if missing:
        print(f"not found here, so not run: Python {', '.join(missing)}")
    return 0 if results and all(passed for passed, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
