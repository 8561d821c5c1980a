"""A server whose handlers fork. ``python forks_app.py PORT SETTINGS``; SETTINGS as for ``raw_app.py``.

The child tries what it must not do, lives for a while with gevent's loop running, and writes down what it saw.
"""

from gevent import monkey

monkey.patch_all()

import json
import multiprocessing
import os
import sys
import threading
import time
import warnings

import gevent
import web

import webpy_socketio
from webpy_socketio import SocketIOServer, on_disconnect, on_event, socketio_urls

# Forking beside other threads is what is tested; Python 3.12 and later warn of it.
warnings.simplefilter("ignore", DeprecationWarning)
raw_fork = monkey.get_original("os", "fork")
happened = []


@on_event("echo")
def echo(request, socket, context, value):
    happened.append(os.getpid())
    socket.emit("echo", value)


@on_event("note later")
def note_later(request, socket, context, path):
    """Wait behind the fork, in the mailbox of another socket."""
    with open(path, "a") as file:
        file.write(f"{os.getpid()}\n")


@on_event("disconnect me")
def disconnect(request, socket, context):
    socket.disconnect(close=True)


@on_disconnect
def disconnected(request, socket, context):
    happened.append("disconnect")


def attempt(function, *arguments):
    try:
        return repr(function(*arguments))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def live(path, seconds, socket):
    """Do in the child what it must not do, and write down what came of it."""
    sockets = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if is_socket(fd)]
    found = {
        "sockets": sockets,
        "send": attempt(webpy_socketio.send, socket.id, "from the child"),
        "broadcast": attempt(webpy_socketio.broadcast, "from the child"),
        "broadcast_channel": attempt(webpy_socketio.broadcast_channel, "from the child", "channel"),
        "emit": attempt(webpy_socketio.emit, "child", 1),
        "clients": attempt(webpy_socketio.clients),
        "connected": socket.connected,
        "socket.send": attempt(socket.send, "from the child"),
        "socket.emit": attempt(socket.emit, "child", 1),
        "socket.call": attempt(socket.call, "child"),
        "socket.broadcast": attempt(socket.broadcast, "from the child"),
    }
    del happened[:]
    time.sleep(seconds)  # gevent's loop runs: whatever is still watched in the child would act now
    found["handled in the child"] = list(happened)
    with open(f"{path}.part", "w") as file:
        json.dump(found, file)
    os.rename(f"{path}.part", path)


def is_socket(fd):
    try:
        return os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
    except OSError:
        return False


@on_event("fork")
def fork(request, socket, context, how, path, seconds):
    if how == "multiprocessing":
        multiprocessing.get_context("fork").Process(target=live, args=(path, seconds, socket), daemon=True).start()
        return True
    if how == "thread":
        threading.Thread(target=fork_by_hand, args=(os.fork, path, seconds, socket)).start()
        return True
    if how == "os thread":
        gevent.get_hub().threadpool.apply(fork_by_hand, (raw_fork, path, seconds, socket))
        return True
    fork_by_hand(os.fork if how == "os.fork" else raw_fork, path, seconds, socket)
    return True


def fork_by_hand(function, path, seconds, socket):
    if function() == 0:
        try:
            live(path, seconds, socket)
        finally:
            os._exit(0)


class Pid:
    def GET(self):
        return str(os.getpid())


class Slow:
    def GET(self):
        time.sleep(0.3)
        return str(os.getpid())


class Upload:
    def POST(self):
        return f"{os.getpid()} {len(web.data())}"


web.config.debug = False
app = web.application(("/pid", Pid, "/slow", Slow, "/upload", Upload, *socketio_urls), {}, autoreload=False)

if __name__ == "__main__":
    settings = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    SocketIOServer(("127.0.0.1", int(sys.argv[1])), app.wsgifunc(), **settings).serve_forever()
    print("the code behind serve_forever runs in", os.getpid())
