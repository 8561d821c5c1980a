"""The codecs and the machines do no input or output, read no clock and write no log."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "webpy_socketio"
MODULES = sorted(path.relative_to(PACKAGE) for layer in ("wire", "state") for path in (PACKAGE / layer).glob("*.py"))
#: What each layer may import of the package itself.
ALLOWED = {"wire": {"errors", "types", "wire"}, "state": {"errors", "types", "wire", "state"}}
STANDARD = {"__future__", "base64", "binascii", "codecs", "collections", "dataclasses", "decimal", "enum", "hashlib"}
STANDARD |= {"functools", "itertools", "json", "re", "typing", "urllib", "zlib", "orjson"}

#: Imports the two layers without the package's own __init__, and says what came with them.
PROBE = """
import sys, types
package = types.ModuleType("webpy_socketio")
package.__path__ = [sys.argv[1]]
sys.modules["webpy_socketio"] = package
for name in sys.argv[2:]:
    __import__(name)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def imports(path: Path) -> set[str]:
    """Name what a module imports, as ``collections`` or, inside the package, ``.errors``."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module).partition(".")[0])
        elif isinstance(node, ast.ImportFrom):
            layer = path.parts[0] if node.level == 1 else ""
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found.update("." + (layer or str(name).partition(".")[0]) for name in names)
    return found


def test_there_is_something_to_look_at() -> None:
    assert {"frames.py", "values.py", "websocket.py", "peer.py"} <= {path.name for path in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_a_pure_module_imports_only_what_computes(path: Path) -> None:
    allowed = STANDARD | {f".{name}" for name in ALLOWED[path.parts[0]]}
    assert imports(path) <= allowed


def test_the_pure_layers_bring_no_gevent_and_no_network() -> None:
    names = [".".join(("webpy_socketio", *path.with_suffix("").parts)).removesuffix(".__init__") for path in MODULES]
    run = subprocess.run(
        [sys.executable, "-c", PROBE, str(PACKAGE), *names], capture_output=True, text=True, timeout=50, check=True
    )
    loaded = set(run.stdout.split())
    assert "orjson" in loaded
    assert not loaded & {"gevent", "web", "greenlet", "redis", "zmq", "mako", "http", "asyncio"}
