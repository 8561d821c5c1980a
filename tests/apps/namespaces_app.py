"""Class-based namespaces, namespaces by a regular expression, and questions to many, for real clients.

``python namespaces_app.py PORT`` serves. ``POST /ask`` asks all subscribers of a channel, from a view, a thread or a
greenlet; ``GET /left`` tells what is left of everybody.
"""

from gevent import monkey

monkey.patch_all()

import json
import logging
import re
import sys

import gevent
import web

import webpy_socketio
from webpy_socketio import AnswersMissing, Namespace, Refused, SocketIOServer, on_event, socketio_urls
from webpy_socketio.hub.hub import default_hub

BLOB = bytes(range(256))
jobs = []


class Chat(Namespace):
    namespace = "/chat"

    def get_initial_acl(self):
        return None if self.request.query.get("trusted") else ["on_login", "on_nickname", "on_message", "recv_event"]

    def initialize(self):
        self.count = 0

    def on_connect(self, auth):
        if auth.get("banned"):
            raise Refused("You are banned", {"until": "never"})
        jobs.append(self.spawn(self.tick))

    def tick(self):
        while True:
            gevent.sleep(0.05)
            self.socket.volatile.emit("tick")

    def on_login(self):
        self.add_acl_method("on_user_message")

    def on_nickname(self, nickname):
        self.session["nickname"] = nickname
        self.join("main room")
        self.emit_to_room("main room", "announcement", f"{nickname} has come")
        return True, nickname

    def on_user_message(self, text, blob):
        self.count += 1
        self.broadcast_event("told", self.session.get("nickname"), text, blob)
        self.broadcast_event_not_me("told others", text)
        return {"count": self.count, "blob": blob}

    def on_message(self, message):
        self.send({"back": message})
        return self.ns_name

    def recv_event(self, name, *args):
        return [name, *args]


class Tenant(Namespace):
    namespace = re.compile(r"^/tenant-\d+$")

    def on_connect(self, auth):
        self.session.setdefault("tenants", []).append(self.ns_name)

    def on_tenants(self):
        return self.session["tenants"]

    def on_say(self, text):
        return self.broadcast_event_not_me("said", self.ns_name, text)


@on_event("who", namespace=re.compile("^/tenant-"))
def who(request, socket, context):
    return [socket.namespace, socket.id]


def ask(channel, timeout, *arguments):
    try:
        return {"answers": webpy_socketio.call("question", *arguments, to=channel, timeout=timeout)}
    except AnswersMissing as error:
        return {"answers": error.answers, "missing": error.missing}


PLACES = {
    "view": ask,
    "greenlet": lambda *args: gevent.spawn(ask, *args).get(),
    "thread": lambda *args: gevent.get_hub().threadpool.apply(ask, args),
}


class Ask:
    def POST(self):
        wanted = json.loads(web.data())
        arguments = (wanted["channel"], wanted["timeout"], wanted["value"], BLOB)
        answered = PLACES[wanted["place"]](*arguments)
        return json.dumps(answered, default=lambda value: {"bytes": value.hex()})


class Left:
    def GET(self):
        return json.dumps([sorted(default_hub().namespaces), sum(not job.dead for job in jobs)])


urls = ("/ask", "Ask", "/left", "Left", *socketio_urls)

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    application = web.application(urls, globals(), autoreload=False).wsgifunc()
    # python-socketio's client, when it says goodbye, may wait for the answer to its last poll: that is the next ping.
    SocketIOServer(("127.0.0.1", int(sys.argv[1])), application, resource="socket.io", ping_interval=2).serve_forever()
