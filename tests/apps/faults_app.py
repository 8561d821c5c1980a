"""What networks are let loose on: `raw_app` with numbered messages both ways. ``python faults_app.py PORT SETTINGS``.

A client says its name in the auth payload. What it puts is kept (``GET /log?name=``); what it wants to be fed with
comes number by number; the channel ``ticks`` gets the ticks.
"""

from collections import defaultdict

import raw_app  # patches, and knows the settings
from raw_app import Event, as_json, gevent, web

from webpy_socketio import SocketIOServer, emit, on_event, socketio_urls

logs = defaultdict(list)
ticking = []
ticked = 0
hanging = Event()


@on_event("put")
def put(request, socket, context, number):
    logs[request.auth["name"]].append([socket.id, number])
    return number


@on_event("feed")
def feed(request, socket, context, start, count, pause):
    gevent.spawn(feed_slowly, socket, start, count, pause)


def feed_slowly(socket, start, count, pause):
    for number in range(start, start + count):
        if not socket.emit("fed", number):
            break
        gevent.sleep(pause)


@on_event("pour")
def pour(request, socket, context, count, size):
    """Send much, piece by piece, whether somebody reads it or not; every piece is another one."""
    for number in range(count):
        socket.emit("poured", f"{number:08}" + "x" * (size - 8))
        gevent.sleep(0.0002)  # 0 would keep the loop from reading for 5 ms
    raw_app.seen["poured"] += 1


@on_event("hang")
def hang(request, socket, context):
    raw_app.seen["hanging"] += 1
    hanging.wait()


def tick():
    global ticked
    while True:
        emit("tick", ticked, to="ticks")
        ticked += 1
        gevent.sleep(0.005)


class Log:
    def GET(self):
        return as_json(logs[web.input().name])


class Tick:
    """Begin to tick (``?on=1``), or end it and tell how often that was."""

    def GET(self):
        global ticked
        gevent.killall(ticking)
        ticking.clear()
        if web.input().on == "1":
            ticked = 0
            ticking.append(gevent.spawn(tick))
        return as_json(ticked)


class LetGo:
    """End the handlers that hang."""

    def GET(self):
        hanging.set()
        return "let go"


raw_app.app.add_mapping("/log", Log)
raw_app.app.add_mapping("/tick", Tick)
raw_app.app.add_mapping("/letgo", LetGo)

if __name__ == "__main__":
    assert socketio_urls
    application = raw_app.app.wsgifunc(raw_app.copying)
    raw_app.server = SocketIOServer(("127.0.0.1", int(raw_app.sys.argv[1])), application, **raw_app.settings)
    raw_app.server.serve_forever()
    print("stopped", dict(raw_app.seen))
