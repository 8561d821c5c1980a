"""A plain Engine.IO echo at ``/engine.io/``, as the official Engine.IO suite expects: our engine without Socket.IO.

``python -m tests.compliance.engine_app --port 3000 [--interval 300] [--timeout 200]`` (milliseconds)
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import logging

import web

from tests.compliance.protocol_app import parse, settings
from webpy_socketio import SocketIOServer
from webpy_socketio.config import current
from webpy_socketio.events import Registry
from webpy_socketio.gateway.endpoint import answer
from webpy_socketio.hub.engine_client import EngineClient
from webpy_socketio.hub.hub import Hub
from webpy_socketio.transport.outbox import OutgoingPacket
from webpy_socketio.wire import frames
from webpy_socketio.wire.engine_packets import encode_binary


class BinaryPacket(OutgoingPacket):
    """Binary data alone; Socket.IO has it only as attachments of a text packet."""

    def frames(self) -> bytes:
        return frames.encode_frame(frames.BINARY, self.text)

    def pieces(self) -> tuple[bytes, ...]:
        return (encode_binary(self.text),)


class Echo(EngineClient):
    """Sends back what it receives."""

    def receive_data(self, data: str | bytes) -> None:
        self.send(BinaryPacket(data) if isinstance(data, bytes) else OutgoingPacket(b"4" + data.encode()))


class EngineIO:
    """The web.py class of the endpoint; its hub is opened with the settings that the server has put into force."""

    hub: Hub | None = None

    def GET(self):
        if EngineIO.hub is None:
            EngineIO.hub = Hub(current(), Registry(), Echo)
        return answer(EngineIO.hub, web.ctx.env)

    POST = PUT = OPTIONS = GET


urls = (r"/engine\.io(?:/.*)?", EngineIO)

if __name__ == "__main__":
    options = parse()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    application = web.application(urls, globals(), autoreload=False).wsgifunc()
    SocketIOServer(("127.0.0.1", options.port), application, **settings(options)).serve_forever()
