"""Somebody in the chat without a browser: the official protocol, spoken by python-socketio's client."""

from __future__ import annotations

from typing import Any

import socketio

from tests.support.waiting import wait_until

ANSWER_TIMEOUT = 10


class Talker:
    """A socket that hears everything and says what it is told to."""

    def __init__(self, url: str, channel: str = "room-1", transport: str = "websocket") -> None:
        self.heard: list[dict[str, Any]] = []
        self.channel = channel
        self.client = socketio.Client(reconnection=False)
        self.client.on("message", self.heard.append)
        self.client.connect(url, transports=[transport], wait_timeout=ANSWER_TIMEOUT)
        self.accepted = self.client.call("__subscribe__", channel, timeout=ANSWER_TIMEOUT)

    def __enter__(self) -> Talker:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()

    def request(self, message: Any) -> Any:
        """Send a message to the channel and return its acknowledgement."""
        return self.client.call("__message__", (self.channel, message), timeout=ANSWER_TIMEOUT)

    def start(self, name: Any, **fields: Any) -> Any:
        return self.request({"action": "start", "name": name, **fields})

    def say(self, text: Any, **fields: Any) -> Any:
        return self.request({"action": "message", "message": text, **fields})

    def leave(self) -> None:
        assert self.client.call("__unsubscribe__", self.channel, timeout=ANSWER_TIMEOUT) is True

    def disconnect(self) -> None:
        """End the socket, having said so."""
        self.client.disconnect()

    def vanish(self) -> None:
        """End the connection without a word, as a network that breaks off does."""
        self.client.eio.ws.shutdown()

    def all(self, action: str) -> list[dict[str, Any]]:
        """Return the messages with this action that were heard so far."""
        return [message for message in self.heard if message["action"] == action]

    def wait(self, action: str, timeout: float = 10.0, **fields: Any) -> dict[str, Any]:
        """Wait for a message with this action and these fields, and return it."""

        def find() -> dict[str, Any] | None:
            return next((m for m in self.all(action) if fields.items() <= m.items()), None)

        found = wait_until(find, timeout, f"{action} {fields} (heard: {self.heard})")
        assert found is not None
        return found
