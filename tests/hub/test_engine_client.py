"""One Engine.IO session: its handshake, heartbeats, upgrade and outbox, over real sockets and by long-polling."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import gevent
import pytest
from gevent.event import Event

from tests.hub.conftest import FaultySettings, Log
from tests.support.dummy import DummyClient, connected
from tests.support.scripted import scripted_pair
from tests.support.transcripts import client_frame
from tests.support.waiting import wait_until
from tests.support.wired import CLOSE, PING, PONG, TEXT, WiredClient, wired
from webpy_socketio import broadcast, on_connect, on_disconnect, on_message
from webpy_socketio.hub.hub import Hub
from webpy_socketio.hub.request import Request

MakeHub = Callable[..., Hub]


class PollingClient:
    """A session by long-polling, as the gateway drives it: each GET and POST is a call."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.client: Any = hub.open_client(Request({}), upgraded=False)
        self.client.open(offer_upgrade=True)
        self.handshake = json.loads(self.get()[0][1:])

    def get(self) -> list[str]:
        """Poll until there is something."""
        poll = self.client.carrier.open_poll(None)
        assert poll is not None
        body = self.client.carrier.wait_payload(poll)
        self.client.carrier.settle_poll(poll, written=True)
        return body.decode().split("\x1e")

    def post(self, *packets: str) -> None:
        carrier = self.client.carrier
        for packet in packets:
            self.client.receive_message(carrier, packet)
        self.hub.workers.request()

    def join(self) -> None:
        self.post("40")
        assert self.get()[0].startswith('40{"sid"')


class Candidate:
    """A WebSocket that wants to become the carrier of a session."""

    def __init__(self, hub: Hub, client: Any, early: tuple[str, ...] = ()) -> None:
        self.socket, self.peer = scripted_pair()
        early_data = b"".join(client_frame(TEXT, packet.encode()) for packet in early)
        client.start_candidate(hub.websocket(self.socket), early_data)

    def say(self, *packets: str) -> None:
        self.peer.send(b"".join(client_frame(TEXT, packet.encode()) for packet in packets))

    def hear(self) -> str:
        opcode, payload = self.peer.receive_frame()
        assert opcode == TEXT, (opcode, payload)
        return payload.decode()


class TestHandshake:
    def test_it_says_what_the_settings_are(self, make_hub: MakeHub) -> None:
        hub = make_hub(ping_interval=1.5, ping_timeout=0.25, max_payload=5000)
        handshake = WiredClient(hub).handshake
        sid = handshake.pop("sid")
        assert handshake == {"upgrades": [], "pingInterval": 1500, "pingTimeout": 250, "maxPayload": 5000}
        assert sid in hub.clients
        assert len(sid) == 20

    def test_polling_offers_the_upgrade(self, make_hub: MakeHub) -> None:
        assert PollingClient(make_hub()).handshake["upgrades"] == ["websocket"]

    def test_but_not_where_websockets_are_not_offered(self, make_hub: MakeHub) -> None:
        assert PollingClient(make_hub(transports=("polling",))).handshake["upgrades"] == []

    def test_bytes_that_came_with_the_request_are_not_lost(self, hub: Hub) -> None:
        got: list[Any] = []

        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            gevent.sleep(0.001)

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            got.append(message)
            socket.send("late")

        client = WiredClient(hub, early=("40", '42["message","early"]'))
        client.say('42["message","later"]')
        assert client.hear().startswith('40{"sid"')
        assert [client.hear(), client.hear()] == ['42["message","late"]'] * 2
        assert got == ["early", "later"]

    def test_whoever_brings_early_bytes_does_not_run_handlers_itself(self, hub: Hub) -> None:
        ran_in: list[Any] = []

        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            ran_in.append(gevent.getcurrent())
            Event().wait()

        request = gevent.spawn(WiredClient, hub, early=("40",))
        request.join(timeout=5)
        assert request.successful()
        wait_until(lambda: ran_in)
        assert request is not ran_in[0]


