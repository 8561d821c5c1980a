"""The rules of the house that no other tool checks: sizes, documentation, and what no file may hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import ROOT
from tests.support.sources import PACKAGE, modules, repository_files, waivers

MODULE_LINES = 350
FUNCTION_LINES = 60
"""Without the docstring: what fits a screen."""

Function = ast.FunctionDef | ast.AsyncFunctionDef

# Written in two pieces, so that this file does not hold what it looks for.
REGISTRIES = [
    left + right
    for left, right in (
        ("registry.npm", "js.org"),
        ("registry.npm", "js.com"),
        ("registry.yarn", "pkg.com"),
        ("pypi", ".org"),
        ("python", "hosted.org"),
        ("deb.", "debian.org"),
        ("security.", "debian.org"),
        ("crates", ".io"),
        ("npm", "mirror"),
        ("unpkg", ".com"),
        ("jsdelivr", ".net"),
        ("cdnjs.", "cloudflare"),
    )
]
DOWNLOAD_ADDRESS = '"resol' + 'ved"'
MACHINE_PATH = re.compile(r"(?:(?<![\w.~$}/-])|(?<=://))/(?:work|root|tmp|Users|home/\w+)/[\w.]")


def line_count(path: Path) -> int:
    return len(path.read_text().splitlines())


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def length(function: Function) -> int:
    """Count the lines of a function from its ``def`` to its end, its docstring not included."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        assert first.end_lineno is not None
        lines -= first.end_lineno - first.lineno + 1
    return lines


def is_overload(node: ast.AST) -> bool:
    decorators = getattr(node, "decorator_list", [])
    return any(ast.unparse(decorator).split(".")[-1] in ("overload", "setter") for decorator in decorators)


def undocumented(node: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[str]:
    """Name the public classes, functions and methods without a docstring, those of private classes excepted."""
    for child in node.body:
        if not isinstance(child, ast.ClassDef | Function) or child.name.startswith("_"):
            continue
        name = f"{prefix}{child.name}"
        if ast.get_docstring(child) is None and not is_overload(child):
            yield name
        if isinstance(child, ast.ClassDef):
            yield from undocumented(child, f"{name}.")


def text_of(path: Path) -> str | None:
    """Return a file's text, or None for a picture or anything else that is not text."""
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return None


@pytest.mark.parametrize("folder", ["webpy_socketio", "example"])
def test_modules_are_short(folder: str) -> None:
    long = {str(path.relative_to(ROOT)): line_count(path) for path in modules(ROOT / folder)}
    assert long, "there are modules"
    assert {name: lines for name, lines in long.items() if lines > MODULE_LINES} == {}


@pytest.mark.parametrize("folder", ["webpy_socketio", "example", "tests", "bench"])
def test_functions_fit_a_screen(folder: str) -> None:
    long = {
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}": length(function)
        for path in modules(ROOT / folder)
        if "node_modules" not in path.parts
        for function in functions(ast.parse(path.read_text()))
    }
    assert {name: lines for name, lines in long.items() if lines > FUNCTION_LINES} == {}


def test_all_that_is_public_is_documented() -> None:
    missing: list[str] = []
    for path in modules(PACKAGE):
        tree = ast.parse(path.read_text())
        name = str(path.relative_to(ROOT))
        if ast.get_docstring(tree) is None:
            missing.append(name)
        missing += (f"{name}: {one}" for one in undocumented(tree))
    assert missing == []


def test_no_file_holds_a_registrys_host_or_a_download_address() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in repository_files()
        for word in [*REGISTRIES, DOWNLOAD_ADDRESS]
        if word in (text_of(path) or "")
    ]
    assert found == []


def test_no_file_holds_a_path_of_the_machine_on_which_it_was_written() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in repository_files()
        for match in MACHINE_PATH.finditer(text_of(path) or "")
    ]
    assert found == []


# A caret stands for the slash, so that this file holds no such path itself.
@pytest.mark.parametrize("text", ["cd ^work^x", "('^root^.x')", '"^home^ann^x"', "ipc://^tmp^x"])
def test_a_path_of_a_machine_is_recognised(text: str) -> None:
    assert MACHINE_PATH.search(text.replace("^", "/"))


@pytest.mark.parametrize("text", ["^var^tmp^x", "~^work^x", "example^tmp^x", "^working^x", "$HOME^root^x", "^tmp"])
def test_other_paths_are_none_of_a_machine(text: str) -> None:
    assert not MACHINE_PATH.search(text.replace("^", "/"))


def test_third_party_files_are_not_committed() -> None:
    names = [str(path.relative_to(ROOT)) for path in repository_files()]
    foreign = [name for name in names if "node_modules/" in name or "/vendor/" in name or name.endswith(".min.js")]
    assert foreign == []


def test_every_waived_check_says_why() -> None:
    assert [str(waiver) for waiver in waivers() if not waiver.reasoned] == []


def test_functions_are_measured_without_their_docstrings() -> None:
    source = 'def f():\n    """One.\n\n    Two.\n    """\n    return 1\n'
    assert [length(function) for function in functions(ast.parse(source))] == [2]


def test_what_lacks_a_docstring_is_named() -> None:
    source = '''
class A:
    """Documented."""
    def bare(self): ...
    def _private(self): ...
    @overload
    def typed(self): ...
class _B:
    def bare(self): ...
def f():
    def inner(): ...
'''
    assert list(undocumented(ast.parse(source))) == ["A.bare", "f"]
