"""A plain WebSocket echo on our WebSocket code, as the Autobahn|Testsuite expects: no Engine.IO, no subprotocol.

``python -m tests.compliance.echo_app --port 9001 [--compression 1]`` (threshold in bytes; without it: no compression)
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import argparse
import logging
from collections.abc import Callable
from typing import Any

from webpy_socketio import SocketIOServer
from webpy_socketio.config import current
from webpy_socketio.gateway.handoff import connection_of
from webpy_socketio.gateway.upgrade import offered_compression
from webpy_socketio.hub.hub import default_hub
from webpy_socketio.transport.outbox import Budget, Outbox, OutgoingPacket
from webpy_socketio.transport.websocket import WebSocketCarrier
from webpy_socketio.types import Excess
from webpy_socketio.wire import frames
from webpy_socketio.wire.handshake import encode_response, validate_request

LARGEST = 16 * 2**20
"""Bytes of the largest messages of group 9."""

SETTINGS: dict[str, Any] = {"max_payload": LARGEST, "outbox_limit": 4 * LARGEST}


class BinaryPacket(OutgoingPacket):
    """Binary data alone; Socket.IO has it only as attachments of a text packet."""

    def frames(self) -> bytes:
        return frames.encode_frame(frames.BINARY, self.text)


class Echo:
    """Sends back what it receives."""

    def receive_message(self, carrier: WebSocketCarrier, message: str | bytes) -> None:
        assert carrier.outbox is not None
        packet = BinaryPacket(message) if isinstance(message, bytes) else OutgoingPacket(message.encode())
        assert carrier.outbox.push(packet)
        carrier.wake()

    def receive_close(self, carrier: WebSocketCarrier, code: int, reason: str, violation: bool) -> None: ...

    def receive_excess(self, carrier: WebSocketCarrier, excess: Excess) -> None: ...

    def receive_room(self, carrier: WebSocketCarrier) -> None: ...

    def receive_failure(self) -> None:
        logging.exception("The echo failed")


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
    """Open a WebSocket at any path."""
    key = validate_request(environ)
    connection = connection_of(environ)
    assert connection is not None
    sock, early_data = connection.take()
    agreement = offered_compression(environ) if current().compression else None
    carrier = default_hub().websocket(sock, agreement)
    carrier.outbox = Outbox(current(), Budget(current().outbox_ceiling))
    extensions = () if agreement is None else (("Sec-WebSocket-Extensions", agreement.encode()),)
    carrier.send_now(encode_response(key, extensions))
    carrier.start(Echo(), early_data)
    start_response("101 Switching Protocols", [])
    return []


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--compression", type=int, metavar="BYTES", help="compress messages from this size on")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    settings = {**SETTINGS, "compression": options.compression or False}
    SocketIOServer(("127.0.0.1", options.port), application, **settings).serve_forever()


if __name__ == "__main__":
    main()