class TestHeartbeats:
    def test_the_server_pings_and_a_client_that_answers_lives(self, make_hub: MakeHub) -> None:
        client = wired(make_hub(ping_interval=0.02, ping_timeout=5))
        for _ in range(4):
            assert client.hear() == "2"
            client.say("3")
        assert not client.client.is_closed

    def test_the_first_ping_is_not_early(self, make_hub: MakeHub) -> None:
        begin = time.monotonic()
        client = wired(make_hub(ping_interval=0.05, ping_timeout=1))
        assert client.hear() == "2"
        assert time.monotonic() - begin >= 0.05

    def test_one_that_does_not_is_gone_with_a_reason(self, make_hub: MakeHub) -> None:
        got: list[Any] = []
        hub = make_hub(ping_interval=0.2, ping_timeout=0.3)

        @on_disconnect
        def disconnect(request: Any, socket: Any, context: Any) -> None:
            got.append(socket.reason)

        begin = time.monotonic()
        client = wired(hub)
        assert client.hear() == "2"
        client.hear_close()
        assert time.monotonic() - begin >= 0.5
        wait_until(lambda: got)
        assert got == ["ping timeout"]
        assert hub.clients == {}

    def test_a_polling_client_is_pinged_too(self, make_hub: MakeHub) -> None:
        client = PollingClient(make_hub(ping_interval=0.02, ping_timeout=1))
        client.join()
        assert client.get() == ["2"]
        client.post("3")
        assert client.get() == ["2"]

    def test_websocket_pings_are_answered_in_between(self, hub: Hub) -> None:
        client = wired(hub)
        client.peer.send(client_frame(PING, b"still there?"))
        assert client.peer.receive_frame() == (PONG, b"still there?")


class TestReadingIsStopped:
    """What becomes of heartbeats and of the end, while the client's handlers are behind."""

    SETTINGS = {"mailbox_low": 1, "mailbox_high": 2, "mailbox_hard": 4, "ping_interval": 0.1, "ping_timeout": 0.05}

    @pytest.fixture
    def gate(self, make_hub: Any) -> Event:
        gate = Event()

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            gate.wait()
            socket.send(message)

        return gate

    def paused(self, hub: Hub) -> WiredClient:
        client = wired(hub)
        client.say(*['42["message",1]'] * 3)
        wait_until(lambda: client.client.is_paused)
        return client

    def test_the_kernel_slows_the_peer(self, make_hub: MakeHub, gate: Event) -> None:
        client = self.paused(make_hub(**{**self.SETTINGS, "ping_interval": 25}))
        client.peer.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.peer.socket.sendall(bytes(50_000_000))
        assert not client.client.is_closed
        gate.set()

    def test_it_goes_on_where_it_stopped(self, make_hub: MakeHub, gate: Event) -> None:
        client = self.paused(make_hub(**{**self.SETTINGS, "ping_interval": 25}))
        client.say(*[f'42["message",{number}]' for number in range(2, 20)])
        gate.set()
        heard = [client.hear() for _ in range(21)]
        assert heard == ['42["message",1]'] * 3 + [f'42["message",{number}]' for number in range(2, 20)]

    def test_the_pong_deadline_is_suspended_but_pings_go_on(self, make_hub: MakeHub, gate: Event) -> None:
        client = self.paused(make_hub(**self.SETTINGS))
        for _ in range(4):  # without them a client would think that the server is gone
            assert client.hear() == "2"
        assert not client.client.is_closed
        gate.set()
        wait_until(lambda: not client.client.is_paused)
        client.say("3")

    def test_afterwards_it_is_in_force_again(self, make_hub: MakeHub, gate: Event) -> None:
        client = self.paused(make_hub(**self.SETTINGS))
        assert client.hear() == "2"
        gate.set()
        wait_until(lambda: client.client.is_closed)
        client.hear_close()

    def test_the_end_of_the_peer_is_noticed_by_a_look(self, make_hub: MakeHub, gate: Event) -> None:
        client = self.paused(make_hub(**self.SETTINGS))
        [socket] = client.client.sockets()
        client.peer.close()
        wait_until(lambda: client.client.is_closed)
        assert socket.reason == "transport close"
        gate.set()

    def test_a_post_waits_until_handlers_have_caught_up(self, make_hub: MakeHub, gate: Event) -> None:
        client = PollingClient(make_hub(**{**self.SETTINGS, "ping_interval": 25}))
        client.join()
        client.post(*['42["message",1]'] * 3)
        wait_until(lambda: client.client.is_paused)
        assert client.client.wait_until_resumed(0.01) is False
        waiting = gevent.spawn(client.client.wait_until_resumed, 5)
        gate.set()
        assert waiting.get(timeout=5) is True
        assert client.client.wait_until_resumed(0) is True

    def test_a_post_that_waits_is_released_by_the_end(self, make_hub: MakeHub, gate: Event) -> None:
        hub = make_hub(**{**self.SETTINGS, "ping_interval": 25})
        client = PollingClient(hub)
        client.join()
        client.post(*['42["message",1]'] * 3)
        waiting = gevent.spawn(client.client.wait_until_resumed, 30)
        gevent.sleep(0)
        hub.close(client.client, "transport close")
        waiting.get(timeout=5)
        gate.set()


