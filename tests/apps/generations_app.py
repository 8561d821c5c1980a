"""What clients of all generations meet at once: one channel for all, text and binary, acks, namespaces, refusals.

``python generations_app.py PORT`` serves.
"""

from gevent import monkey

monkey.patch_all()

import logging
import sys

import web

import webpy_socketio
from webpy_socketio import Refused, SocketIOServer, on_connect, on_event, socketio_urls

CALL_TIMEOUT = 10.0
CHANNEL = "everybody"


@on_connect(namespace="/closed")
def refuse(request, socket, context):
    raise Refused("not you", {"code": 7} if request.query.get("why") or request.auth.get("why") else None)


@on_event("who")
@on_event("who", namespace="/chat")
def who(request, socket, context):
    return {
        "id": socket.id,
        "via": socket.protocol,
        "revision": request.query["EIO"],
        "token": request.auth.get("token"),
        "query": request.query.get("token"),
    }


@on_event("echo")
@on_event("echo", namespace="/chat")
def echo(request, socket, context, *arguments):
    socket.emit("echoed", *arguments)
    return arguments


@on_event("ask me")
def ask_by_call(request, socket, context, *arguments):
    return socket.call("question", *arguments, timeout=CALL_TIMEOUT)


@on_event("members")
def count_members(request, socket, context):
    return len(webpy_socketio.channel_members(CHANNEL))


@on_event("tell everybody")
def tell_everybody(request, socket, context, *arguments):
    """Send to the channel from outside of any socket."""
    return webpy_socketio.emit("told", *arguments, to=CHANNEL)


@on_event("tell the others")
def tell_the_others(request, socket, context, message):
    return socket.broadcast_channel(message, CHANNEL)


@on_event("throw me out")
def throw_out(request, socket, context):
    socket.disconnect()


if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    application = web.application(socketio_urls, globals(), autoreload=False).wsgifunc()
    SocketIOServer(("127.0.0.1", int(sys.argv[1])), application, message_log_format=None).serve_forever()
