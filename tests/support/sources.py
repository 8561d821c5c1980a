"""The files of the repository, and the comments that waive a check in them."""

from __future__ import annotations

import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import ROOT

PACKAGE = ROOT / "webpy_socketio"

MADE = {".venv", ".venvs", "node_modules", "vendor", "__pycache__", ".hypothesis", ".mypy_cache", ".ruff_cache"}
MADE |= {".pytest_cache", "webpy_socketio.egg-info", ".coverage"}
"""Names of what the tools leave in a working directory."""

WAIVER = re.compile(r"#\s*(?P<kind>pragma: no (?:cover|branch)|type: ignore)(?:\[[\w, -]+\])?(?P<rest>.*)")
REASON = re.compile(r"[^\W\d_]{4,}|[^\W\d_]+ [^\W\d_]+")
"""A word; a letter or a ticket's number is no reason."""


@dataclass(frozen=True)
class Waiver:
    """A comment that takes a line out of a check."""

    path: Path
    line: int
    kind: str
    reason: str

    @property
    def reasoned(self) -> bool:
        return REASON.search(self.reason) is not None

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.kind}: {self.reason or '(no reason)'}"


def repository_files() -> list[Path]:
    """Return all files that belong to the repository: tracked ones, and new ones that are not ignored.

    In an unpacked source distribution, which git does not know, all files but those that the tools make.
    """
    if (ROOT / ".git").exists():
        return sorted(path for path in files_known_to_git() if path.is_file())
    return sorted(path for path in ROOT.rglob("*") if path.is_file() and not MADE & set(path.parts))


def files_known_to_git() -> Iterator[Path]:
    # Without safe.directory git refuses to look into a clone that belongs to another user, as in many CI systems.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return (ROOT / name for name in listed.split("\0") if name)


def modules(folder: Path = PACKAGE) -> list[Path]:
    """Return the Python files under a folder, in order."""
    return sorted(folder.rglob("*.py"))


def waivers_in(text: str, path: Path) -> Iterator[Waiver]:
    """Find the comments in a source text that waive a check."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        # One comment may hold several, so that the second would pass for the reason of the first.
        for match in WAIVER.finditer(re.sub(r"(?<!^)(?=#\s*(?:pragma|type):)", "\n", token.string)):
            yield Waiver(path, token.start[0], match["kind"], match["rest"].strip(" -#:"))


def waivers() -> list[Waiver]:
    """Return all comments of the repository's Python files that waive a check."""
    found: list[Waiver] = []
    for path in repository_files():
        if path.suffix == ".py":
            found += waivers_in(path.read_text(), path.relative_to(ROOT))
    return found
