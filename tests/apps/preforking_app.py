"""A process that looks at its clients, forks, and serves in the child: as servers with a master process do."""

from gevent import monkey

monkey.patch_all()

import os
import signal
import sys

import web

import webpy_socketio
from webpy_socketio import SocketIOServer, on_event, socketio_urls


@on_event("echo")
def echo(request, socket, context, value):
    socket.emit("echo", value)


@on_event("helpers")
def use_helpers(request, socket, context):
    webpy_socketio.send(socket.id, "out of band")
    return len(webpy_socketio.clients())


app = web.application(socketio_urls, {}, autoreload=False)

if __name__ == "__main__":
    assert webpy_socketio.clients() == []
    worker = os.fork()
    if worker == 0:
        SocketIOServer(("127.0.0.1", int(sys.argv[1])), app.wsgifunc()).serve_forever()
    else:
        signal.signal(signal.SIGTERM, lambda number, frame: os.kill(worker, number))
        os.waitpid(worker, 0)
