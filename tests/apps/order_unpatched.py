"""No patches at all: the server must refuse to start."""

# ruff: noqa: F403, F405 (as the README tells users to import)

import sys

import mixing_views

from webpy_socketio import *

SocketIOServer(("127.0.0.1", int(sys.argv[1])), mixing_views.application).serve_forever()