class TestUpgrade:
    def test_a_session_moves_from_polling_to_a_websocket(self, hub: Hub) -> None:
        client = PollingClient(hub)
        client.join()
        [socket] = client.client.sockets()
        assert socket.protocol == "polling"
        candidate = Candidate(hub, client.client)
        candidate.say("2probe")
        assert candidate.hear() == "3probe"
        candidate.say("5")
        wait_until(lambda: socket.protocol == "websocket")
        socket.send("over the socket")
        assert candidate.hear() == '42["message","over the socket"]'
        candidate.say("41")
        wait_until(lambda: not socket.connected)

    def test_a_waiting_poll_is_released_by_the_probe(self, hub: Hub) -> None:
        client = PollingClient(hub)
        client.join()
        poll = gevent.spawn(client.get)
        gevent.sleep(0)
        Candidate(hub, client.client, early=("2probe",))
        assert poll.get(timeout=5) == ["6"]

    def test_no_packet_is_lost_or_doubled(self, hub: Hub) -> None:
        client = PollingClient(hub)
        client.join()
        [socket] = client.client.sockets()
        candidate = Candidate(hub, client.client)
        socket.send(0)
        candidate.say("2probe")
        assert candidate.hear() == "3probe"
        socket.send(1)
        heard = client.get()
        socket.send(2)
        candidate.say("5")
        wait_until(lambda: socket.protocol == "websocket")
        socket.send(3)
        heard += [candidate.hear(), candidate.hear()]
        assert heard == [f'42["message",{number}]' for number in range(4)]

    def test_packets_on_their_way_in_a_poll_come_first(self, hub: Hub) -> None:
        client = PollingClient(hub)
        client.join()
        [socket] = client.client.sockets()
        carrier = client.client.carrier
        candidate = Candidate(hub, client.client, early=("2probe",))
        assert candidate.hear() == "3probe"
        socket.send("taken")
        poll = carrier.open_poll(None)
        assert carrier.wait_payload(poll) == b'42["message","taken"]'
        candidate.say("5")
        wait_until(lambda: socket.protocol == "websocket")
        socket.send("next")
        carrier.settle_poll(poll, written=False)  # the poll's connection broke: its packet goes by the other way
        assert [candidate.hear(), candidate.hear()] == ['42["message","taken"]', '42["message","next"]']

    @pytest.mark.parametrize("bad", ["5", "2", "2x", "4x", "9", ""])
    def test_a_bad_upgrade_costs_the_candidate_only(self, hub: Hub, log: Log, bad: str) -> None:
        client = PollingClient(hub)
        client.join()
        [socket] = client.client.sockets()
        candidate = Candidate(hub, client.client)
        candidate.say(bad)
        assert candidate.peer.receive_frame()[0] == CLOSE
        socket.send("still polling")
        assert client.get() == ['42["message","still polling"]']
        wait_until(lambda: any("did not upgrade" in line for line in log.lines("session")))

    def test_what_else_a_bad_candidate_sent_in_one_read_is_ignored(self, hub: Hub) -> None:
        client = PollingClient(hub)
        client.join()
        first = Candidate(hub, client.client)
        first.say("4x", "2probe", "5")
        assert first.peer.receive_frame()[0] == CLOSE
        second = Candidate(hub, client.client)
        second.say("2probe")
        assert second.hear() == "3probe"
        second.say("5")
        wait_until(lambda: client.client.carrier.name == "websocket")

    def test_a_candidate_that_goes_away_leaves_the_session_as_it_was(self, hub: Hub) -> None:
        client = PollingClient(hub)
        client.join()
        [socket] = client.client.sockets()
        candidate = Candidate(hub, client.client, early=("2probe",))
        assert candidate.hear() == "3probe"
        candidate.peer.close()
        wait_until(lambda: client.client.candidate is None)
        poll = gevent.spawn(client.get)
        gevent.sleep(0)
        assert not poll.ready()
        socket.send("held again")
        assert poll.get(timeout=5) == ['42["message","held again"]']

    def test_an_upgrade_that_never_completes_ends_with_its_time(self, make_hub: MakeHub) -> None:
        hub = make_hub(upgrade_timeout=0.03)
        client = PollingClient(hub)
        client.join()
        candidate = Candidate(hub, client.client, early=("2probe",))
        assert candidate.hear() == "3probe"
        assert candidate.peer.receive_frame()[0] == CLOSE
        assert client.client.candidate is None
        assert not client.client.is_closed

    def test_the_end_of_the_session_is_the_end_of_the_candidate(self, hub: Hub) -> None:
        client = PollingClient(hub)
        client.join()
        candidate = Candidate(hub, client.client)
        client.post("1")
        assert candidate.peer.receive_frame()[0] == CLOSE
        assert hub.clients == {}

    def test_a_post_under_way_during_the_upgrade_is_not_lost(self, hub: Hub) -> None:
        got: list[Any] = []

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            got.append(message)

        client = PollingClient(hub)
        client.join()
        carrier = client.client.carrier
        candidate = Candidate(hub, client.client, early=("2probe",))
        assert candidate.hear() == "3probe"
        candidate.say("5")
        wait_until(lambda: client.client.carrier is not carrier)
        client.client.receive_message(carrier, '42["message","by POST"]')
        hub.workers.request()
        wait_until(lambda: got)
        assert got == ["by POST"]


