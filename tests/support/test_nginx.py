"""The nginx of the tests: found, or named; its site changed in just the places that were asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import nginx
from tests.support.node import MissingPrograms
from tests.support.ports import accepts_connections, free_port
from tests.support.processes import ProgramFailed


def test_a_missing_nginx_is_an_error_that_names_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(nginx, "SYSTEM_PROGRAMS", str(tmp_path))
    with pytest.raises(MissingPrograms, match="install the Debian package nginx"):
        nginx.find_nginx()


def test_nginx_is_found_where_only_root_looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "sbin" / "nginx"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(nginx, "SYSTEM_PROGRAMS", str(program.parent))
    assert nginx.find_nginx() == str(program)


@pytest.mark.parametrize("text", ["", "listen 80; listen 80;"])
def test_what_is_replaced_must_be_there_once(text: str) -> None:
    with pytest.raises(AssertionError, match=r"\d times 'listen 80;'"):
        nginx.replaced(text, "listen 80;", "listen 81;")


def test_a_change_that_nginx_refuses_is_shown_with_its_reason(tmp_path: Path) -> None:
    running = nginx.running_nginx(tmp_path, free_port(), ("gzip off;", "gzzip off;"))
    with pytest.raises(ProgramFailed, match='unknown directive "gzzip"'), running:
        pass


def test_nginx_ends_with_the_block(tmp_path: Path) -> None:
    with nginx.running_nginx(tmp_path, free_port()) as running:
        assert accepts_connections(running.port)
    assert not running.program.running
    assert not accepts_connections(running.port)
