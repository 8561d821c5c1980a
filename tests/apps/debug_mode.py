"""An application in one file with web.py's debug mode left on: web.py imports it twice, and once more per saved edit.

With the word ``guarded`` it serves below ``if __name__ == "__main__"``, with ``unguarded`` at module level; with
``started`` it begins to listen at module level, and serves below.
"""

# ruff: noqa: F403, F405 (as the README tells users to import)

from gevent import monkey

monkey.patch_all()

import sys

import web

from webpy_socketio import *

EDITION = "first"
seen = []


@on_message
def above_the_application(request, socket, context, message):
    socket.emit("above", EDITION, message)


urls = ("/", "Index")
urls += socketio_urls
app = web.application(urls, globals())


class Index:
    def GET(self):
        return " ".join([EDITION, *seen])


@on_message
def below_the_application(request, socket, context, message):
    seen.append(message)
    socket.emit("below", EDITION, message)


@on_message(channel="^room-")
def never_subscribed(request, socket, context, message):
    socket.emit("never", EDITION, message)


@on_event("fence")
def fence(request, socket, context):
    socket.emit("fence")


application = app.wsgifunc()
PORT, PLACE = int(sys.argv[1]), sys.argv[2]

server = SocketIOServer(("127.0.0.1", PORT), application, resource="socket.io")
if PLACE == "started":
    server.start()
if PLACE == "unguarded" or __name__ == "__main__":
    print("serves", __name__, flush=True)
    server.serve_forever()
