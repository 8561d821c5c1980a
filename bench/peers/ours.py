"""The server under test: a web.py application with our public API, all settings at their defaults."""

from gevent import monkey

monkey.patch_all()

import sys

import web

from webpy_socketio import SocketIOServer, emit, on_event, on_message, socketio_urls


@on_message
def message(request, socket, context, data):
    socket.send(data)


@on_event("join")
def join(request, socket, context):
    socket.subscribe("room")


@on_event("pub")
def pub(request, socket, context, data):
    emit("message", data, to="room")


web.config.debug = False
application = web.application(socketio_urls, globals()).wsgifunc()

if __name__ == "__main__":
    SocketIOServer(("127.0.0.1", int(sys.argv[1])), application).serve_forever()
