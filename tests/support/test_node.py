from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import node
from tests.support.node import MissingPrograms, ProgramFailed, run_node, start_node

pytestmark = pytest.mark.npm


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], Path]:
    """A function that writes a script outside tests/js."""

    def write(text: str) -> Path:
        path = tmp_path / "script.js"
        path.write_text(text)
        return path

    return write


def test_the_last_line_is_parsed(script: Callable[[str], Path], tmp_path: Path) -> None:
    path = script("console.log('working'); console.log(JSON.stringify({args: process.argv.slice(2)}))")
    assert run_node(path, "a b", 7, log=tmp_path / "log") == {"args": ["a b", "7"]}


@pytest.mark.parametrize("package", ["socket.io-client", "playwright-core", "ws"])
def test_a_script_anywhere_finds_the_packages(script: Callable[[str], Path], tmp_path: Path, package: str) -> None:
    path = script(f"console.log(JSON.stringify(typeof require('{package}')))")
    assert run_node(path, log=tmp_path / "log") in ("function", "object")


def test_the_fixture_finds_scripts_and_chooses_a_log(
    run_node: Callable[..., Any], script: Callable[[str], Path]
) -> None:
    assert run_node(script("console.log(1)")) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("throw new Error('on purpose')", "(?s)failed.*on purpose"),
        ("console.log('not json')", "(?s)did not end with a line of JSON.*not json"),
        ("", "did not end with a line of JSON"),
        ("setInterval(() => {}, 1000)", "did not end within 0.5 s"),
    ],
)
def test_failures_are_told_with_the_output(
    script: Callable[[str], Path], tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ProgramFailed, match=message):
        run_node(script(text), log=tmp_path / "log", timeout=0.5 if "setInterval" in text else 20)


def test_a_script_that_goes_on_is_stopped(script: Callable[[str], Path], tmp_path: Path) -> None:
    with start_node(script("console.log('up'); setInterval(() => {}, 1000)"), log=tmp_path / "log") as program:
        program.wait_for_line("^up$")
    assert not program.running


def test_without_node_the_debian_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingPrograms, match="Debian package nodejs"):
        node.node()


def test_without_the_npm_packages_the_command_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(node, "MODULES", tmp_path / "node_modules")
    with pytest.raises(MissingPrograms, match="make npm"):
        node.node()
