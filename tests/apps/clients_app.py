"""What real clients are tested against: every feature of the public API behind an event or an address of its own.

``python clients_app.py PORT`` serves. ``GET /seen`` tells what the server saw, ``POST /oob`` sends out of band.
"""

from gevent import monkey

monkey.patch_all()

import json
import logging
import sys
from collections import Counter

import gevent
import web

import webpy_socketio
from webpy_socketio import (
    NoSocket,
    Refused,
    SocketIOServer,
    on_connect,
    on_disconnect,
    on_error,
    on_event,
    on_finish,
    on_message,
    on_subscribe,
    on_unsubscribe,
    socketio_urls,
)

CALL_TIMEOUT = 10.0
BLOB = bytes(range(256))

counted = Counter()
by_socket = {}
"""Socket id to what happened to it, in order."""


def note(socket, what, *details):
    counted[what] += 1
    by_socket.setdefault(socket.id, []).append([what, *details])


# Connecting ---------------------------------------------------------------------------------------------------------


@on_connect
def connected(request, socket, context):
    wanted = (request.auth or {}).get("refuse")
    if wanted == "raise":
        counted["refused"] += 1
        raise Refused("not you", {"code": 7, "why": "ünwanted"})
    if wanted == "false":
        counted["refused"] += 1
        return False
    note(socket, "connect")
    context["items"] = []
    socket.emit(
        "hello", {"id": socket.id, "auth": request.auth, "query": request.query.get("q"), "via": socket.protocol}
    )
    return None


@on_connect(namespace="/chat")
def connected_to_chat(request, socket, context):
    note(socket, "chat connect")
    socket.emit("welcome", {"namespace": socket.namespace, "id": socket.id})


@on_disconnect
@on_disconnect(namespace="/chat")
def disconnected(request, socket, context):
    note(socket, "disconnect", socket.reason, socket.connected)


@on_finish
@on_finish(namespace="/chat")
def finished(request, socket, context):
    note(socket, "finish", list(socket.channels))


@on_error
def failed(request, socket, context, exception):
    note(socket, "error", type(exception).__name__)


# Messages, events and acks ------------------------------------------------------------------------------------------


@on_message
def echo_message(request, socket, context, message):
    counted["message"] += 1
    if socket.channel is None:
        socket.send(message)
        return {"got": message}
    return None


@on_event("echo")
def echo(request, socket, context, *arguments):
    socket.emit("echoed", *arguments)
    return arguments


@on_event("quiet")
def quiet(request, socket, context):
    note(socket, "quiet")


@on_event("two")
def two(request, socket, context, first, second):
    return first, second


@on_event("broken")
def broken(request, socket, context, why):
    raise ValueError(f"a handler of the tests raises: {why}")


@on_event("blob")
def blob(request, socket, context, data):
    """Answer with bytes at several depths, whatever came; say what came as text."""
    note(socket, "blob", type(data).__name__, bytes(data).hex())
    socket.emit("blobs", BLOB, {"deep": [b"", {"deeper": bytes(data)}]}, "text")
    return {"back": bytes(data), "size": len(data)}


@on_event("ask me")
def ask_by_call(request, socket, context, *arguments):
    """Ask the client in turn and wait: acks arrive while this handler blocks."""
    return {"answer": socket.call("question", *arguments, timeout=CALL_TIMEOUT)}


@on_event("ask me later")
def ask_with_callback(request, socket, context, *arguments):
    socket.emit("question", *arguments, callback=lambda *answer: socket.emit("answered", *answer))


@on_event("say", namespace="/chat")
def say(request, socket, context, text):
    counted["chat say"] += 1
    socket.broadcast({"said": text})
    return f"said {text}"


# Order --------------------------------------------------------------------------------------------------------------


@on_event("item")
def item(request, socket, context, number):
    context["items"].append(number)
    gevent.sleep(0)  # a handler that gives way must not be overtaken by the next event of its socket


