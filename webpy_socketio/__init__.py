"""Socket.IO for web.py: channels and events on gevent, for today's clients.

What `import *` gives is in ``__all__`` and nothing else; everything here is reached as an attribute too.
"""

from __future__ import annotations

import logging as _logging

from .config import Config as Config
from .errors import AnswersMissing as AnswersMissing
from .errors import EventError, NoSocket, Refused
from .errors import SocketClosed as SocketClosed
from .errors import UsageError as UsageError
from .events import add_processor as add_processor
from .events import (
    on_connect,
    on_disconnect,
    on_error,
    on_event,
    on_finish,
    on_message,
    on_subscribe,
    on_unsubscribe,
)
from .gateway.endpoint import socketio, socketio_urls
from .gateway.webpy_databases import close_databases as _close_databases
from .gateway.webpy_locals import repair_web_locals as _repair_web_locals
from .hub.out_of_band import broadcast, broadcast_channel, emit, send
from .hub.out_of_band import call as call
from .hub.out_of_band import channel_members as channel_members
from .hub.out_of_band import channels as channels
from .hub.out_of_band import clients as clients
from .hub.out_of_band import disconnect as disconnect
from .hub.socket import Socket as Socket
from .hub.worker import cleanups as _cleanups
from .limit_rules import Violation as Violation
from .limits import on_limit as on_limit
from .limits import rate_limit as rate_limit
from .namespaces import Namespace as Namespace
from .policies import Coalesce as Coalesce
from .scripts import add_templates as add_templates
from .scripts import socketio_scripts as socketio_scripts
from .scripts import template_dir as template_dir
from .server import SocketIOServer
from .types import NO_ACK as NO_ACK

__version__ = "1.0.0.dev0"

__all__ = [
    "EventError",
    "NoSocket",
    "Refused",
    "SocketIOServer",
    "broadcast",
    "broadcast_channel",
    "emit",
    "on_connect",
    "on_disconnect",
    "on_error",
    "on_event",
    "on_finish",
    "on_message",
    "on_subscribe",
    "on_unsubscribe",
    "send",
    "socketio",
    "socketio_urls",
]

_logging.getLogger("webpy_socketio").addHandler(_logging.NullHandler())
# The order of the old README, `import web` before gevent's patches, left web.py's state shared by all requests.
_repair_web_locals()
_cleanups.append(_close_databases)
