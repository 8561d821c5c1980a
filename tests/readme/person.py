"""Somebody who chats from Python: a client that knows the wire only, and nothing of this package's script."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

import socketio

from tests.support.waiting import wait_until

TIMEOUT = 10.0


class Person:
    """A connected client of python-socketio that keeps what it hears, until the end of a ``with`` block.

    Of other events than ``message`` that is a list with the name and the arguments.
    """

    def __init__(self, url: str, namespace: str = "/", auth: dict[str, Any] | None = None) -> None:
        self.heard: list[Any] = []
        self._namespace = namespace
        self._client = socketio.Client(handle_sigint=False, reconnection=False)
        self._client.on("message", self.heard.append, namespace=namespace)
        self._client.on("*", lambda *heard: self.heard.append([*heard]), namespace=namespace)
        self._client.connect(url, namespaces=[namespace], auth=auth, wait_timeout=TIMEOUT)

    def __enter__(self) -> Person:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.disconnect()

    @property
    def id(self) -> str:
        """The public session id."""
        return str(self._client.get_sid(self._namespace))

    def ask(self, event: str, *arguments: Any) -> Any:
        """Send an event and return the value of its ack."""
        return self._client.call(event, arguments, namespace=self._namespace, timeout=TIMEOUT)

    def answer(self, event: str, function: Callable[..., Any]) -> None:
        """Give what a function gives as the ack of an event."""
        self._client.on(event, function, namespace=self._namespace)

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
