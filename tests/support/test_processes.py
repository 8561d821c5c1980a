from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.support.ports import accepts_connections, free_port
from tests.support.processes import ROOT, Program, ProgramFailed, module_command, python_command, running
from tests.support.waiting import wait_until


def python(text: str) -> list[str]:
    return [sys.executable, "-u", "-c", text]


SLEEP = "import time; time.sleep(600)"
LISTEN = f"import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); {SLEEP}"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "output.log"


def is_gone(pid: int) -> bool:
    """Say whether no process of that id runs any more (a zombie that nobody has waited for does not run)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_line_is_waited_for_and_both_streams_are_captured(log: Path) -> None:
    with Program(python(f"import sys; print('port: 17'); print('oops', file=sys.stderr); {SLEEP}"), log) as program:
        assert program.wait_for_line(r"^port: (\d+)$").group(1) == "17"
        program.wait_for_line("oops")
        assert program.running
    assert not program.running
    assert is_gone(program.pid)


def test_half_a_line_is_not_a_line(log: Path) -> None:
    with Program(python(f"print('port: 1', end=''); {SLEEP}"), log) as program:
        wait_until(lambda: program.output() == "port: 1")
        with pytest.raises(ProgramFailed, match="did not print"):
            program.wait_for_line("port", timeout=0.1)


def test_the_last_line_of_a_program_that_has_ended_is_found(log: Path) -> None:
    with Program(python("print('last words')"), log) as program:
        assert program.wait(10) == 0
        assert program.wait_for_line("last")


def test_an_early_end_is_an_error_with_the_output(log: Path) -> None:
    with Program(python("raise SystemExit('no such thing')"), log) as program:
        with pytest.raises(ProgramFailed, match=r"ended before it printed 'ready' \(exit status 1\)") as error:
            program.wait_for_line("ready")
        assert "no such thing" in str(error.value)
        with pytest.raises(ProgramFailed, match="ended before it listened on port 9"):
            program.wait_for_port(9)


def test_a_port_is_waited_for(log: Path) -> None:
    port = free_port()
    with Program([*python(LISTEN), str(port)], log) as program:
        program.wait_for_port(port)
        assert accepts_connections(port)
    assert not accepts_connections(port)


def test_a_late_program_is_an_error(log: Path) -> None:
    with Program(python(f"print('thinking'); {SLEEP}"), log) as program:
        program.wait_for_line("thinking")
        with pytest.raises(ProgramFailed, match=r"(?s)did not listen .* 0\.1 s \(still running\).*thinking"):
            program.wait_for_port(free_port(), timeout=0.1)
        with pytest.raises(ProgramFailed, match=r"did not end within 0\.1 s"):
            program.wait(0.1)


def test_stopping_is_sigterm_and_a_program_may_tidy_up(log: Path) -> None:
    text = f"import signal, sys; signal.signal(15, lambda *a: (print('bye'), sys.exit(3))); print('ready'); {SLEEP}"
    program = Program(python(text), log)
    program.wait_for_line("ready")
    assert program.stop() == 3
    assert "bye" in program.output()
    assert program.stop() == 3, "stopping again changes nothing"


def test_a_program_that_ignores_sigterm_is_killed(log: Path) -> None:
    program = Program(python(f"import signal; signal.signal(15, signal.SIG_IGN); print('ready'); {SLEEP}"), log)
    program.wait_for_line("ready")
    assert program.stop(timeout=0.1) == -signal.SIGKILL


def test_what_a_program_started_ends_with_it(log: Path) -> None:
    text = f"import subprocess, sys; print('child', subprocess.Popen([sys.executable, '-c', '{SLEEP}']).pid); {SLEEP}"
    with Program(python(text), log) as program:
        child = int(program.wait_for_line(r"child (\d+)").group(1))
        assert not is_gone(child)
    wait_until(lambda: is_gone(child), what="the end of the grandchild")


def test_a_killed_program_ends_as_in_a_crash(log: Path) -> None:
    text = f"import signal; signal.signal(15, lambda *a: print('bye')); print('ready'); {SLEEP}"
    program = Program(python(text), log)
    program.wait_for_line("ready")
    assert program.kill() == -signal.SIGKILL
    assert "bye" not in program.output()


def test_environment_and_directory_are_given(log: Path, tmp_path: Path) -> None:
    text = "import os; print(os.environ['COLOUR'], os.getcwd(), 'PATH' in os.environ)"
    with Program(python(text), log, env={"COLOUR": "green"}, cwd=tmp_path) as program:
        assert program.wait(10) == 0
    assert program.output().split() == ["green", os.path.realpath(tmp_path), "True"]


def test_running_waits_for_a_line_or_a_port_and_stops(log: Path, tmp_path: Path) -> None:
    script = tmp_path / "listen.py"
    script.write_text("print('starting', flush=True)\n" + LISTEN)
    port = free_port()
    with running(python_command(script, port), log, ready=port) as program:
        assert accepts_connections(port)
    assert not program.running
    with running(python_command(script, port), log, ready="^starting$") as program:
        assert program.running
    assert not program.running


def test_a_module_is_run_by_its_name(log: Path) -> None:
    with Program(module_command("this"), log) as program:
        assert program.wait(10) == 0
    assert "Namespaces" in program.output()


def test_the_fixture_starts_programs_and_the_tests_end_stops_them(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest("from tests.conftest import start")
    pytester.makepyfile(
        f"""
        import sys
        programs = []
        def test_start(start):
            programs.append(start([sys.executable, "-c", "{SLEEP}"]))
            assert programs[0].running
        def test_stopped():
            assert not programs[0].running
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=2)
