"""A link: one raw socket on the loop's watchers."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from tests.support.certificates import client_context, make_certificate
from tests.support.scripted import Peer, ScriptedSocket, let_the_loop_turn, scripted_pair
from tests.support.waiting import wait_until
from webpy_socketio.transport.arrivals import Arrivals
from webpy_socketio.transport.link import Link, TLSLink, make_link, peer_is_gone


class Owner:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.error: Exception | None = None

    def note(self, what: Any) -> None:
        self.told.append(what)
        if self.error is not None:
            error, self.error = self.error, None
            raise error

    def receive_data(self, data: bytes) -> None:
        self.note(data)

    def receive_end(self) -> None:
        self.note("end")

    def receive_room(self) -> None:
        self.note("room")

    def receive_break(self) -> None:
        self.note("break")

    def receive_failure(self) -> None:
        self.told.append("failure")


class Wire:
    """A link with both of its ends and its owner."""

    def __init__(self, kind: type[Link] = Link) -> None:
        self.socket, self.peer = scripted_pair()
        self.owner = Owner()
        self.socket.setblocking(False)
        self.link = kind(self.socket, Arrivals(gevent.get_hub().loop), self.owner)

    def wait_for(self, *told: Any) -> None:
        wait_until(lambda: self.owner.told == list(told), what=f"{told}, not {self.owner.told}")


@pytest.fixture(params=[Link, TLSLink])
def wire(request: pytest.FixtureRequest) -> Iterator[Wire]:
    wire = Wire(request.param)
    yield wire
    wire.link.close()
    wire.peer.close()


@pytest.fixture
def tls() -> Iterator[Wire]:
    wire = Wire(TLSLink)
    yield wire
    wire.link.close()
    wire.peer.close()


class TestReading:
    def test_nothing_is_read_before_the_start(self, wire: Wire) -> None:
        wire.peer.send(b"early")
        let_the_loop_turn()
        assert wire.owner.told == []
        wire.link.start()
        wire.wait_for(b"early")

    def test_data_and_the_end_are_handed_over_in_order(self, wire: Wire) -> None:
        wire.link.start()
        wire.peer.send(b"one")
        wire.wait_for(b"one")
        wire.peer.send(b"two")
        wire.peer.close()
        wire.wait_for(b"one", b"two", "end")

    def test_the_end_is_told_once(self, wire: Wire) -> None:
        wire.link.start()
        wire.peer.close()
        wire.wait_for("end")
        let_the_loop_turn()
        assert wire.owner.told == ["end"]

    def test_a_reset_is_an_end(self, wire: Wire) -> None:
        wire.socket.receives = [ConnectionResetError()]
        wire.link.start()
        wire.peer.send(b"x")
        wire.wait_for("end")

    @pytest.mark.parametrize("error", [BlockingIOError(), InterruptedError(), ssl.SSLWantReadError()])
    def test_a_false_alarm_is_nothing(self, wire: Wire, error: Exception) -> None:
        wire.peer.send(b"x")
        wire.socket.receives = [error]
        wire.link.start()
        wire.wait_for(b"x")

    def test_while_it_pauses_nothing_is_read(self, wire: Wire) -> None:
        wire.link.start()
        wire.link.pause()
        wire.peer.send(b"x")
        let_the_loop_turn()
        assert wire.owner.told == []
        wire.link.start()
        wire.link.start()  # once more does no harm
        wire.wait_for(b"x")

    def test_what_came_before_the_link_comes_first(self, wire: Wire) -> None:
        wire.peer.send(b"second")
        wire.link.start_with(b"first")
        assert wire.owner.told == []  # in the loop, not in who calls
        wire.wait_for(b"first", b"second")

    def test_what_came_before_a_link_that_is_closed_is_dropped(self, wire: Wire) -> None:
        wire.link.start_with(b"first")
        wire.link.close()
        let_the_loop_turn()
        assert wire.owner.told == []

    def test_an_owner_that_raises_is_told_and_read_on(self, wire: Wire) -> None:
        wire.owner.error = ValueError("no")
        wire.link.start()
        wire.peer.send(b"bad")
        wire.wait_for(b"bad", "failure")
        wire.peer.send(b"good")
        wire.wait_for(b"bad", "failure", b"good")

    def test_an_owner_that_raises_at_the_end_is_told(self, wire: Wire) -> None:
        wire.owner.error = ValueError("no")
        wire.link.start()
        wire.peer.close()
        wire.wait_for("end", "failure")

    def test_an_owner_may_close_while_it_is_told(self, wire: Wire) -> None:
        wire.owner.receive_data = lambda data: wire.link.close()  # type: ignore[method-assign]  # that is the test
        wire.link.start()
        wire.peer.send(b"x")
        wait_until(lambda: wire.socket.is_closed)
        assert wire.link.is_closed


class TestWriting:
    def test_what_the_kernel_takes_is_gone_at_once(self, wire: Wire) -> None:
        assert wire.link.send(b"hello") is True
        assert not wire.link.is_blocked
        assert wire.peer.receive(5) == b"hello"
        assert wire.owner.told == []

    @pytest.mark.parametrize(
        "script", [[2], [0], [BlockingIOError()], [ssl.SSLWantWriteError()], [1, BlockingIOError(), 1, 1]]
    )
    def test_what_it_does_not_take_follows_when_it_can(self, wire: Wire, script: list[Any]) -> None:
        wire.socket.sends = list(script)
        assert wire.link.send(b"hello") is False
        assert wire.link.is_blocked
        assert wire.peer.receive(5) == b"hello"
        wire.wait_for("room")
        assert not wire.link.is_blocked

    def test_a_full_kernel_is_waited_for(self, wire: Wire) -> None:
        wire.link.send(bytes(8_000_000))
        assert wire.link.is_blocked
        assert len(wire.peer.receive(8_000_000)) == 8_000_000
        wire.wait_for("room")

    def test_several_times(self, wire: Wire) -> None:
        for number in range(3):
            wire.socket.sends = [0]
            wire.link.send(b"%d" % number)
            wait_until(lambda: not wire.link.is_blocked)
        assert wire.peer.receive(3) == b"012"
        wire.wait_for("room", "room", "room")

    @pytest.mark.parametrize("error", [BrokenPipeError(), ConnectionResetError(), OSError()])
    def test_a_broken_connection_is_told_and_nothing_waits(self, wire: Wire, error: Exception) -> None:
        wire.socket.sends = [error]
        assert wire.link.send(b"hello") is True
        assert not wire.link.is_blocked
        assert wire.owner.told == ["break"]

    @pytest.mark.parametrize("what", ["data", "end", "room"])
    def test_one_that_has_closed_the_link_before_is_told_as_well(self, wire: Wire, what: str) -> None:
        note = wire.owner.note

        def close_and_fail(what: Any) -> None:
            note(what)
            wire.link.close()
            raise ValueError("no")

        wire.owner.note = close_and_fail  # type: ignore[method-assign]  # for this one owner
        if what == "room":
            wire.socket.sends = [0]
            wire.link.send(b"x")
        else:
            wire.link.start()
            wire.peer.send(b"data") if what == "data" else wire.peer.close()
        wire.wait_for(b"data" if what == "data" else what, "failure")

    def test_an_owner_that_raises_about_room_is_told(self, wire: Wire) -> None:
        wire.socket.sends = [0]
        wire.owner.error = ValueError("no")
        wire.link.send(b"x")
        wire.wait_for("room", "failure")

    def test_the_end_of_our_half_is_sent_and_reading_goes_on(self, wire: Wire) -> None:
        wire.link.start()
        wire.link.finish_writing()
        assert wire.peer.is_at_end()
        wire.peer.send(b"still here")
        wire.wait_for(b"still here")

    def test_ending_a_broken_half_is_nothing(self, wire: Wire) -> None:
        wire.link.close()
        wire.link.finish_writing()


class TestClosing:
    def test_the_socket_is_closed_and_no_callback_comes_any_more(self, wire: Wire) -> None:
        wire.link.start()
        wire.socket.sends = [0]
        wire.link.send(b"never sent")
        wire.peer.send(b"never read")
        wire.link.close()
        assert (wire.link.is_closed, wire.link.is_blocked, wire.socket.is_closed) == (True, False, True)
        let_the_loop_turn()
        assert wire.owner.told == []
        assert wire.peer.is_at_end()

    def test_again_it_does_nothing(self, wire: Wire) -> None:
        wire.link.close()
        wire.link.close()
        wire.link.start()
        wire.link.pause()
        assert wire.link.is_closed

    def test_a_socket_that_cannot_be_closed_is_no_error(self, wire: Wire) -> None:
        def fail() -> None:
            raise OSError

        real_close, wire.socket.close = wire.socket.close, fail  # type: ignore[method-assign]  # that is the test
        wire.link.close()
        assert wire.link.is_closed
        real_close()

    def test_a_child_closes_its_copy_without_shutdown(self, wire: Wire) -> None:
        copy = socket.socket(fileno=socket.dup(wire.socket.fileno()))
        wire.link.close(in_child=True)
        assert wire.socket.is_closed
        copy.sendall(b"the parent goes on")
        assert wire.peer.receive(18) == b"the parent goes on"
        copy.close()


class TestLooking:
    def test_a_peer_that_is_there(self, wire: Wire) -> None:
        assert wire.link.is_gone() is False

    def test_a_peer_that_has_closed(self, wire: Wire) -> None:
        wire.peer.close()
        assert wire.link.is_gone() is True

    def test_a_peer_that_has_closed_behind_data_which_stays_to_be_read(self, wire: Wire) -> None:
        wire.peer.send(b"last words")
        wire.peer.close()
        assert wire.link.is_gone() is True
        wire.link.start()
        wire.wait_for(b"last words", "end")

    def test_a_socket_that_is_closed(self) -> None:
        sock, peer = scripted_pair()
        sock.close()
        assert peer_is_gone(sock) is True
        peer.close()


class TestTLS:
    """What OpenSSL does otherwise than the kernel."""

    def test_all_that_openssl_holds_is_read_without_another_event(self, tls: Wire) -> None:
        tls.socket.receives = [b"one", b"two", b"three", ssl.SSLWantReadError()]
        tls.peer.send(b"x")
        tls.link.start()
        wait_until(lambda: b"three" in tls.owner.told)
        assert tls.owner.told[:3] == [b"one", b"two", b"three"]

    def test_much_of_it_is_read_in_portions_so_that_others_have_their_turn(self, tls: Wire) -> None:
        tls.socket.receives = [b"%d" % number for number in range(200)]
        tls.socket.receives.append(ssl.SSLWantReadError())
        seen: list[int] = []

        def look() -> None:
            seen.append(len(tls.owner.told))
            if seen[-1] < 200:
                gevent.get_hub().loop.run_callback(look)

        tls.link.start()
        look()
        wait_until(lambda: len(tls.owner.told) >= 200)
        assert tls.owner.told[:200] == [b"%d" % number for number in range(200)]
        assert len([count for count in seen if 0 < count < 200]) > 1

    def test_what_it_holds_already_is_read_at_the_start(self, tls: Wire) -> None:
        tls.socket.receives = [b"decrypted before", ssl.SSLWantReadError()]
        tls.link.start()  # nothing comes from the kernel
        tls.wait_for(b"decrypted before")

    def test_after_a_pause_too(self, tls: Wire) -> None:
        def note_and_pause(data: bytes) -> None:
            tls.owner.note(data)
            tls.link.pause()

        tls.owner.receive_data = note_and_pause  # type: ignore[method-assign]  # that is the test
        tls.socket.receives = [b"one", b"two", ssl.SSLWantReadError()]
        tls.link.start()
        tls.wait_for(b"one")
        let_the_loop_turn()
        assert tls.owner.told == [b"one"]
        tls.link.start()
        tls.wait_for(b"one", b"two")

    def test_a_read_that_wants_to_write_goes_on_when_it_can(self, tls: Wire) -> None:
        tls.socket.receives = [ssl.SSLWantWriteError(), b"after the key update", ssl.SSLWantReadError()]
        tls.link.start()
        tls.wait_for("room", b"after the key update")

    def test_a_write_that_wants_to_read_waits_for_data_and_does_not_spin(self, tls: Wire) -> None:
        tls.link.start()
        gevent.sleep(0)
        tls.socket.sends = [ssl.SSLWantReadError()]
        assert tls.link.send(b"hello") is False
        let_the_loop_turn()
        assert (tls.link.is_blocked, len(tls.socket.sent)) == (True, 1)
        tls.peer.send(b"what OpenSSL waits for")
        assert tls.peer.receive(5) == b"hello"
        wait_until(lambda: not tls.link.is_blocked)
        assert tls.owner.told == [b"what OpenSSL waits for", "room"]

    def test_a_real_tls_connection(self, tmp_path: Path) -> None:
        certificate, key = make_certificate(tmp_path)
        server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_context.load_cert_chain(certificate, key)
        ours, theirs = socket.socketpair()
        accepting = gevent.spawn(server_context.wrap_socket, ours, server_side=True)
        client = client_context(certificate).wrap_socket(theirs, server_hostname="localhost")
        server = accepting.get(timeout=5)
        owner = Owner()
        link = make_link(server, Arrivals(gevent.get_hub().loop), owner)
        assert isinstance(link, TLSLink)
        link.start()
        big = bytes(range(256)) * 4096
        client.sendall(b"hello")
        wait_until(lambda: owner.told)
        reading = gevent.spawn(Peer(client).receive, len(big))
        link.send(big)
        assert reading.get(timeout=5) == big
        client.sendall(big)
        wait_until(lambda: sum(len(data) for data in owner.told if data != "room") == 5 + len(big))
        client.close()
        wait_until(lambda: owner.told[-1] == "end")
        link.close()


def test_the_kind_of_link_follows_the_kind_of_socket() -> None:
    sock, peer = scripted_pair()
    link = make_link(sock, Arrivals(gevent.get_hub().loop), Owner())
    assert type(link) is Link
    assert sock.gettimeout() == 0.0
    link.close()
    peer.close()
    assert isinstance(sock, ScriptedSocket)
