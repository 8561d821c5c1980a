"""Check what is inside a wheel, and that it works where it is installed alone.

Run by ``make wheel`` as ``python -m tests.support.check_wheel dist/*.whl``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

from tests.support.processes import ROOT

VENDOR = ("socket.io.min.js", "socket.io.min.js.map", "socket.io-client.LICENSE.txt")
FOREIGN = ("tests/", "example/", "templates/", "bench/", "docs/", "node_modules/")

USE = """
from pathlib import Path
import webpy_socketio
from webpy_socketio.scripts import socketio_scripts, template_dir
here = Path(webpy_socketio.__file__).parent
assert "site-packages" in here.parts, here
assert (Path(template_dir()) / "socketio_scripts.html").is_file(), template_dir()
assert "socket.io.min.js" in str(socketio_scripts())
names = {}
exec("from webpy_socketio import *", names)
assert callable(names["SocketIOServer"])
"""


def expected() -> set[str]:
    """Return the names that the wheel has to hold: every module, static file and template, and the official client."""
    package = ROOT / "webpy_socketio"
    names = {f"webpy_socketio/static/vendor/{name}" for name in VENDOR} | {"webpy_socketio/py.typed"}
    files = [*package.rglob("*.py"), *(path for path in (package / "static").iterdir() if path.is_file())]
    names |= {path.relative_to(ROOT).as_posix() for path in files}
    templates = (path for path in (ROOT / "templates").rglob("*") if path.is_file())
    return names | {f"webpy_socketio/{path.relative_to(ROOT).as_posix()}" for path in templates}


def complaints(names: set[str]) -> list[str]:
    """Say what is missing among a wheel's names, and what does not belong there."""
    missing = [f"missing: {name}" for name in sorted(expected() - names)]
    foreign = [f"does not belong there: {name}" for name in sorted(names) if name.startswith(FOREIGN)]
    return missing + foreign


def use(wheel: Path) -> None:
    """Install the wheel into an environment of its own and use what it brought, away from the checkout."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "-qq", str(wheel.resolve())], check=True, cwd=folder)
        subprocess.run([python, "-c", USE], check=True, cwd=folder)


def main(wheel: str) -> int:
    """Check one wheel; return 1 if something is wrong with it."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    for complaint in (found := complaints(names)):
        print(f"{wheel}: {complaint}", file=sys.stderr)
    if found:
        return 1
    use(Path(wheel))
    print(f"{wheel}: {len(names)} files, and it works where it is installed alone")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
