"""``python example/main_app.py`` as a child process, on a free port and with a database of its own."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path

import requests

from tests.support.processes import ROOT, Program, python_command

PASSWORD = "open sesame"
TIMEOUT = 10.0


class ChatServer:
    """The chat's server, which can be stopped and started again at the same address."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.database = folder / "chat.sqlite3"
        self._folder = folder
        self._runs: list[Program] = []

    def __enter__(self) -> ChatServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def program(self) -> Program:
        """The run of the server that was started last."""
        return self._runs[-1]

    def start(self, **environment: str) -> None:
        """Start it, and wait until it accepts connections."""
        self.launch(**environment)
        self.wait()

    def wait(self) -> None:
        """Wait until it accepts connections."""
        self.program.wait_for_port(self.port)

    def launch(self, **environment: str) -> None:
        """Start it."""
        variables = {
            "SOCKETIO_PORT": str(self.port),
            "SOCKETIO_HOST": "127.0.0.1",
            "CHAT_DATABASE": str(self.database),
            "CHAT_SYSMSG_PASSWORD": PASSWORD,
            **environment,
        }
        log = self._folder / f"chat-{len(self._runs)}.log"
        # Where the tests run in the background of a shell, Ctrl-C is ignored, and children inherit that.
        command = ["env", "--default-signal=INT", *python_command(ROOT / "example" / "main_app.py")]
        self._runs.append(Program(command, log, env=variables))

    def interrupt(self) -> None:
        """End it by Ctrl-C, after which it says goodbye to its clients."""
        os.kill(self.program.pid, signal.SIGINT)
        assert self.program.wait(TIMEOUT) == 0

    def stop(self) -> None:
        """End it by SIGTERM, as a supervisor does."""
        if self._runs:
            self.program.stop()

    def kill(self) -> None:
        """End it, as a power cut does."""
        self.program.kill()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it do nothing for the length of a block, though its connections stay."""
        os.kill(self.program.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.program.pid, signal.SIGCONT)

    def output(self) -> str:
        """Return what all its runs have printed."""
        return "".join(run.output() for run in self._runs)

    def execute(self, statement: str) -> None:
        """Change something in the database behind the server's back."""
        connection = sqlite3.connect(self.database, timeout=TIMEOUT)
        try:
            with connection:
                connection.execute(statement)
        finally:
            connection.close()


class Operator:
    """Whoever knows the password of ``/sysmsg``, logged in."""

    def __init__(self, chat: ChatServer) -> None:
        self._chat = chat
        self._session = requests.Session()
        self._session.get(chat.url + "/sysmsg", timeout=TIMEOUT)
        self.post(password=PASSWORD)

    def post(self, **fields: str) -> str:
        """Fill in the form and send it; return the text of the page that comes back."""
        address = self._chat.url + "/sysmsg"
        form = self._session.get(address, timeout=TIMEOUT).text
        token = re.search(r'name="token" value="([^"]*)"', form)
        assert token, form
        answer = self._session.post(address, {"token": unescape(token[1]), **fields}, timeout=TIMEOUT)
        return unescape(re.sub(r"<[^>]*>", "", answer.text))
