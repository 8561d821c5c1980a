"""Read from the sources which module imports which."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

Graph = Mapping[str, set[str]]


def module_name(path: Path, package: Path) -> str:
    """Return the dotted name of a module; that of a package is the name of its ``__init__`` (``a.b.__init__``)."""
    return ".".join(path.relative_to(package.parent).with_suffix("").parts)


def imports_of(source: str, name: str, known: Iterable[str]) -> set[str]:
    """Return which known modules a module imports.

    Imports inside functions and under ``if TYPE_CHECKING`` count like any other: knowing a name is knowing it.

    Args:
        source: the module's text.
        name: its dotted name, as :func:`module_name` gives it.
        known: the names of the modules of interest.
    """
    known = set(known)
    nodes = ast.walk(ast.parse(source))
    found = {resolve(target, known) for node in nodes for target in _targets(node, name)}
    return {module for module in found if module is not None} - {name}


def top_level_imports(source: str) -> set[str]:
    """Return the first part of every name that is imported absolutely: ``{"os", "gevent"}``."""
    nodes = (node for node in ast.walk(ast.parse(source)) if not getattr(node, "level", 0))
    return {target.partition(".")[0] for node in nodes for target in _targets(node, "")}


def _targets(node: ast.AST, name: str) -> Iterator[str]:
    """Name what a statement of the module ``name`` imports; nothing if it is no import."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = _base(node, name)
        yield from (f"{base}.{alias.name}" for alias in node.names)


def _base(node: ast.ImportFrom, name: str) -> str:
    """Return what a ``from … import`` starts from; relative ones count up from the module's own package."""
    if not node.level:
        return node.module or ""
    parents = name.split(".")[: -node.level]
    return ".".join([*parents, *([node.module] if node.module else [])])


def resolve(target: str, known: set[str]) -> str | None:
    """Return the known module that an import of ``target`` reaches: a module, a package, or what holds the name."""
    for candidate in (target, target.rpartition(".")[0]):
        if candidate in known:
            return candidate
        if f"{candidate}.__init__" in known:
            return f"{candidate}.__init__"
    return None


def import_graph(package: Path) -> dict[str, set[str]]:
    """Return for each module of a package which others of it are imported there."""
    paths = {module_name(path, package): path for path in sorted(package.rglob("*.py"))}
    return {name: imports_of(path.read_text(), name, paths) for name, path in paths.items()}


def cycle_in(graph: Graph) -> list[str]:
    """Return the modules of one cycle in order, its first one repeated at the end; an empty list if there is none."""
    done: set[str] = set()

    def visit(module: str, trail: list[str]) -> list[str]:
        if module in trail:
            return [*trail[trail.index(module) :], module]
        if module in done:
            return []
        for imported in sorted(graph.get(module, ())):
            if found := visit(imported, [*trail, module]):
                return found
        done.add(module)
        return []

    for module in graph:
        if found := visit(module, []):
            return found
    return []
