"""The server under test: a web.py application with our public API, all settings at their defaults."""

from gevent import monkey

monkey.patch_all()

import os
import sys

import web

from webpy_socketio import SocketIOServer, emit, on_event, on_message, socketio_urls
from webpy_socketio.wire import frames


@on_message
def message(request, socket, context, data):
    socket.send(data)


@on_event("join")
def join(request, socket, context, channel="room"):
    socket.subscribe(channel)


@on_event("leave")
def leave(request, socket, context, channel):
    socket.unsubscribe(channel)


@on_event("pub")
def pub(request, socket, context, data):
    emit("message", data, to="room")


@on_event("pub_to")
def pub_to(request, socket, context, channel, data):
    emit("message", data, to=channel)


@on_event("pub_all")
def pub_all(request, socket, context, data):
    emit("message", data)


def make_server(port: int) -> SocketIOServer:
    """Make the server; ``BENCH_PING_INTERVAL`` and ``BENCH_COMPILED`` in the environment ask for one that differs."""
    found = "0" if frames.__file__.endswith(".py") else "1"
    if os.environ.get("BENCH_COMPILED", found) != found:
        raise SystemExit(f"not the build that was asked for: {frames.__file__}")
    options = {"ping_interval": float(os.environ.get("BENCH_PING_INTERVAL", "25"))}
    web.config.debug = False
    application = web.application(socketio_urls, globals()).wsgifunc()
    return SocketIOServer(("127.0.0.1", port), application, **options)


if __name__ == "__main__":
    make_server(int(sys.argv[1])).serve_forever()
