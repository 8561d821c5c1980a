"""What a server asks of its process before it serves."""

from __future__ import annotations

import sys

import pytest

from tests.apps.running import run_to_end
from webpy_socketio.gateway import startup


def said_with(*left_out: str) -> str:
    run = run_to_end("patches.py", *left_out)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_a_patched_process_may_serve() -> None:
    assert said_with() == "ready\n"
    startup.prepare()  # this process too, and any number of times
    startup.prepare()


def test_an_unpatched_process_is_told_what_to_write_where() -> None:
    said = said_with("none")
    assert "socket, select, ssl, threading, time" in said
    assert "none is in force" in said
    assert "first line of the main file" in said
    assert "\n    from gevent import monkey; monkey.patch_all()\n" in said
    assert "python -m gevent.monkey" in said


@pytest.mark.parametrize("argument", ["socket", "select", "ssl", "thread", "time"])
def test_a_missing_part_is_named(argument: str) -> None:
    module = {"thread": "threading"}.get(argument, argument)
    said = said_with(argument)
    assert f"these are missing: {module}." in said
    assert f"left at True: {argument}." in said


def test_several_missing_parts_are_named_together() -> None:
    said = said_with("time", "thread")
    assert "these are missing: threading, time." in said
    assert "left at True: thread, time." in said


def test_parts_that_a_server_does_not_need_may_be_left_out() -> None:
    assert said_with("subprocess", "signal", "os", "queue") == "ready\n"


def test_the_second_import_of_the_main_file_is_recognised() -> None:
    run = run_to_end("main_again.py")
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "__main__ False False",
        "main_again True True",
        "main_again True True",
        "__main__ False False",
        "request False",
    ]


def test_a_process_without_a_main_file_has_no_second_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    assert not startup.is_main_imported_again()