class TestTheOutboxIsFull:
    def test_disconnect_is_the_default(self, make_hub: MakeHub, log: Log) -> None:
        client = connected(make_hub(outbox_limit=1_000))
        client.carrier.is_blocked = True
        socket = client.socket()
        assert [socket.send("x" * 500), socket.send("x" * 500), socket.send("x")] == [True, False, False]
        assert client.carrier.ended == (1008, "slow consumer")
        assert socket.reason == "transport error"
        wait_until(lambda: any("outbox_limit is 1000" in line for line in log.lines("session")))

    def test_drop_newest_keeps_what_waits(self, make_hub: MakeHub) -> None:
        client = connected(make_hub(outbox_limit=1_200, outbox_policy="drop_newest"))
        client.carrier.is_blocked = True
        sent = [client.socket().send([number, "x" * 100]) for number in range(5)]
        client.unblock()
        assert sent == [True] * 3 + [False] * 2
        assert [str(packet)[14:15] for packet in client.heard()] == ["0", "1", "2"]

    def test_drop_oldest_keeps_the_latest(self, make_hub: MakeHub) -> None:
        client = connected(make_hub(outbox_limit=1_200, outbox_policy="drop_oldest"))
        client.carrier.is_blocked = True
        sent = [client.socket().send([number, "x" * 100]) for number in range(5)]
        client.unblock()
        assert sent == [True] * 5
        assert [str(packet)[14:15] for packet in client.heard()] == ["2", "3", "4"]

    def test_packets_are_dropped_with_their_attachments(self, make_hub: MakeHub) -> None:
        client = connected(make_hub(outbox_limit=1_500, outbox_policy="drop_oldest"))
        client.carrier.is_blocked = True
        for number in range(4):
            client.socket().emit("file", number, b"%d" % number + bytes(300))
        client.unblock()
        heard = client.heard()
        assert [str(packet)[:18] for packet in heard[::2]] == ['451-["file",2,{"_p', '451-["file",3,{"_p']
        assert [bytes(packet)[:1] for packet in heard[1::2]] == [b"2", b"3"]

    @pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest"])
    def test_control_packets_and_acks_are_never_dropped(self, make_hub: MakeHub, policy: str) -> None:
        hub = make_hub(outbox_limit=2_000, outbox_policy=policy)

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> str:
            return "ack"

        on_message(namespace="/side")(chat)
        client = connected(hub)
        client.carrier.is_blocked = True
        client.socket().send("x" * 1_500)
        client.client.receive_deadline(client.client.session.deadline + 0.001)
        client.say('421["message"]', "40/side,", "40/unheard,")
        client.socket().send("y" * 1_500)
        client.socket().disconnect()
        client.unblock()
        kept = [str(packet)[:5] for packet in client.take() if not str(packet).startswith("42")]
        assert kept == ["2", "40/si", "44/un", '431["', "41"]

    def test_even_they_have_a_limit(self, make_hub: MakeHub) -> None:
        hub = make_hub(outbox_limit=1_000, outbox_policy="drop_newest")

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> str:
            return "ack"

        client = connected(hub)
        client.carrier.is_blocked = True
        client.say(*[f'42{number}["message"]' for number in range(20)])
        wait_until(lambda: client.carrier.ended)
        assert client.carrier.ended == (1008, "slow consumer")

    def test_what_waits_for_slow_consumers_is_not_copied_for_each_of_them(self, make_hub: MakeHub) -> None:
        hub = make_hub(outbox_limit=10_000)
        clients = [wired(hub) for _ in range(3)]
        while hub.clients:
            broadcast("x" * 1_000)
        for client in clients:
            assert client.peer.receive_frame() == (CLOSE, (1008).to_bytes(2, "big") + b"slow consumer")

    @pytest.mark.parametrize(("reason", "leaves"), [("ping timeout", False), ("forced server close", True)])
    def test_what_waits_for_a_client_that_does_not_read_leaves_at_an_orderly_end_only(
        self, hub: Hub, reason: str, leaves: bool
    ) -> None:
        client = wired(hub)
        client.socket.sends = [0, 0]
        broadcast("begins to be stuck")
        gevent.sleep(0)
        assert client.client.outbox.stuck
        broadcast("behind it")
        hub.close(client.client, reason)
        assert hub.budget.used == 0
        heard = [client.peer.receive_frame() for _ in range(3 if leaves else 2)]
        texts = [payload.decode() for opcode, payload in heard if opcode == TEXT]
        assert texts == ['42["message","begins to be stuck"]', '42["message","behind it"]'][: 1 + leaves]
        assert heard[-1][0] == CLOSE

    def test_one_stuck_client_costs_the_others_nothing(self, make_hub: MakeHub) -> None:
        hub = make_hub(outbox_limit=10_000)
        stuck, other = connected(hub), connected(hub)
        stuck.carrier.is_blocked = True
        for number in range(100):
            broadcast([number, "x" * 100])
        assert len(other.heard()) == 100
        assert stuck.carrier.ended == (1008, "slow consumer")

    def test_the_ceiling_of_the_process_protects_the_rest(self, make_hub: MakeHub) -> None:
        hub = make_hub(outbox_limit=10_000, outbox_ceiling=3_000, outbox_policy="drop_newest")
        stuck = [connected(hub) for _ in range(4)]
        quick = connected(hub)
        for client in stuck:
            client.carrier.is_blocked = True
            client.socket().send("first")  # what is written at once does not count; only from now on it is stuck
        counts = [[client.socket().send("x" * 500) for client in stuck] for _ in range(3)]
        assert 0 < sum(map(sum, counts)) < 12
        assert hub.budget.used <= 3_000
        assert quick.socket().send("x" * 5_000) is True
        for client in stuck:
            client.unblock()
        assert hub.budget.used == 0

    def test_a_polling_client_that_does_not_poll_counts_towards_it(self, make_hub: MakeHub) -> None:
        hub = make_hub(outbox_limit=10_000, outbox_ceiling=3_000, outbox_policy="drop_newest")
        client = PollingClient(hub)
        client.join()
        [socket] = client.client.sockets()
        sent = [socket.send("x" * 800) for _ in range(5)]
        assert sent == [True] * 2 + [False] * 3
        assert hub.budget.used > 0
        assert len(client.get()) == 2
        assert hub.budget.used == 0


