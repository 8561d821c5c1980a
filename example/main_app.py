"""A chat on web.py: rooms, names, history, head counts and system messages over Socket.IO.

Run it with ``python example/main_app.py`` and open http://127.0.0.1:8000/ in two windows. ``SOCKETIO_HOST`` and
``SOCKETIO_PORT`` move it; ``CHAT_DATABASE`` and ``CHAT_SYSMSG_PASSWORD`` are described in ``chat/settings.py``.

Who is in which room is kept by the process that serves it, so the example runs as *one* process.
"""

from gevent import monkey

monkey.patch_all()

import logging
import os
from contextlib import suppress

import web

# Before any web.application is made: debug mode would import this file twice, and sessions do not work under it.
web.config.debug = False

# Importing chat.events is what binds the chat's handlers to Socket.IO's events.
from chat import events, pages, rendering, security, settings, static_files

from webpy_socketio import SocketIOServer, socketio_urls

logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")

SOCKETIO_HOST = os.environ.get("SOCKETIO_HOST", "127.0.0.1")
SOCKETIO_PORT = int(os.environ.get("SOCKETIO_PORT", "8000"))

# The pages are an application of their own, mounted last because "" matches every path. Only they load the session:
# no long poll and no style sheet reads or writes the database.
urls: tuple[object, ...] = (r"/static/(.*)", static_files.StaticFile)
urls += socketio_urls
urls += ("", pages.app)

app = web.application(urls, globals())
app.add_processor(web.loadhook(security.send_headers))
app.notfound, app.internalerror = rendering.not_found, rendering.internal_error

events.resume()
application = app.wsgifunc()

if __name__ == "__main__":
    print(f"The chat is at http://{SOCKETIO_HOST or '127.0.0.1'}:{SOCKETIO_PORT}/ (Ctrl-C ends it)", flush=True)
    settings.announce_password()
    with suppress(KeyboardInterrupt):
        SocketIOServer((SOCKETIO_HOST, SOCKETIO_PORT), application, resource="socket.io").serve_forever()