@on_event("items")
def items(request, socket, context):
    return context["items"]


@on_event("flood")
def flood(request, socket, context, start, count):
    for number in range(start, start + count):
        socket.emit("drop", number)
    return count


# Channels -----------------------------------------------------------------------------------------------------------


@on_subscribe
def subscribing(request, socket, context, channel):
    note(socket, "subscribe", channel, list(socket.channels))
    return channel != "forbidden"


@on_unsubscribe
def unsubscribing(request, socket, context, channel):
    note(socket, "unsubscribe", channel, list(socket.channels))


@on_message(channel="^room-")
def to_room(request, socket, context, message):
    """Give a message to all of the room; unbound messages of its subscribers stay between them and the server."""
    if socket.channel is not None:
        socket.send_and_broadcast_channel({"channel": socket.channel, "message": message})
        return "told"
    return None


@on_event("tell room")
def tell_room(request, socket, context, channel, message):
    """Broadcast to the others of a channel from an ordinary event."""
    return socket.broadcast_channel(message, channel)


@on_event("join by server")
def join_by_server(request, socket, context, channel):
    return [socket.subscribe(channel), socket.subscribe(channel), socket.channels[-1] == channel]


# Ends ---------------------------------------------------------------------------------------------------------------


@on_event("throw me out")
def throw_out(request, socket, context):
    socket.disconnect()


# Out of band --------------------------------------------------------------------------------------------------------


def send_out_of_band(kind, target, value):
    """Send with one of the module-level helpers; return its answer, or the text of `NoSocket`."""
    senders = {
        "send": lambda: webpy_socketio.send(target, value),
        "broadcast": lambda: webpy_socketio.broadcast(value),
        "broadcast_channel": lambda: webpy_socketio.broadcast_channel(value, target),
        "emit": lambda: webpy_socketio.emit("news", value, to=target),
        "emit binary": lambda: webpy_socketio.emit("news", BLOB, to=target),
    }
    try:
        return {"returned": senders[kind]()}
    except NoSocket as error:
        return {"NoSocket": str(error)}


def in_view(kind, target, value):
    return send_out_of_band(kind, target, value)


def in_greenlet(kind, target, value):
    return gevent.spawn(send_out_of_band, kind, target, value).get(timeout=CALL_TIMEOUT)


def in_thread(kind, target, value):
    """Send from a real OS thread, where gevent has no loop that serves anybody."""
    return gevent.get_hub().threadpool.apply(send_out_of_band, (kind, target, value))


def in_raw_thread(kind, target, value):
    """Send from a thread that the interpreter started and that gevent has never heard of."""
    answers = []
    start_new_thread = monkey.get_original("_thread", "start_new_thread")
    start_new_thread(lambda: answers.append(send_out_of_band(kind, target, value)), ())
    with gevent.Timeout(CALL_TIMEOUT):
        while not answers:
            gevent.sleep(0.001)
    return answers[0]


PLACES = {"view": in_view, "greenlet": in_greenlet, "thread": in_thread, "raw thread": in_raw_thread}


class OutOfBand:
    def POST(self):
        wanted = json.loads(web.data())
        return as_json(PLACES[wanted["place"]](wanted["kind"], wanted.get("target"), wanted.get("value")))


class Seen:
    def GET(self):
        wanted = web.input(id=None).id
        if wanted is not None:
            return as_json(by_socket.get(wanted, []))
        return as_json(
            {**counted, "clients": len(webpy_socketio.clients()), "channels": sorted(webpy_socketio.channels())}
        )


def as_json(value):
    web.header("Content-Type", "application/json")
    return json.dumps(value)


urls = ("/oob", "OutOfBand", "/seen", "Seen", *socketio_urls)

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    application = web.application(urls, globals(), autoreload=False).wsgifunc()
    SocketIOServer(("127.0.0.1", int(sys.argv[1])), application, resource="socket.io").serve_forever()
