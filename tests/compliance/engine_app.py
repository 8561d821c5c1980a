"""A plain Engine.IO echo at ``/engine.io/``, as the official Engine.IO suite expects: our engine without Socket.IO.

``python -m tests.compliance.engine_app --port 3000 [--interval 300] [--timeout 200]`` (milliseconds)
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import logging
from typing import Any

import web

from tests.compliance.protocol_app import parse, settings
from webpy_socketio import SocketIOServer
from webpy_socketio.config import current
from webpy_socketio.events import Registry
from webpy_socketio.gateway.endpoint import answer
from webpy_socketio.hub.core import HubCore
from webpy_socketio.hub.engine_3 import EngineClient3
from webpy_socketio.hub.engine_client import EngineClient
from webpy_socketio.hub.hub import Hub
from webpy_socketio.hub.request import Request
from webpy_socketio.state.engine_session import EngineSession
from webpy_socketio.state.engine_session_3 import EngineSession3
from webpy_socketio.transport.outbox import OutgoingPacket
from webpy_socketio.transport.outgoing_3 import Packet3
from webpy_socketio.wire import frames
from webpy_socketio.wire.engine_packets import encode_binary
from webpy_socketio.wire.engine_packets_3 import encode_binary_piece


class BinaryPacket(OutgoingPacket):
    """Binary data alone; Socket.IO has it only as attachments of a text packet."""

    def frames(self) -> bytes:
        return frames.encode_frame(frames.BINARY, self.text)

    def pieces(self) -> tuple[bytes, ...]:
        return (encode_binary(self.text),)


class BinaryPacket3(Packet3):
    """Likewise, for a client of Engine.IO 3."""

    def __init__(self, data: bytes) -> None:
        super().__init__(OutgoingPacket(b"", [data]))

    def frames(self) -> bytes:
        return b"".join(frames.encode_frame(frames.BINARY, data) for data in self.attachments)

    def pieces(self) -> tuple[bytes, ...]:
        return super().pieces()[1:]

    def binary_piece(self) -> bytes:
        return super().binary_piece()[len(encode_binary_piece(b"", binary=False)) :]


class Echo(EngineClient):
    """Sends back what it receives."""

    def receive_data(self, data: str | bytes) -> None:
        self.send(self.binary(data) if isinstance(data, bytes) else OutgoingPacket(b"4" + data.encode()))

    def binary(self, data: bytes) -> OutgoingPacket:
        return BinaryPacket(data)


class Echo3(EngineClient3, Echo):
    """Sends back what it receives, as Engine.IO 3 has it."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.packet_kind = self.set_up()

    def binary(self, data: bytes) -> OutgoingPacket:
        packet = BinaryPacket(data)
        packet.variants = {self.packet_kind: BinaryPacket3(data)}
        return packet


def make_client(core: HubCore, session: EngineSession, request: Request) -> EngineClient:
    kind = Echo3 if isinstance(session, EngineSession3) else Echo
    return kind(core, session, request)


class EngineIO:
    """The web.py class of the endpoint; its hub is opened with the settings that the server has put into force."""

    hub: Hub | None = None

    def GET(self):
        if EngineIO.hub is None:
            EngineIO.hub = Hub(current(), Registry(), make_client)
        return answer(EngineIO.hub, web.ctx.env)

    POST = PUT = OPTIONS = GET


urls = (r"/engine\.io(?:/.*)?", EngineIO)

if __name__ == "__main__":
    options = parse()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    application = web.application(urls, globals(), autoreload=False).wsgifunc()
    SocketIOServer(("127.0.0.1", options.port), application, **settings(options)).serve_forever()
