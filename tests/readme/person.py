"""Somebody who chats from Python: a client that knows the wire only, and nothing of this package's script."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import socketio

from tests.support.waiting import wait_until

TIMEOUT = 10.0


class Person:
    """A connected client of python-socketio that keeps what it hears, until the end of a ``with`` block."""

    def __init__(self, url: str) -> None:
        self.heard: list[Any] = []
        self._client = socketio.Client(handle_sigint=False, reconnection=False)
        self._client.on("message", self.heard.append)
        self._client.connect(url, wait_timeout=TIMEOUT)

    def __enter__(self) -> Person:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.disconnect()

    @property
    def id(self) -> str:
        """The public session id."""
        return str(self._client.get_sid())

    def ask(self, event: str, *arguments: Any) -> Any:
        """Send an event and return the value of its ack."""
        return self._client.call(event, arguments, timeout=TIMEOUT)

    def subscribe(self, channel: str) -> Any:
        return self.ask("__subscribe__", channel)

    def send(self, message: Any) -> Any:
        """Send a message to all handlers, and wait for the ack."""
        return self.ask("message", message)

    def send_to(self, channel: str, message: Any) -> Any:
        """Address a message to a channel, and wait for the ack."""
        return self.ask("__message__", channel, message)

    def wait_for(self, *messages: Any) -> None:
        """Wait until exactly these messages have been heard since the start."""
        wait_until(lambda: len(self.heard) >= len(messages), TIMEOUT, f"hearing {messages}")
        assert self.heard == [*messages]
