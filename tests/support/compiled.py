"""Compile the hot modules (see setup.py) in a copy of the tree, and run the tests there.

``make compiled`` calls this with the environment's own Python and hands its arguments on to pytest; without any, the
tests that ``make matrix`` runs are run. The copy stays in ``.compiled/``, for the benchmark.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.matrix import ROOT, SELECTION

COPY = ROOT / ".compiled"
#: What the tests need and git does not know.
LINKED = ("node_modules", "tests/js/node_modules", "webpy_socketio/static/vendor")


def copy_tree() -> None:
    """Copy all files that git knows, or would take, to ``.compiled/``."""
    shutil.rmtree(COPY, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).exists():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, COPY / name)
    for name in LINKED:
        (COPY / name).symlink_to(ROOT / name)


def compile_modules() -> list[Path]:
    """Compile in place; give the libraries that came out.

    Raises:
        SystemExit: nothing was compiled; what the compilers said was printed.
    """
    subprocess.run(
        [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"],
        cwd=COPY,
        env={**os.environ, "WEBPY_SOCKETIO_COMPILE": "1"},
        check=True,
    )
    libraries = sorted(COPY.glob("webpy_socketio/**/*.so"))
    if not libraries:
        raise SystemExit("nothing was compiled")
    return libraries


def main(arguments: list[str]) -> int:
    """Copy, compile, test."""
    copy_tree()
    libraries = compile_modules()
    print(f"compiled: {', '.join(path.name.partition('.')[0] for path in libraries)}", flush=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SELECTION, *arguments]
    return subprocess.run(command, cwd=COPY, env={**os.environ, "PYTHONPATH": str(COPY)}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