class TestOneSendPerTurn:
    def test_all_that_one_turn_sends_leaves_in_one_system_call(self, hub: Hub) -> None:
        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> str:
            for number in range(10):
                socket.emit("event", number, b"x")
            return "ack"

        client = wired(hub)
        client.socket.sent.clear()
        client.say(*[f'42{number}["message"]' for number in range(5)])
        frames = [client.peer.receive_frame() for _ in range(5 * 21)]
        assert frames[-1] == (TEXT, b'434["ack"]')
        assert len(client.socket.sent) == 1

    def test_a_broadcast_is_one_system_call_per_receiver(self, hub: Hub) -> None:
        clients = [wired(hub) for _ in range(3)]
        for client in clients:
            client.socket.sent.clear()
        for number in range(10):
            broadcast(number)
        for client in clients:
            assert [client.hear() for _ in range(10)] == [f'42["message",{number}]' for number in range(10)]
            assert len(client.socket.sent) == 1

    def test_each_turn_has_its_own(self, hub: Hub) -> None:
        client = wired(hub)
        client.socket.sent.clear()
        broadcast(1)
        client.hear()
        broadcast(2)
        client.hear()
        assert len(client.socket.sent) == 2

    def test_a_broadcast_is_encoded_and_framed_once(self, hub: Hub) -> None:
        written: list[str] = []

        class Price(Decimal):
            def __str__(self) -> str:
                written.append("1.50")
                return "1.50"

        clients = [wired(hub) for _ in range(5)]
        broadcast(Price("1.5"))
        for client in clients:
            assert client.hear() == '42["message",1.50]'
        assert written == ["1.50"]
        assert len({id(client.socket.sent[-1]) for client in clients}) == 1


