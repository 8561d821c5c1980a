"""Serve ``clients_app.py`` for the tests of real clients, and ask it what it saw."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support.ports import free_port
from tests.support.processes import Program, python_command
from tests.support.waiting import wait_until

APP = Path(__file__).parent / "clients_app.py"
HTTP_TIMEOUT = 15.0


class ClientsServer:
    """The application in a process of its own, which can be ended and started again on the same port."""

    def __init__(self, log_directory: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log_directory = log_directory
        self._starts = 0
        self._program = self._started()

    def __enter__(self) -> ClientsServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._program.stop()

    def _started(self) -> Program:
        self._starts += 1
        log = self._log_directory / f"clients-app-{self.port}-{self._starts}.log"
        program = Program(python_command(APP, self.port), log)
        try:
            program.wait_for_port(self.port)
        except BaseException:
            program.stop()
            raise
        return program

    def restart(self, *, crash: bool) -> None:
        """End the process, with SIGKILL if it is to ``crash``, and start a new one on the same port."""
        if crash:
            self._program.kill()
        else:
            self._program.stop()
        self._program = self._started()

    def output(self) -> str:
        """Return what the running process has logged."""
        return self._program.output()

    def seen(self, session_id: str) -> list[list[Any]]:
        """Return what happened to a socket on the server: a list of ``[what, …details]``."""
        found: list[list[Any]] = self._fetch("/seen?" + urllib.parse.urlencode({"id": session_id}))
        return found

    def counted(self) -> dict[str, Any]:
        """Return the server's counts and views of everybody."""
        counts: dict[str, Any] = self._fetch("/seen")
        return counts

    def out_of_band(self, place: str, kind: str, target: str | None = None, value: object = None) -> dict[str, Any]:
        """Have the server send with a module-level helper from a place: a view, a greenlet or a thread."""
        wanted = {"place": place, "kind": kind, "target": target, "value": value}
        answer: dict[str, Any] = self._fetch("/oob", json.dumps(wanted).encode())
        return answer

    def wait_until_finished(self, session_id: str) -> list[list[Any]]:
        """Wait until the end of a socket is complete on the server; return all that happened to it."""
        wait_until(lambda: any(what == "finish" for what, *_ in self.seen(session_id)), HTTP_TIMEOUT)
        return self.seen(session_id)

    def _fetch(self, path: str, body: bytes | None = None) -> Any:
        with urllib.request.urlopen(self.url + path, data=body, timeout=HTTP_TIMEOUT) as response:
            return json.load(response)
