"""How a client of Socket.IO protocol 4 joins: ``/`` without asking, others with a query behind their name."""

from __future__ import annotations

import pytest

from webpy_socketio.errors import ProtocolError
from webpy_socketio.state.peer import JoinRequested, Left, Membership, State
from webpy_socketio.state.peer_4 import Peer4
from webpy_socketio.wire.socket_packets import decode_packet


def peer(*, maximum: int = 10) -> Peer4:
    """Make a peer that is in ``/``."""
    made = Peer4(maximum)
    outcome = made.open()
    assert isinstance(outcome, JoinRequested)
    assert (outcome.membership.namespace, outcome.auth, outcome.query) == ("/", {}, "")
    made.accept(outcome.membership)
    return made


def receive(made: Peer4, text: str) -> object:
    return made.receive_packet(decode_packet(text))


def joins(made: Peer4, text: str) -> JoinRequested:
    outcome = receive(made, text)
    assert isinstance(outcome, JoinRequested)
    return outcome


def test_a_client_is_in_the_main_namespace_without_asking() -> None:
    made = peer()
    assert receive(made, '2["a"]') is made.memberships["/"]


@pytest.mark.parametrize("text", ["0", "0/", "0/,", "0/?a=b,"])
def test_who_asks_for_it_all_the_same_is_not_in_it_twice(text: str) -> None:
    made = peer()
    membership = made.memberships["/"]
    assert receive(made, text) is None
    assert made.memberships["/"] is membership
    waiting = Peer4(1)
    waiting.open()
    assert receive(waiting, text) is None


def test_who_has_left_it_may_come_back() -> None:
    made = peer()
    assert isinstance(receive(made, "1"), Left)
    assert joins(made, "0").membership.namespace == "/"


@pytest.mark.parametrize(
    ("text", "name", "auth", "query"),
    [
        ("0/chat", "/chat", {}, ""),
        ("0/chat,", "/chat", {}, ""),
        ("0/chat?token=x", "/chat", {"token": "x"}, "token=x"),
        ("0/chat?token=x,", "/chat", {"token": "x"}, "token=x"),
        ("0/chat?,", "/chat", {}, ""),
        ("0/chat?a=1&b=%C3%BC%26%2C&c=&a=2,", "/chat", {"a": "2", "b": "ü&,", "c": ""}, "a=1&b=%C3%BC%26%2C&c=&a=2"),
        ("0/a?b?c=d,", "/a", {"b?c": "d"}, "b?c=d"),
        ('0/chat?a=1&b=2,{"b":3}', "/chat", {"a": "1", "b": 3}, "a=1&b=2"),
    ],
)
def test_the_query_of_a_namespace_is_its_auth_payload(text: str, name: str, auth: object, query: str) -> None:
    wanted = joins(peer(), text)
    assert (wanted.membership.namespace, wanted.auth, wanted.query) == (name, auth, query)


def test_events_name_the_namespace_without_the_query() -> None:
    made = peer()
    wanted = joins(made, "0/chat?token=x,")
    made.accept(wanted.membership)
    assert receive(made, '2/chat,["a"]') is wanted.membership
    assert isinstance(wanted.membership, Membership)
    assert wanted.membership.state is State.JOINED


def test_a_query_with_very_many_fields_is_refused() -> None:
    outcome = receive(peer(), f"0/chat?{'&'.join('a=1' for _ in range(101))},")
    assert isinstance(outcome, ProtocolError)
    assert "100 fields" in outcome.reason


@pytest.mark.parametrize("text", ["0/chat?a=b,", "0/chat"])
def test_what_is_wrong_in_protocol_5_is_wrong_here(text: str) -> None:
    made = peer()
    made.accept(joins(made, "0/chat?a=b,").membership)
    assert isinstance(receive(made, text), ProtocolError)
    full = peer(maximum=1)
    assert isinstance(receive(full, text), ProtocolError)
