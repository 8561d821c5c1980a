"""The hub of a process: its clients, its namespaces, and how both begin.

There is one default hub per process; the first server, or the first request that reaches the endpoint, opens it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from time import monotonic

from ..config import Config, current
from ..events import Registry, registry
from ..state.engine_session import EngineSession
from ..state.engine_session_3 import EngineSession3
from ..transport.websocket import WebSocketCarrier
from ..wire.deflate import Agreement
from .client import Client
from .core import HubCore
from .engine_3 import Client3
from .engine_client import EngineClient
from .home import Home
from .request import Request
from .socket_core import SocketCore
from .socket_core import State as SocketState

__all__ = ["Hub", "default_hub"]

#: Makes the client of a new session: Socket.IO's, unless something else is spoken over the engine.
ClientFactory = Callable[[HubCore, EngineSession, Request], EngineClient]


class Hub(HubCore):
    """All clients of one endpoint. ``make_client`` puts another protocol than Socket.IO on the engine."""

    def __init__(self, config: Config, handlers: Registry, make_client: ClientFactory | None = None) -> None:
        super().__init__(config, handlers)
        self.namespaces: dict[str, Home[SocketCore]] = {}
        self._make_client = make_client or self._make_socket_client
        self.is_forked = False

    def _make_socket_client(self, core: HubCore, session: EngineSession, request: Request) -> EngineClient:
        kind = Client3 if isinstance(session, EngineSession3) else Client
        return kind(core, session, request, self.namespaces)

    def open_client(self, request: Request, *, upgraded: bool, revision: int = 4) -> EngineClient:
        """Begin a session, on a WebSocket (``upgraded``) or on long-polling; its carrier is still to be started.

        ``revision`` is that of Engine.IO, 3 or 4.
        """
        make_session = EngineSession if revision == 4 else EngineSession3
        session = make_session(
            self.new_id(),
            upgraded=upgraded,
            ping_interval=self.config.ping_interval,
            ping_timeout=self.config.ping_timeout,
            now=monotonic(),
        )
        client = self._make_client(self, session, request)
        self.clients[session.sid] = client
        return client

    def engine_client(self, sid: str) -> EngineClient | None:
        """Find the client of a session by its secret id."""
        client = self.clients.get(sid)
        return client if isinstance(client, EngineClient) else None

    def websocket(self, sock: object, agreement: Agreement | None = None) -> WebSocketCarrier:
        """Make a carrier of a raw socket whose opening handshake is done, with the ``agreement`` on compression."""
        return WebSocketCarrier(sock, self.arrivals, self.turn, self.wheel, self.config, agreement)

    def sockets(self, namespace: str) -> dict[str, SocketCore]:
        """Give the sockets of a namespace by their ids."""
        home = self.namespaces.get(namespace)
        return home.sockets if home is not None else {}

    def open(self) -> None:
        """Bind to the calling thread's loop, if that has not happened yet; a forked child may begin anew."""
        if not self.is_open:
            self.is_forked = False
            super().open()
            _open_hubs.add(self)

    def shut(self) -> None:
        """Stop the watchers; the hub can be opened again."""
        super().shut()
        _open_hubs.discard(self)

    def abandon(self) -> None:
        """Drop everything in a forked child: its copies of the parent's connections, without a word to the peers."""
        if not self.is_open:
            return
        self.is_forked = True
        self.loop.reinit()
        self.workers.abandon()
        for home in self.namespaces.values():
            for socket in home.sockets.values():
                socket.state = SocketState.ENDED
        carriers = [carrier for client in self.clients.values() for carrier in client.carriers()]
        for carrier in [*carriers, *self.wheel.entries()]:  # those that are closing are in the wheel only
            if isinstance(carrier, WebSocketCarrier):
                carrier.abort(in_child=True)
        self.clients.clear()
        self.farewells.clear()
        self.addresses.clear()
        self.namespaces.clear()
        self.wheel.close()
        self.turn.close()
        self.limits.close()
        self.doorbell.close()
        self.is_open = False
        _open_hubs.discard(self)
        # Handlers of the parent that block would take the places of the child's, and its log's.
        self._set_up()
        self.workers.open()


#: Those that a forked child has copies of.
_open_hubs: set[Hub] = set()
_default: Hub | None = None


def _abandon_hubs() -> None:
    for hub in list(_open_hubs):
        hub.abandon()


os.register_at_fork(after_in_child=_abandon_hubs)


def default_hub() -> Hub:
    """Give the process's hub, made from the settings in force."""
    global _default
    if _default is None or (not _default.is_open and _default.config != current()):
        _default = Hub(current(), registry)
    return _default
