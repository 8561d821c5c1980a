"""What stands behind nginx in the tests: python behind_nginx.py PORT [SETTINGS], or the path of a socket."""

from gevent import monkey

monkey.patch_all()

import json
import logging
import socket as sockets
import sys

import web
from gevent.event import Event

import webpy_socketio
from webpy_socketio import SocketIOServer, on_event, socketio_urls
from webpy_socketio.scripts import socketio_scripts

SHOWN = ("REMOTE_PORT", "HTTP_HOST", "HTTP_X_REAL_IP", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO")

continued = Event()


@on_event("echo")
def echo(request, socket, context, *values):
    return values


@on_event("who")
def who(request, socket, context):
    return request.get("REMOTE_ADDR"), request["wsgi.url_scheme"]


@on_event("shout")
def shout(request, socket, context, value):
    socket.emit("shouted", value)


class Seen:
    """What reaches us of a request."""

    def GET(self):
        web.header("Content-Type", "application/json")
        return json.dumps({name: web.ctx.env.get(name) for name in SHOWN})


class Say:
    def POST(self):
        webpy_socketio.emit("said", web.data().decode())
        return "ok"


class Stream:
    """An answer in two pieces, below the endpoint's path; the second comes when it is asked for."""

    def GET(self):
        continued.clear()
        web.header("Content-Type", "text/plain")
        yield b"first"
        continued.wait(30)
        yield b"second"

    def POST(self):
        continued.set()
        return "ok"


class Page:
    def GET(self):
        web.header("Content-Type", "text/html; charset=utf-8")
        return f"<!doctype html><title>Behind nginx</title>{socketio_scripts()}<script>const socket = io();</script>"


class Icon:
    def GET(self):
        raise web.HTTPError("204 No Content")


urls = ("/seen", Seen, "/say", Say, "/socket.io/stream", Stream, "/page", Page, "/favicon.ico", Icon)
urls += socketio_urls


def listener(where):
    if where.isdecimal():
        return "127.0.0.1", int(where)
    listening = sockets.socket(sockets.AF_UNIX)
    listening.bind(where)
    listening.listen()
    print("listening")
    return listening


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    web.config.debug = False
    application = web.application(urls, globals()).wsgifunc()
    settings = {"message_log_format": "%(HTTP_X_REAL_IP)s says %(MESSAGE)s"}
    settings |= json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    server = SocketIOServer(listener(sys.argv[1]), application, **settings)
    server.serve_forever()
