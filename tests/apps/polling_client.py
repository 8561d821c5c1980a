"""A Socket.IO client for tests of one process: long-polling over plain HTTP, nothing but the standard library."""

from __future__ import annotations

import http.client
import json
from typing import Any

SEPARATOR = "\x1e"
PING, PONG = "2", "3"
EVENT = "42"


class PollingClient:
    """Connects to the namespace ``/`` when made; events are taken in the order in which they come."""

    def __init__(self, port: int, path: str = "/socket.io/", timeout: float = 10.0) -> None:
        self._port = port
        self._timeout = timeout
        self._address = f"{path}?EIO=4&transport=polling"
        self._packets: list[str] = []
        handshake = json.loads(self._request("GET").removeprefix("0"))
        self._address += f"&sid={handshake['sid']}"
        self._send("40")
        assert self._next().startswith("40{")

    def emit(self, *event: Any) -> None:
        self._send(EVENT + json.dumps(event))

    def receive(self) -> list[Any]:
        """Wait for the next event, and return its name and its arguments."""
        packet = self._next()
        assert packet.startswith(EVENT), packet
        event: list[Any] = json.loads(packet.removeprefix(EVENT))
        return event

    def events_until(self, name: str) -> list[list[Any]]:
        """Return the events that arrive before the first one of this name."""
        events: list[list[Any]] = []
        while (event := self.receive())[0] != name:
            events.append(event)
        return events

    def close(self) -> None:
        self._send("41")

    def _next(self) -> str:
        while not self._packets:
            self._packets = self._request("GET").split(SEPARATOR)
            while PING in self._packets:
                self._packets.remove(PING)
                self._send(PONG)
        return self._packets.pop(0)

    def _send(self, packet: str) -> None:
        assert self._request("POST", packet) == "ok"

    def _request(self, method: str, body: str | None = None) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=self._timeout)
        try:
            headers = {"Content-Type": "text/plain;charset=UTF-8"} if body is not None else {}
            connection.request(method, self._address, body, headers)
            response = connection.getresponse()
            text = response.read().decode()
            assert response.status == 200, f"{response.status} {text}"
            return text
        finally:
            connection.close()
