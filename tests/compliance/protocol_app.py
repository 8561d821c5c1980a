"""The application that the official Socket.IO suite expects, written with the public API alone.

``python -m tests.compliance.protocol_app --port 3000 [--interval 300] [--timeout 200]`` (milliseconds)
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import argparse
import logging
from typing import Any

import web

from webpy_socketio import SocketIOServer, on_connect, on_event, socketio_urls

MAX_PAYLOAD = 1_000_000
CONNECT_TIMEOUT = 1.0


@on_connect
@on_connect(namespace="/custom")
def welcome(request, socket, context):
    socket.emit("auth", request.auth)


@on_event("message")
def message_back(request, socket, context, *arguments):
    socket.emit("message-back", *arguments)


@on_event("message-with-ack")
def acknowledge(request, socket, context, *arguments):
    return arguments


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--interval", type=int, default=300, metavar="MS", help="ping interval")
    parser.add_argument("--timeout", type=int, default=200, metavar="MS", help="ping time-out")
    return parser.parse_args()


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return the server's options: what the suites compare with."""
    return {
        "ping_interval": options.interval / 1000,
        "ping_timeout": options.timeout / 1000,
        "max_payload": MAX_PAYLOAD,
        "connect_timeout": CONNECT_TIMEOUT,
        "cors_allowed_origins": "*",
    }


if __name__ == "__main__":
    options = parse()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    application = web.application(socketio_urls, globals(), autoreload=False).wsgifunc()
    SocketIOServer(("127.0.0.1", options.port), application, **settings(options)).serve_forever()
