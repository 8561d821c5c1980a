"""The package before everything, the patches last."""

# ruff: noqa: F403, F405, I001 (the star import and the order of the imports are what is tested)

import sys

from webpy_socketio import *

import mixing_views
from gevent import monkey

monkey.patch_all()

mixing_views.app.add_mapping(*socketio_urls)
application = mixing_views.application


@on_message
def answer(request, socket, context, message):
    socket.emit("answer", message)


if __name__ == "__main__":
    SocketIOServer(("127.0.0.1", int(sys.argv[1])), application, resource="socket.io").serve_forever()
