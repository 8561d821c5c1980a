"""Pages with clients of old, and the endpoint they talk to: ``python old_clients_app.py PORT SETTINGS`` (JSON).

``/page?client=2&url=…&options={…}`` connects ``window.socket`` with client 2.x to the address (its own if empty).
"""

from gevent import monkey

monkey.patch_all()

import html
import json
import sys
from pathlib import Path

import web

from webpy_socketio import SocketIOServer, on_event, socketio_urls

MODULES = Path(__file__).resolve().parent.parent / "js" / "node_modules"
PAGE = """<!doctype html><title>Old client</title><meta charset="utf-8"><body data-options="{options}">
<script src="/client/{client}"></script>
<script>
const heard = [], errors = [];
const {{ url, options }} = JSON.parse(document.body.dataset.options);
const socket = io(url || location.origin, {{ ...options, autoConnect: false }});
// Later, as a script that is polled for would keep the page from being loaded.
addEventListener("load", () => setTimeout(() => socket.connect(), 0));
socket.on("echoed", (...values) => heard.push(...values));
for (const event of ["connect_error", "error"])
    socket.on(event, (error) => errors.push(String((error && error.message) || error)));
const ask = (...args) => new Promise((resolve) => socket.emit(...args, resolve));
</script></body>"""


@on_event("echo")
def echo(request, socket, context, *values):
    socket.emit("echoed", *values)
    return len(values)


@on_event("who")
def who(request, socket, context):
    return {"cookies": request.cookies, "via": socket.protocol, "revision": request.query["EIO"]}


class Page:
    def GET(self):
        given = web.input(client="2", url="", options="{}")
        options = json.dumps({"url": given.url, "options": json.loads(given.options)})
        web.header("Content-Type", "text/html; charset=utf-8")
        web.header("Set-Cookie", "user=ann; Path=/")
        return PAGE.format(client=int(given.client), options=html.escape(options))


class Script:
    def GET(self, version):
        web.header("Content-Type", "text/javascript; charset=utf-8")
        return (MODULES / f"socket.io-client-{version}" / "dist" / "socket.io.js").read_bytes()


class Icon:
    def GET(self):
        raise web.HTTPError("204 No Content")


urls = ("/page", Page, r"/client/(\d)", Script, "/favicon.ico", Icon, *socketio_urls)

if __name__ == "__main__":
    web.config.debug = False
    application = web.application(urls, globals()).wsgifunc()
    SocketIOServer(("127.0.0.1", int(sys.argv[1])), application, **json.loads(sys.argv[2])).serve_forever()
