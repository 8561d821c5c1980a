"""What badly behaved clients are let loose on. ``python raw_app.py PORT SETTINGS`` serves; SETTINGS is a JSON object.

``GET /records`` tells what was logged and ``GET /state`` what the server holds on to, so that a test can see both from
outside. Settings of our own beside `SocketIOServer`'s: ``sleepy_log`` (seconds that each log line takes), ``sessions``
(a directory for web.py's sessions, which every request then has), ``most_records`` (how many log lines are kept).
"""

from gevent import monkey

monkey.patch_all()

import gc
import json
import logging
import os
import sys
import time
from collections import Counter

import gevent
import web
import web.session
from gevent.event import Event

from webpy_socketio import (
    NoSocket,
    Refused,
    SocketIOServer,
    broadcast,
    broadcast_channel,
    clients,
    emit,
    on_connect,
    on_disconnect,
    on_error,
    on_event,
    on_finish,
    on_message,
    send,
    socketio_urls,
)
from webpy_socketio.hub.hub import default_hub
from webpy_socketio.transport.timers import SLOT

start_thread = monkey.get_original("_thread", "start_new_thread")
settings = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
sleepy_log = settings.pop("sleepy_log", 0)
sessions = settings.pop("sessions", None)
most_records = settings.pop("most_records", 100_000)
web.config.debug = False


class OwnTrouble(Exception):
    pass


# Logging ------------------------------------------------------------------------------------------------------------


class Memory(logging.Handler):
    """Keeps the records, and takes its time if it is told to."""

    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        if sleepy_log:
            time.sleep(sleepy_log)
        error = record.exc_info[0].__name__ if record.exc_info else None
        if len(self.records) < most_records:
            self.records.append([record.name, record.levelname, record.getMessage(), error])


memory = Memory()
logging.getLogger().addHandler(memory)
logging.getLogger().setLevel(logging.INFO)
logging.getLogger("webpy_socketio.messages").propagate = False

# Handlers -----------------------------------------------------------------------------------------------------------

seen = Counter()
released = Event()


@on_connect
def connected(request, socket, context):
    wish = request.auth.get("wish")
    if wish == "wait":
        released.wait()
    elif wish == "raise":
        raise OwnTrouble("in on_connect")
    elif wish == "refuse":
        raise Refused("not you")
    elif wish == "type error":
        seen["connected with a type error"] += 1
        raise TypeError("of the handler's own")


@on_disconnect
def disconnected(request, socket, context):
    seen[f"disconnect {socket.reason}"] += 1


@on_finish
def finished(request, socket, context):
    seen["finish"] += 1


@on_error
def failed(request, socket, context, exception):
    seen[f"error {type(exception).__name__}"] += 1


@on_event("echo")
def echo(request, socket, context, *values):
    socket.emit("echo", *values)
    return values


@on_message
def message(request, socket, context, value):
    socket.send(value)


@on_event("tell all")
def tell_all(request, socket, context, value):
    socket.send_and_broadcast(value)


@on_event("note")
def note(request, socket, context, what):
    seen[f"note {what}"] += 1


@on_event("raise")
def raise_error(request, socket, context):
    raise OwnTrouble("as told")


@on_event("exit")
def leave(request, socket, context):
    sys.exit(3)


@on_event("time out")
def time_out(request, socket, context):
    raise gevent.Timeout(1)


@on_event("leave a timeout")
def leave_a_timeout(request, socket, context, seconds):
    gevent.Timeout(seconds).start()


@on_event("sleep")
def sleep(request, socket, context, seconds):
    time.sleep(seconds)
    return True


@on_event("never return")
def never_return(request, socket, context):
    seen["never"] += 1
    Event().wait()


@on_event("ask")
def ask(request, socket, context, question):
    socket.emit("answered", socket.call("question", question, timeout=10))


@on_event("numbers")
def send_numbers(request, socket, context, count):
    for number in range(count):
        socket.emit("number", number)


@on_event("bytes")
def send_bytes(request, socket, context, count, size):
    """Send much, to somebody who may not read it."""
    for _ in range(count):
        if not socket.emit("bytes", "x" * size):
            break


@on_event("volatile")
def send_volatile(request, socket, context, *values):
    socket.volatile.emit("volatile", *values)


@on_event("blob")
def send_back(request, socket, context, blob):
    socket.emit("blob", blob)


SHOWN = ("REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST", "HTTP_COOKIE", "HTTP_AUTHORIZATION")


@on_event("who")
def who(request, socket, context):
    """Tell who asks, as far as the handshake's request knows."""
    return {name: request.get(name) for name in SHOWN}


@on_event("to channel")
def to_channel(request, socket, context, channel, value):
    socket.send_and_broadcast_channel(value, channel)


@on_event("join me")
def join(request, socket, context, channel):
    return socket.subscribe(channel)


@on_event("disconnect me")
def disconnect(request, socket, context):
    socket.disconnect(close=True)


# Pages --------------------------------------------------------------------------------------------------------------


def watchers():
    """Count gevent's watchers that are alive, by their kind.

    Callbacks are none: one lives until the loop's next turn, and that of the request before this one may still do.
    """
    kinds = Counter(type(item).__name__ for item in gc.get_objects() if "gevent.libev" in str(type(item).__module__))
    return {kind: count for kind, count in kinds.items() if kind not in ("loop", "callback")}