class TestClosing:
    def test_the_peer_closes(self, hub: Hub) -> None:
        got: list[str] = []

        @on_disconnect
        def disconnect(request: Any, socket: Any, context: Any) -> None:
            got.append(socket.reason)

        client = wired(hub)
        client.close(1000)
        assert client.peer.receive_frame() == (CLOSE, b"\x03\xe8")
        assert client.peer.is_at_end()
        wait_until(lambda: got)
        assert got == ["transport close"]
        assert client.socket.is_closed

    def test_the_peer_vanishes(self, hub: Hub) -> None:
        client = wired(hub)
        [socket] = client.client.sockets()
        client.peer.close()
        wait_until(lambda: client.socket.is_closed)
        assert socket.reason == "transport close"

    def test_the_engine_is_closed_by_the_client(self, hub: Hub) -> None:
        client = wired(hub)
        [socket] = client.client.sockets()
        client.say("1")
        client.hear_close()
        assert socket.reason == "transport close"

    @pytest.mark.parametrize(
        ("frame", "code"),
        [
            (client_frame(TEXT, b"\xff"), 1007),
            (client_frame(TEXT, b"4", mask=None), 1002),
            (client_frame(3, b"x"), 1002),
            (client_frame(TEXT, b"4" + b"x" * 1_000_001), 1009),
        ],
    )
    def test_a_violation_of_the_protocol_is_told_with_its_code(self, hub: Hub, frame: bytes, code: int) -> None:
        client = wired(hub)
        [socket] = client.client.sockets()
        client.peer.send(frame)
        assert client.hear_close()[0] == code
        assert socket.reason == "transport error"

    def test_a_failure_of_ours_costs_one_client_only(self, hub: Hub, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
        client, other = wired(hub), wired(hub)
        [socket] = client.client.sockets()
        monkeypatch.setattr(hub, "config", FaultySettings())
        client.say("40/side,")
        wait_until(lambda: client.socket.is_closed)
        monkeypatch.undo()
        assert socket.reason == "transport error"
        wait_until(log.causes)
        assert [type(cause) for cause in log.causes()] == [ZeroDivisionError]
        broadcast("x")
        assert other.hear() == '42["message","x"]'

    def test_polling_hears_the_end_with_the_open_get(self, hub: Hub) -> None:
        client = PollingClient(hub)
        client.join()
        [socket] = client.client.sockets()
        poll = gevent.spawn(client.get)
        gevent.sleep(0)
        socket.disconnect(close=True)
        assert poll.get(timeout=5) == ["41", "1"]

    def test_or_with_the_next_one(self, hub: Hub) -> None:
        client = PollingClient(hub)
        client.join()
        [socket] = client.client.sockets()
        socket.send("last")
        socket.disconnect(close=True)
        farewell = hub.farewells[client.handshake["sid"]]
        hub.wheel.cancel(farewell)
        assert farewell.say() == b'42["message","last"]\x1e41\x1e1'
        assert hub.farewells == {}

    def test_who_does_not_come_to_hear_it_is_forgotten(self, make_hub: MakeHub) -> None:
        hub = make_hub(close_timeout=0.02)
        client = PollingClient(hub)
        client.join()
        client.client.sockets()[0].disconnect(close=True)
        assert len(hub.farewells) == 1
        wait_until(lambda: not hub.farewells)

    def test_a_polling_client_that_closes_ends_its_open_get(self, hub: Hub) -> None:
        client = PollingClient(hub)
        client.join()
        poll = gevent.spawn(client.get)
        gevent.sleep(0)
        client.post("1")
        assert poll.get(timeout=5) == ["6"]
        assert hub.clients == {}

    def test_a_silent_polling_client_is_not_said_farewell_to(self, make_hub: MakeHub) -> None:
        hub = make_hub(ping_interval=0.02, ping_timeout=0.01)
        client = PollingClient(hub)
        client.join()
        wait_until(lambda: not hub.clients)
        assert hub.farewells == {}

    def test_closing_twice_is_closing_once(self, hub: Hub, log: Log) -> None:
        client = DummyClient(hub)
        hub.close(client.client, "transport error", close_code=1008, close_reason="first")
        hub.close(client.client, "transport close", close_code=1001, close_reason="second")
        assert client.carrier.ended == (1008, "first")
        wait_until(lambda: log.lines("session"))
        assert [line.partition("closed: ")[2] for line in log.lines("session")] == ["transport error"]
