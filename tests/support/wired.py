"""A client at the other end of a real socket pair: frames in, frames out, system calls counted."""

from __future__ import annotations

import json
from typing import Any

from tests.support.scripted import Peer, ScriptedSocket, scripted_pair
from tests.support.transcripts import client_frame, close_payload
from webpy_socketio.hub.hub import Hub
from webpy_socketio.hub.request import Request

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class WiredClient:
    """Speaks Engine.IO in WebSocket frames to a session of ``hub``.

    ``socket`` is the server's end, on which every ``send`` is written down.
    """

    def __init__(self, hub: Hub, early: tuple[str, ...] = ()) -> None:
        self.hub = hub
        self.socket: ScriptedSocket
        self.peer: Peer
        self.socket, self.peer = scripted_pair()
        self.client: Any = hub.open_client(Request({}), upgraded=True)
        early_data = b"".join(client_frame(TEXT, packet.encode()) for packet in early)
        self.client.start_websocket(hub.websocket(self.socket), early_data)
        self.handshake: dict[str, Any] = json.loads(self.hear()[1:])

    def say(self, *packets: str | bytes) -> None:
        """Send packets, all in one write."""
        frames = [
            client_frame(TEXT, packet.encode()) if isinstance(packet, str) else client_frame(BINARY, packet)
            for packet in packets
        ]
        self.peer.send(b"".join(frames))

    def hear(self) -> str:
        """Wait for the next text packet."""
        opcode, payload = self.peer.receive_frame()
        assert opcode == TEXT, (opcode, payload)
        return payload.decode()

    def join(self) -> str:
        """Join the namespace ``/``; give the session id."""
        self.say("40")
        while (reply := self.hear()) == "2":
            pass  # a slow machine, and a test with a short heartbeat
        assert reply.startswith('40{"sid":'), reply
        return str(json.loads(reply[2:])["sid"])

    def hear_close(self) -> tuple[int, str]:
        """Wait for a close frame; whatever comes before it is dropped."""
        while True:
            opcode, payload = self.peer.receive_frame()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big"), payload[2:].decode()
            assert opcode != -1, "the stream ended without a close frame"

    def close(self, code: int = 1000) -> None:
        """Send a close frame."""
        self.peer.send(client_frame(CLOSE, close_payload(code)))


def wired(hub: Hub) -> WiredClient:
    """Make a client that is in the namespace ``/``."""
    client = WiredClient(hub)
    client.join()
    return client
