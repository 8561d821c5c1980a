"""The layers of ``docs/design.rst``, proved from the sources: who may import whom."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.imports import cycle_in, import_graph, top_level_imports
from tests.support.processes import ROOT
from tests.support.sources import PACKAGE

# The first entry that a module's name (without the package's) begins with is its layer.
LAYERS = {
    "errors": 0,
    "config": 0,
    "types": 0,
    "events": 0,
    "handler": 0,
    "channels": 0,
    "limit_rules": 0,
    "limits": 0,
    "native": 0,
    "policies": 0,
    "registry": 0,
    "wire": 1,
    "state": 2,
    "transport": 3,
    "backplane": 3,
    "hub": 4,
    "gateway": 5,
    "server": 5,
    "webpy": 6,
    "scripts": 6,
    "method_access": 6,
    "method_handlers": 6,
    "namespaces": 6,
    "websockets": 6,
    "__init__": 7,
    "__main__": 7,
    "cli": 7,
    "testing": 7,
}
PURE = range(3)
NEVER_LOADED = {"gevent", "greenlet", "web", "redis", "zmq"}
IMPURE = NEVER_LOADED | {
    "asyncio",
    "logging",
    "select",
    "selectors",
    "socket",
    "ssl",
    "subprocess",
    "threading",
    "time",
}
"""What a pure module may not name: input and output, clocks, logging, and whatever brings them."""

GRAPH = import_graph(PACKAGE)


def place(module: str) -> str:
    """Return the entry of the table that a module of the package belongs to."""
    return module.split(".")[1]


def layer(module: str) -> int:
    return LAYERS[place(module)]


def source_of(module: str) -> str:
    return PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py").read_text()


def pure_modules() -> list[str]:
    return sorted(module for module in GRAPH if LAYERS.get(place(module)) in PURE)


def test_every_module_has_a_layer() -> None:
    assert sorted(module for module in GRAPH if place(module) not in LAYERS) == []


def test_every_pure_layer_is_there() -> None:
    assert {layer(module) for module in pure_modules()} == set(PURE)


def test_a_module_imports_only_from_its_own_layer_and_below() -> None:
    upward = [
        f"{module} (layer {layer(module)}) imports {imported} (layer {layer(imported)})"
        for module, imports in GRAPH.items()
        for imported in imports
        if layer(imported) > layer(module)
    ]
    assert upward == []


def test_there_are_no_cycles() -> None:
    assert cycle_in(GRAPH) == []


@pytest.mark.parametrize(("one", "other"), [("transport", "backplane"), ("backplane", "transport")])
def test_the_two_kinds_of_carriers_do_not_know_each_other(one: str, other: str) -> None:
    crossing = [(module, imported) for module in GRAPH if place(module) == one for imported in GRAPH[module]]
    assert [pair for pair in crossing if place(pair[1]) == other] == []


def test_the_pure_layers_name_no_io_and_no_clock() -> None:
    named = {module: top_level_imports(source_of(module)) & IMPURE for module in pure_modules()}
    assert {module: names for module, names in named.items() if names} == {}


def run_isolated(modules: list[str]) -> list[str]:
    """Import modules in a fresh interpreter and return which of ``NEVER_LOADED`` were loaded by that.

    The package's own ``__init__``, which every import of a part of it runs first, belongs to the outermost layer and
    may load everything; an empty one stands in for it.
    """
    script = f"""
import importlib, sys, types
sys.path.append({str(PACKAGE.parent)!r})
package = types.ModuleType({PACKAGE.name!r})
package.__path__ = [{str(PACKAGE)!r}]
sys.modules[{PACKAGE.name!r}] = package
for name in {modules!r}:
    importlib.import_module(name)
print(*sorted({NEVER_LOADED!r} & set(sys.modules)))
"""
    # -I: no startup hooks of the environment, no current directory on the path.
    command = [sys.executable, "-I", "-c", script]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=50).stdout.split()


def test_the_pure_layers_load_neither_gevent_nor_web() -> None:
    names = [module.removesuffix(".__init__") for module in pure_modules()]
    assert run_isolated(names) == []


def test_the_check_would_see_gevent() -> None:
    """Guard the test above: a module of an outer layer, imported in the same way, is noticed."""
    assert "gevent" in run_isolated([f"{PACKAGE.name}.transport.link"])
