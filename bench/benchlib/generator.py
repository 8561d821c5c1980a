"""Compile and run the load generators (``load/*.c``) and the plain C server (``floor.c``)."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
SHARED = ("net.c", "message.c", "stats.c")
PROGRAMS: dict[str, tuple[list[str], list[str]]] = {
    "sioload": (["sioload.c", "client.c", "control.c", *SHARED], []),
    "pollload": (["pollload.c", *SHARED], []),
    "floor": (["../floor.c"], ["-lcrypto"]),
}


class LoadFailed(Exception):
    """A load ended with a loss, a damage, or not at all; the text says what was seen."""


def compile_all() -> None:
    """Compile what is older than its sources."""
    headers = list((BENCH / "load").glob("*.h"))
    for name, (files, libraries) in PROGRAMS.items():
        sources = [BENCH / "load" / file for file in files]
        newest = max(path.stat().st_mtime for path in (*sources, *headers))
        program = BENCH / name
        if not program.exists() or program.stat().st_mtime < newest:
            command = ["gcc", "-O2", "-Wall", "-Wextra", "-o", str(program), *map(str, sources), *libraries]
            done = subprocess.run(command, check=name != "floor")
            if done.returncode:
                print("there is no plain C server: it needs OpenSSL's headers (Debian: libssl-dev)", file=sys.stderr)


def parse(line: str) -> dict[str, float]:
    """Give the numbers of a line of ``key=value``; what is no number is left out.

    >>> parse("mode=echo msgs_per_s=12 loadgen_cpu=5%")
    {'msgs_per_s': 12.0, 'loadgen_cpu': 5.0}
    """
    return {key: float(value) for key, value in re.findall(r"(\w+)=(-?[\d.]+)(?=%?(?:\s|$))", line)}


@dataclass(frozen=True)
class Load:
    """One load: a program's mode and arguments, and what is read from its output.

    ``seconds`` is a factor of the seconds that the command line asks for.
    """

    field: str
    program: str
    mode: str
    clients: int
    window: int = 1
    seconds: float = 1
    size: int = 20
    extra: tuple[str, ...] = ()


def generate(load: Load, port: int, seconds: float) -> dict[str, float]:
    """Run a load to its end; give what it printed.

    Raises:
        LoadFailed: it found a loss or took too long.
    """
    numbers = (load.clients, load.window)
    rest = (load.seconds * seconds, load.size, *load.extra)
    command = [str(BENCH / load.program), load.mode, "127.0.0.1", *map(str, (port, *numbers, *rest))]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=90 + 2 * seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise LoadFailed("it did not end in time") from error
    found = parse(result.stdout.strip().replace("\n", " "))
    if result.returncode or load.field not in found:
        raise LoadFailed(" ".join((result.stderr + result.stdout).split())[:200] or f"status {result.returncode}")
    return found


class Control:
    """A generator that holds connections and does what it is told: see ``load/control.c``."""

    def __init__(self, port: int, clients: int, *, window: int = 1, size: int = 20, headers: str = "lean") -> None:
        command = [BENCH / "sioload", "control", "127.0.0.1", port, clients, window, 0, size]
        self._process = subprocess.Popen(
            [str(part) for part in command],
            env={"SIOLOAD_HEADERS": headers},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.clients = clients
        self._buffer = b""

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def tell(self, command: str) -> None:
        """Send a command; ``answer`` follows."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(command.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._fail()

    def answer(self, timeout: float) -> dict[str, float]:
        """Wait for a line; after the start the first one says that all are connected."""
        assert self._process.stdout is not None
        until = time.monotonic() + timeout
        while b"\n" not in self._buffer:
            if not select.select([self._process.stdout], [], [], max(0, until - time.monotonic()))[0]:
                raise LoadFailed(f"no answer within {timeout:.0f} s")
            data = os.read(self._process.stdout.fileno(), 65536)
            if not data:
                self._fail()
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return parse(line.decode())

    def ask(self, command: str, timeout: float = 150) -> dict[str, float]:
        """Send a command and wait for its answer."""
        self.tell(command)
        return self.answer(timeout)

    def _fail(self) -> None:
        assert self._process.stderr is not None
        raise LoadFailed(" ".join(self._process.stderr.read().decode().split())[:200] or "the generator ended")

    def stop(self) -> None:
        """End the generator."""
        self._process.kill()
        self._process.communicate()
