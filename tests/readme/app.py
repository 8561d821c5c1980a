"""A small application around samples of the README that are not one themselves: python app.py PORT SAMPLE...

The samples find what the README's own applications import. Beside them, the event ``resolve`` says whether an
expression of the README exists.
"""

from gevent import monkey

monkey.patch_all()

import sys
from pathlib import Path

import web

import webpy_socketio
from tests.readme.pages import page_urls
from webpy_socketio import *  # noqa: F403  # as in the README

urls = page_urls + socketio_urls  # noqa: F405


@on_event("resolve")  # noqa: F405
def resolve(request, socket, context, expression):
    return repr(eval(expression, {"request": request, "socket": socket, "webpy_socketio": webpy_socketio}))


port, *samples = sys.argv[1:]
for path in samples:
    exec(compile(Path(path).read_text(), path, "exec"))
if "announce" in globals():
    urls += ("/announce", "announce")

web.config.debug = False
app = web.application(urls, globals())
SocketIOServer(("127.0.0.1", int(port)), app.wsgifunc()).serve_forever()  # noqa: F405
