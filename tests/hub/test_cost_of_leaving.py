"""Defect D of the peers (see tests/security/test_peer_defects.py): there, each client that leaves costs a look at all
others or at all their channels. What is compared here is the number of steps: a busy machine changes no count.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from tests.support.wired import WiredClient
from tests.support.work import Noticed, is_same, steps
from webpy_socketio.events import on_disconnect, on_finish, on_unsubscribe
from webpy_socketio.hub.client import Client
from webpy_socketio.hub.core import HubCore
from webpy_socketio.hub.hub import Hub
from webpy_socketio.hub.socket import Socket

FEW, MANY = 5, 205
CHANNELS = 3
ALL = Noticed("all")
_numbers = count()


@pytest.fixture
def hub(make_hub: Callable[..., Hub], monkeypatch: pytest.MonkeyPatch) -> Hub:
    """A hub in which searches for clients, sockets and ids are counted, even those that the interpreter makes."""
    make_id = HubCore.new_id
    monkeypatch.setattr(HubCore, "new_id", lambda self: Noticed(make_id(self)))
    for kind in (Client, Socket):
        monkeypatch.setattr(kind, "__eq__", is_same)
        monkeypatch.setattr(kind, "__hash__", object.__hash__)
    return make_hub(ping_interval=600, connect_timeout=600)  # nothing is due meanwhile, however slow the machine is


def come(hub: Hub) -> WiredClient:
    """Connect, and subscribe to channels of one's own and to one where all are."""
    client = WiredClient(hub)
    session_id = client.join()
    socket = hub.sockets("/")[session_id]
    number = next(_numbers)
    for name in (ALL, *(Noticed(f"{number}, channel {each}") for each in range(CHANNELS))):
        assert socket.subscribe(name)
    return client


def cost_of_leaving(hub: Hub, client: WiredClient) -> int:
    there = len(hub.clients)
    cost = steps(client.client.carrier.receive_end)
    client.peer.close()
    assert (len(hub.clients), len(hub.sockets("/"))) == (there - 1, there - 1)
    assert len(hub.namespaces["/"].channels) == 1 + CHANNELS * (there - 1)
    return cost


@pytest.mark.parametrize("heard", [False, True], ids=["nobody listens", "handlers listen"])
def test_peer_defect_d_leaving_costs_the_same_however_many_are_there(hub: Hub, heard: bool) -> None:
    told: list[str] = []
    if heard:
        on_disconnect(lambda request, socket, context: told.append("disconnect"))
        on_unsubscribe(lambda request, socket, context, channel: told.append(channel))
        on_finish(lambda request, socket, context: told.append("finish"))
    clients = [come(hub) for _ in range(FEW + 2)]
    cost_of_leaving(hub, clients.pop())  # what is made once is made now
    among_few = cost_of_leaving(hub, clients.pop(0))
    clients += [come(hub) for _ in range(MANY - FEW + 1)]
    first, last = cost_of_leaving(hub, clients.pop(0)), cost_of_leaving(hub, clients.pop())
    assert among_few == first == last > 50  # of compiled modules no line is counted, only what they compare
    assert len(told) == heard * 4 * (1 + (1 + CHANNELS) + 1)
    for client in clients:
        client.peer.close()
