"""Programs as child processes: each in a session of its own, watched by its output, ended by its process id."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from tests.support.ports import accepts_connections
from tests.support.waiting import Value, wait_until

ROOT = Path(__file__).resolve().parents[2]

START_TIMEOUT = 30.0
"""Seconds for a program to say that it is ready; a loaded machine with two cores needs some of them."""

STOP_TIMEOUT = 5.0
"""Seconds between SIGTERM and SIGKILL."""

SHOWN_OUTPUT = 8_000
"""Characters of a failed program's output that an error repeats, from its end."""


class ProgramFailed(AssertionError):
    """A program ended early, was late, or failed; the text holds the end of its output."""


class Program:
    """A running child process. Use it as a context manager, or call :meth:`stop`.

    Args:
        command: the program and its arguments.
        log: the file that gets what the program prints, on both streams.
        env: variables to add to this process's own.
        cwd: where it runs; the root of the repository by default.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
    ) -> None:
        self.command = [str(word) for word in command]
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A session of its own: what it starts in turn (a browser's children) ends with it.
                start_new_session=True,
            )

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def output(self) -> str:
        """Return what the program has printed so far."""
        return self.log.read_text(errors="replace")

    def wait_for_line(self, pattern: str, timeout: float = START_TIMEOUT) -> re.Match[str]:
        """Wait until the program has printed a whole line in which ``pattern`` is found; return the first match."""

        def look() -> re.Match[str] | None:
            alive = self.running  # asked before the output is read: what a program prints last must be seen
            whole_lines = self.output().rpartition("\n")[0].splitlines()
            found = next(filter(None, (re.search(pattern, line) for line in whole_lines)), None)
            if found is None and not alive:
                raise self.failure(f"ended before it printed {pattern!r}")
            return found

        return self._wait(look, timeout, f"did not print {pattern!r}")

    def wait_for_port(self, port: int, timeout: float = START_TIMEOUT) -> None:
        """Wait until the port accepts connections."""

        def look() -> bool:
            if not self.running:
                raise self.failure(f"ended before it listened on port {port}")
            return accepts_connections(port)

        self._wait(look, timeout, f"did not listen on port {port}")

    def wait(self, timeout: float) -> int:
        """Wait until the program ends by itself; return its exit status (negative: the signal's number)."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise self.failure(f"did not end within {timeout:g} s") from None

    def stop(self, timeout: float = STOP_TIMEOUT) -> int:
        """End the program: SIGTERM, and SIGKILL to its whole session after ``timeout`` seconds; return its status."""
        if self.running:
            self._signal_session(signal.SIGTERM)
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._signal_session(signal.SIGKILL)
            status = self.process.wait()
        self._signal_session(signal.SIGKILL)
        return status

    def kill(self) -> int:
        """End the program and what it started without warning, as a crash would."""
        self._signal_session(signal.SIGKILL)
        return self.process.wait()

    def _signal_session(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass  # nobody of the session is left

    def failure(self, what: str) -> ProgramFailed:
        """Make an error that says what went wrong and shows the end of the program's output."""
        status = self.process.poll()
        state = "still running" if status is None else f"exit status {status}"
        shown = self.output()[-SHOWN_OUTPUT:].strip() or "(nothing)"
        return ProgramFailed(f"{' '.join(self.command)}: {what} ({state}); its output:\n{shown}")

    def _wait(self, look: Callable[[], Value | None], timeout: float, what: str) -> Value:
        try:
            return wait_until(look, timeout)
        except ProgramFailed:
            raise
        except AssertionError:
            raise self.failure(f"{what} within {timeout:g} s") from None


def python_command(script: str | Path, *arguments: object) -> list[str]:
    """Return the command that runs a Python script with this interpreter, unbuffered."""
    return [sys.executable, "-u", str(script), *map(str, arguments)]


def module_command(module: str, *arguments: object) -> list[str]:
    """Return the command that runs ``python -m module`` with this interpreter, unbuffered."""
    return [sys.executable, "-u", "-m", module, *map(str, arguments)]


@contextmanager
def running(
    command: Sequence[str | Path],
    log: Path,
    *,
    ready: str | int,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
) -> Iterator[Program]:
    """Run a program for the length of a block.

    Args:
        command: the program and its arguments.
        log: the file for its output.
        ready: how it says that it is ready: a pattern of a line that it prints, or a port on which it listens.
        env: variables to add to this process's own.
        cwd: where it runs.
    """
    with Program(command, log, env=env, cwd=cwd) as program:
        if isinstance(ready, int):
            program.wait_for_port(ready)
        else:
            program.wait_for_line(ready)
        yield program
