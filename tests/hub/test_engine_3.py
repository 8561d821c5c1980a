"""Clients of Engine.IO 3 and Socket.IO protocol 4, as transcripts of what they hear."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.dummy import ENVIRON, DummyClient, connected
from tests.support.waiting import wait_until
from webpy_socketio import Refused, broadcast, clients, emit, on_connect, on_disconnect, on_event, on_finish
from webpy_socketio.hub.hub import Hub


class OldClient(DummyClient):
    """A client of the first two generations: in ``/`` without a word, and it knows its ids itself."""

    def __init__(self, hub: Hub, query: str = "") -> None:
        super().__init__(hub, {**ENVIRON, "QUERY_STRING": f"EIO=3&transport=websocket{query}"}, revision=3)
        self.sid = self.handshake["sid"]

    def heard(self) -> list[str | bytes]:
        """Give what came since the last look, handlers that do not wait included."""
        return self.take()


def test_a_client_is_in_without_asking_under_its_engines_id(hub: Hub) -> None:
    client = OldClient(hub)
    assert client.heard() == ["40"]
    assert clients() == [client.sid]
    assert client.handshake["pingInterval"] == 25_000


def test_on_connect_runs_before_the_reply(hub: Hub) -> None:
    @on_connect
    def welcome(request: Any, socket: Any, context: Any) -> None:
        socket.emit("hello", socket.id, request.query["token"], request.auth)

    client = OldClient(hub, "&token=x")
    client.wait_for(lambda packet: str(packet).startswith("42"))
    assert client.heard() == ["40", f'42["hello","{client.sid}","x",{{}}]']


@pytest.mark.parametrize(
    ("refusal", "packet"),
    [
        (Refused("not you"), '44"not you"'),
        (Refused("not you", {"code": 7}), '44{"code":7}'),
        (Refused("not you", 0), "440"),
        (Refused("not you", {1, 2}), '44"not you"'),
    ],
)
def test_a_refusal_is_a_text_or_its_data(hub: Hub, log: Any, refusal: Refused, packet: str) -> None:
    @on_connect
    def refuse(request: Any, socket: Any, context: Any) -> None:
        raise refusal

    client = OldClient(hub)
    client.wait_for(packet)
    assert client.heard() == [packet]
    assert clients() == []
    assert bool(log.errors()) is (type(refusal.data) is set)


def test_false_refuses_with_the_standard_message(hub: Hub) -> None:
    on_connect(lambda request, socket, context: False)
    OldClient(hub).wait_for('44"Connection refused"')


def test_an_unknown_namespace_is_refused(hub: Hub) -> None:
    client = OldClient(hub)
    client.say("40/nowhere,", "40/nowhere?a=b")
    assert client.heard() == ["40", '44/nowhere,"Invalid namespace"', '44/nowhere,"Invalid namespace"']


def test_a_namespace_has_its_own_id_and_its_query_is_readable_twice(hub: Hub) -> None:
    @on_event("who", namespace="/chat")
    def who(request: Any, socket: Any, context: Any) -> list[Any]:
        return [socket.id, socket.namespace, request.auth, request.query]

    client = OldClient(hub, "&token=old&b64=1")
    client.say("40/chat?token=%C3%BC&b=2,", '42/chat,7["who"]')
    head, reply = client.heard()[1:]
    assert head == "40/chat,"
    assert reply == (
        f'43/chat,7[["/chat#{client.sid}","/chat",{{"token":"ü","b":"2"}},'
        '{"EIO":"3","transport":"websocket","token":"ü","b64":"1","b":"2"}]]'
    )
    assert client.client.request.query["token"] == "old"


def test_pings_are_answered_with_what_was_in_them(hub: Hub) -> None:
    client = OldClient(hub)
    client.say("2", "2probe", "2ü")
    assert client.heard() == ["40", "3", "3probe", "3ü"]


def test_binary_data_begins_with_its_type_both_ways(hub: Hub) -> None:
    on_event("echo")(lambda request, socket, context, data: data)
    client = OldClient(hub)
    holder = '{"_placeholder":true,"num":0}'
    client.say(f'451-1["echo",{holder}]', b"\x04\x01\x02", f'451-2["echo",{holder}]', "b4AQI=")
    assert client.heard() == ["40", f"461-1[{holder}]", b"\x04\x01\x02", f"461-2[{holder}]", b"\x04\x01\x02"]


def test_both_generations_get_one_broadcast(hub: Hub) -> None:
    new, old = connected(hub), OldClient(hub)
    broadcast([b"\xff"])
    emit("news", 1, to=old.sid)
    holder = '451-["message",[{"_placeholder":true,"num":0}]]'
    assert new.take() == [holder, b"\xff"]
    assert old.heard() == ["40", holder, b"\x04\xff", '42["news",1]']


def test_who_leaves_and_comes_back_under_the_same_id_is_there(hub: Hub) -> None:
    ends: list[str] = []
    gate: list[bool] = []

    @on_disconnect
    def left(request: Any, socket: Any, context: Any) -> None:
        ends.append(socket.id)
        wait_until(lambda: bool(gate))

    on_finish(lambda request, socket, context: ends.append("finished"))
    client = OldClient(hub)
    client.say("41", "40")
    assert client.heard() == ["40", "40"]
    assert clients() == [client.sid]
    gate.append(True)
    wait_until(lambda: ends == [client.sid, "finished"] and not hub.workers.is_busy)
    assert clients() == [client.sid]


def test_who_asks_to_be_in_is_not_in_twice(hub: Hub) -> None:
    client = OldClient(hub)
    client.say("40", "40/", "2")
    assert client.heard() == ["40", "3"]


@pytest.mark.parametrize("name", ["/chat#AAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAA"])
def test_no_channel_is_named_like_a_session_id(hub: Hub, name: str) -> None:
    assert connected(hub).ask("__subscribe__", name) == [False]


def test_the_key_to_a_session_never_stands_in_the_log(hub: Hub, log: Any) -> None:
    @on_event("fail", namespace="/chat")
    def fail(request: Any, socket: Any, context: Any) -> None:
        raise ValueError(repr(socket))

    client = OldClient(hub)
    client.say('42["__subscribe__",""]', "40/chat", '42/chat,["fail"]')
    wait_until(lambda: bool(log.errors()))
    told = [text for text, _ in log.errors()] + log.lines("hub") + [str(log.causes()[0])]
    assert f"A handler of socket /chat#{client.sid[:6]}… failed" in told
    assert any(f"Socket {client.sid[:6]}… may not subscribe" in line for line in told)
    assert f"<Socket /chat#{client.sid[:6]}… of /chat open>" in told
    assert not [line for line in told if client.sid in line]


@pytest.mark.parametrize("packet", ["3", "5", "42[", "7", b"", b"\x03"])
def test_a_violation_closes_the_client(hub: Hub, packet: str | bytes) -> None:
    client = OldClient(hub)
    client.say(packet)
    client.wait_for_end()
    assert clients() == []


def test_a_client_that_says_nothing_is_closed_after_interval_and_time_out(make_hub: Callable[..., Hub]) -> None:
    client = OldClient(make_hub(ping_interval=0.1, ping_timeout=0.1))
    client.wait_for_end()
    assert client.heard() == ["40"], "no PING is sent to it"


def test_a_client_that_is_not_read_hears_pongs(make_hub: Callable[..., Hub]) -> None:
    client = OldClient(make_hub(ping_interval=0.05, ping_timeout=0.05))
    client.client.pause()
    wait_until(lambda: client.carrier.sent.count("3") >= 3)
    client.client.resume()
    client.wait_for_end()