def held():
    """Tell what the process holds on to."""
    gc.collect()
    hub = default_hub()
    homes = hub.namespaces.values()
    with open("/proc/self/status") as status:
        resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
    return {
        "clients": len(hub.clients),
        "farewells": len(hub.farewells),
        "addresses": len(hub.addresses),
        "sockets": sum(len(home.sockets) for home in homes),
        "channels": sum(len(home.channels) for home in homes),
        "members": sum(len(home.channels._channels) for home in homes),
        "timed": len(hub.wheel) - sum(line.timer_slot >= 0 for line in server.lines),
        "lines": len(server.lines),
        # Slots whose time is over; those of the future are left empty by every request, also by the one that asks this.
        "slots": sum(slot * SLOT < time.monotonic() - 1 for slot in hub.wheel._order),
        "busy workers": len(hub.workers.workers) - len(hub.workers._idle),
        "idle workers": len(hub.workers._idle),
        "budget": hub.budget.used,
        "descriptors": len(os.listdir("/proc/self/fd")),
        "watchers": watchers(),
        "greenlets": sum(isinstance(item, gevent.Greenlet) and not item.dead for item in gc.get_objects())
        - len(hub.workers.workers)
        - len(server._workers._idle),
        "kilobytes": resident,
        "objects": len(gc.get_objects()),
    }


def as_json(value):
    web.header("Content-Type", "application/json")
    return json.dumps(value)


class Asker:
    """Who asks, as an ordinary page sees it."""

    def GET(self):
        return as_json({name: web.ctx.env.get(name) for name in (*SHOWN, "REMOTE_PORT")})


class Records:
    def GET(self):
        start = int(web.input(start="0").start)
        return as_json(memory.records[start:])


class State:
    def GET(self):
        return as_json(held())


class Seen:
    def GET(self):
        return as_json(seen)


class Clients:
    def GET(self):
        return as_json(clients())


class Kinds:
    """What there is most of, by type: to find a leak."""

    def GET(self):
        gc.collect()
        return as_json(Counter(f"{type(item).__module__}.{type(item).__name__}" for item in gc.get_objects()))


class Release:
    def GET(self):
        released.set()
        return "released"


class Stop:
    """Stop the server; handlers get so many seconds."""

    def GET(self):
        gevent.spawn(server.stop, float(web.input(timeout="5").timeout))
        return "stopping"


class Slow:
    def GET(self):
        time.sleep(float(web.input(seconds="1").seconds))
        return "slept"


def send_from_a_thread(name, count, socket_ids):
    """Send out of band in all ways, without a pause, in a thread of the operating system."""
    for number in range(count):
        emit("tick", name, number)
        try:
            broadcast_channel(["channel", name, number], "threads")
            broadcast(["all", name, number])
            for socket_id in socket_ids:
                send(socket_id, ["one", name, number])
        except NoSocket:
            seen["no socket"] += 1
    seen["threads done"] += 1


class Threads:
    """Let threads of the operating system send, beside the loop, to everybody and to the sockets with these ids."""

    def GET(self):
        given = web.input(threads="4", count="100", ids="")
        for name in range(int(given.threads)):
            start_thread(send_from_a_thread, (name, int(given.count), given.ids.split()))
        return "started"


class Upload:
    def POST(self):
        return str(len(web.data()))


class Unread:
    """Answers without reading what was sent."""

    def POST(self):
        return "unread"


class Download:
    def GET(self):
        size = int(web.input(size="1000000").size)
        web.header("Content-Length", str(size))
        return b"x" * size


class Visit:
    """The session of a user who logs in and out by links."""

    def GET(self):
        given = web.input()
        if "user" in given:
            session.user = given.user
        if "kill" in given:
            session.kill()
            return "gone"
        return session.get("user", "nobody")


urls = (
    *("/records", Records, "/state", State, "/seen", Seen, "/clients", Clients, "/kinds", Kinds, "/release", Release),
    *("/threads", Threads, "/stop", Stop, "/slow", Slow),
    *("/asker", Asker),
    *("/upload", Upload, "/unread", Unread, "/download", Download, "/visit", Visit),
)
app = web.application(urls + socketio_urls, {}, autoreload=False)
session = web.session.Session(app, web.session.DiskStore(sessions)) if sessions else {}


def copying(application):
    """Middleware as there is much of: it hands on a copy of the environ, and of the headers."""

    def wrapped(environ, start_response):
        def start(status, headers, *error):
            return start_response(status, list(headers), *error)

        return application(dict(environ), start)

    return wrapped


def origin_rule(origin, environ):
    if origin == "http://raises.example":
        raise OwnTrouble("in the rule")
    return origin == "http://friend.example" and "HTTP_HOST" in environ


def admit(request):
    """Do with a handshake what its query wishes."""
    wish = request.query.get("wish")
    seen[f"admit {wish}"] += 1
    if wish == "refuse":
        raise Refused("Log in first", status=401)
    if wish == "tell":
        raise Refused(f"{len(web.cookies())} cookie{'' if web.cookies() else 's'}, {session.get('user', 'nobody')}")
    if wish == "quote":
        raise Refused(f"No {request.query['name']}")
    if wish == "raise":
        raise OwnTrouble("in admit")
    if wish == "time out":
        raise gevent.Timeout(1)
    if wish == "wait":
        released.wait()
    return {"false": False, "true": True, "other": "yes"}.get(wish)


if settings.get("admit"):
    settings["admit"] = admit
if settings.get("cors_allowed_origins") == "callable":
    settings["cors_allowed_origins"] = origin_rule

if __name__ == "__main__":
    application = app.wsgifunc(copying)
    server = SocketIOServer(("127.0.0.1", int(sys.argv[1])), application, **settings)
    server.serve_forever()
    print("stopped", dict(seen))
