"""The application behind the pages of these tests: python app.py PORT [options of the server, as JSON]."""

from gevent import monkey

monkey.patch_all()

import json
import sys
from pathlib import Path

import web
from web.contrib.template import render_mako

import webpy_socketio
from webpy_socketio import SocketIOServer, on_message, on_subscribe, socketio_urls

PAGES = Path(__file__).resolve().parent / "pages"
render = render_mako(directories=[str(PAGES)])
asked: list[str] = []


class Page:
    def GET(self, name):
        web.header("Content-Type", "text/html; charset=utf-8")
        if name != "readme":  # its script stands in the page, as in the README
            web.header("Content-Security-Policy", "default-src 'self'")
        return getattr(render, name)()


class Script:
    def GET(self, name):
        web.header("Content-Type", "text/javascript; charset=utf-8")
        return (PAGES / f"{name}.js").read_text()


class Icon:
    def GET(self):
        raise web.HTTPError("204 No Content")


class State:
    def GET(self):
        web.header("Content-Type", "application/json")
        return json.dumps({"clients": len(webpy_socketio.clients()), "asked": asked})


@on_subscribe
def subscribing(request, socket, context, channel):
    asked.append(channel)
    return channel != "secret" and (channel != "second try" or asked.count(channel) == 2)


@on_message(channel="^room-")
def chat(request, socket, context, message):
    socket.send_and_broadcast_channel(message)
    return ["seen", socket.channel]


@on_message(namespace="/other")
def other(request, socket, context, message):
    """Make the namespace exist."""


urls = ("/page/([a-z]+)", Page, "/script/([a-z]+).js", Script, "/state", State, "/favicon.ico", Icon)
urls += socketio_urls
web.config.debug = False
application = web.application(urls, globals()).wsgifunc()

if __name__ == "__main__":
    options = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    SocketIOServer(("127.0.0.1", int(sys.argv[1])), application, **options).serve_forever()
