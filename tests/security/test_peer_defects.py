"""What goes wrong with other servers of this kind (python-socketio 5.18.1 on gevent, socket.io 4.8.4), tried on ours.

The letters are those under which the defects were written down. D, leaving that costs more the more clients are there,
is a matter of counting steps inside the process: tests/hub/test_cost_of_leaving.py. H and I concern adapters of Redis,
which have their own tests where there is such a thing.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.apps.raw_server import RawServer
from tests.support.raw import BINARY, SEPARATOR, PollingSession, Session, WebSocketSession, frame
from tests.support.waiting import wait_until

DATA = bytes(range(256))


@pytest.mark.parametrize("order", ["websocket first", "polling first"])
def test_peer_defect_a_a_binary_broadcast_to_both_transports(tmp_path: Path, order: str) -> None:
    kinds: Sequence[type[WebSocketSession] | type[PollingSession]] = [WebSocketSession, PollingSession] * 3
    with RawServer(tmp_path) as server, ExitStack() as stack:
        sessions = [stack.enter_context(kind(server.port)) for kind in kinds[order != "websocket first" :]]
        for sender in sessions[:2]:
            say_bytes(sender)
            for session in sessions:
                assert hear_bytes(session) == DATA
        for session in sessions:
            assert session.echo("alive") == "alive"


def say_bytes(session: Session) -> None:
    packet = '451-["tell all",{"_placeholder":true,"num":0}]'
    if isinstance(session, WebSocketSession):
        session.send_text(packet)
        session.send(frame(BINARY, DATA))
    else:
        session.send_packet(f"{packet}{SEPARATOR}b{b64encode(DATA).decode()}")


def hear_bytes(session: Session) -> bytes:
    assert session.next_packet() == '451-["message",{"_placeholder":true,"num":0}]'
    if isinstance(session, WebSocketSession):
        opcode, payload = session.read_frame()
        assert opcode == BINARY
        return payload
    attachment = session.next_packet()
    assert attachment.startswith("b")
    return b64decode(attachment[1:])


def test_peer_defect_b_what_waits_for_a_client_that_does_not_read_is_bounded(server: RawServer) -> None:
    with WebSocketSession(server.port, receive_buffer=4_096) as stalled:
        before = server.state()["kilobytes"]
        stalled.emit("bytes", 3_000, 100_000)
        wait_until(lambda: server.state()["clients"] == 2, what="the end of the client that does not read")
        assert any("outbox_limit" in text for _, _, text, _ in server.records())
        state = server.state()
        assert state["kilobytes"] - before < 4 * 16_000  # in place of 300 MB: its outbox_limit, and copies of it
        assert state["budget"] == 0


def test_peer_defect_c_events_are_handled_in_their_order(server: RawServer) -> None:
    with WebSocketSession(server.port) as session:
        for number in range(20):
            session.emit("sleep", 0.02 if number % 3 == 0 else 0, ack=number)
            session.emit("echo", number)
        for number in range(20):
            assert session.receive_ack(number) == [True]
            assert session.receive() == ["echo", number]


def test_peer_defect_e_a_connect_handler_that_raises_typeerror_is_called_once(server: RawServer) -> None:
    with WebSocketSession(server.port, joined=False) as session:
        session.send_packet('40{"wish":"type error"}')
        assert session.next_packet().startswith("40{")  # what a handler raises is no refusal
        assert session.echo("in") == "in"
    assert server.seen("connected with a type error") == 1


@pytest.mark.parametrize("count", [17, 40, 5_000])
def test_peer_defect_f_forty_emits_in_one_post(server: RawServer, count: int) -> None:
    with PollingSession(server.port) as session:
        events = [f'42["echo",{number}]' for number in range(count)]
        assert session.post(SEPARATOR.join(events)).text == "ok"
        assert [session.receive() for _ in range(count)] == [["echo", number] for number in range(count)]


@pytest.mark.parametrize("kind", [WebSocketSession, PollingSession])
def test_peer_defect_g_an_offer_of_recovery_changes_no_event(
    server: RawServer, kind: type[WebSocketSession] | type[PollingSession]
) -> None:
    # There is no recovery of a session's state here: a client that offers it is new, and is told so by getting no pid.
    with kind(server.port, joined=False) as session:
        session.send_packet('40{"pid":"of an earlier session","offset":"of an event"}')
        answer = session.next_packet()
        assert answer.startswith('40{"sid":')
        assert "pid" not in answer
        for values in ([], ["a trailing string"], [1, "", "an offset?"]):
            if kind is WebSocketSession:  # on polling, a volatile event finds no GET that it could leave with
                session.emit("volatile", *values)
                assert session.receive() == ["volatile", *values]
            session.emit("echo", *values)
            assert session.receive() == ["echo", *values]
