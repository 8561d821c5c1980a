"""The order that gevent asks for."""

# ruff: noqa: F403, F405, I001 (the star import and the order of the imports are what is tested)

from gevent import monkey

monkey.patch_all()

import sys

import mixing_views
from webpy_socketio import *

mixing_views.app.add_mapping(*socketio_urls)
application = mixing_views.application


@on_message
def answer(request, socket, context, message):
    socket.emit("answer", message)


if __name__ == "__main__":
    SocketIOServer(("127.0.0.1", int(sys.argv[1])), application, resource="socket.io").serve_forever()
