"""Limits that strike are visible: to the application's hooks, and in the log; and a flood of them floods nobody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event

from tests.hub.conftest import Log
from tests.hub.test_engine_client import Candidate, PollingClient
from tests.support.dummy import DummyClient, connected
from tests.support.transcripts import client_frame
from tests.support.waiting import wait_until
from tests.support.wired import TEXT, WiredClient, wired
from webpy_socketio import Violation, on_connect, on_event, on_limit, on_message
from webpy_socketio.errors import EventError, UsageError
from webpy_socketio.hub import core, limits
from webpy_socketio.hub.hub import Hub

MakeHub = Callable[..., Hub]


@pytest.fixture
def told(make_hub: MakeHub) -> list[Violation]:
    """What the application's hook was told."""
    violations: list[Violation] = []

    @on_limit
    def hook(violation: Violation) -> None:
        gevent.sleep(0)  # it may wait
        violations.append(violation)

    return violations


def first(told: list[Violation]) -> Violation:
    wait_until(lambda: told, what="a violation")
    [violation] = told
    return violation


class TestTheHook:
    def test_it_is_told_who_what_and_how_much(self, make_hub: MakeHub, told: list[Violation], log: Log) -> None:
        client = connected(make_hub(max_attachments=2))
        socket = client.socket()
        client.say('453-["x"]')
        violation = first(told)
        assert (violation.limit, violation.size, violation.most) == ("max_attachments", 3, 2)
        assert (violation.session_id, violation.socket) == (socket.id, socket)
        assert violation.request["REMOTE_ADDR"] == "192.0.2.7"
        assert client.carrier.ended == (1008, "3 attachments, more than 2")
        line = f"max_attachments exceeded by session {socket.id} from 192.0.2.7: 3, at most 2"
        wait_until(lambda: line in log.lines("session"))

    def test_the_key_to_a_session_is_not_told(self, make_hub: MakeHub, told: list[Violation], log: Log) -> None:
        client = DummyClient(make_hub(max_attachments=2))
        client.say('453-["x"]')
        violation = first(told)
        assert (violation.session_id, violation.socket) == (f"{client.handshake['sid'][:6]}…", None)
        assert client.handshake["sid"] not in repr(violation)

    def test_one_that_fails_or_blocks_costs_nobody_anything(self, make_hub: MakeHub, log: Log) -> None:
        never = Event()
        heard: list[str] = []

        @on_limit
        def blocks(violation: Violation) -> None:
            never.wait(0.2)
            raise gevent.Timeout(1)

        @on_limit
        def listens(violation: Violation) -> None:
            heard.append(violation.limit)

        hub = make_hub(max_attachments=2)
        connected(hub).say('453-["x"]')
        assert connected(hub, "room").socket().channels == ["room"]
        wait_until(lambda: heard == ["max_attachments"])
        assert [text for text, _ in log.errors()] == ["An on_limit function failed"]

    def test_what_cannot_be_called_with_a_violation_is_refused(self, hub: Hub) -> None:
        for wrong in (lambda: None, lambda one, two: None, "text"):
            with pytest.raises(EventError, match="takes \\(violation\\)"):
                on_limit(wrong)  # type: ignore[arg-type, type-var]  # that is the point

    def test_a_builtin_whose_signature_nobody_knows_is_taken(self, hub: Hub) -> None:
        assert on_limit(max) is max  # type: ignore[type-var, comparison-overlap]  # it stands for all of them

    def test_it_may_strike_in_another_thread(self, make_hub: MakeHub, told: list[Violation]) -> None:
        socket = connected(make_hub(max_pending_acks=1)).socket()
        socket.emit("a", callback=print)

        def emit() -> None:
            with pytest.raises(UsageError, match="max_pending_acks"):
                socket.emit("b", callback=print)

        gevent.get_hub().threadpool.apply(emit)
        assert first(told).limit == "max_pending_acks"


class TestAFlood:
    def test_of_one_client_is_summed_up(
        self, make_hub: MakeHub, told: list[Violation], log: Log, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "WINDOW", 0.05)
        hub = make_hub()
        for number in range(1_000):
            hub.strike(Violation("max_payload", number, 10, session_id="one"))
        wait_until(lambda: len(told) == 2)
        assert [(one.count, one.size) for one in told] == [(1, 0), (999, 999)]
        wait_until(lambda: len(log.lines("session")) == 2)
        assert log.lines("session")[1] == "max_payload exceeded 999 times by session one from -: 999, at most 10"

    def test_that_goes_on_is_told_once_in_a_window(
        self, make_hub: MakeHub, told: list[Violation], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "WINDOW", 0.05)
        hub, sent = make_hub(), 0
        while len(told) < 3:
            for _ in range(10):  # in any window, however long the machine takes for its turns
                hub.strike(Violation("max_payload", 11, 10, session_id="one"))
                sent += 1
            gevent.sleep(0.005)
        hub.stop(1)
        assert sum(one.count for one in told) == sent
        assert len(told) < sent / 2

    def test_of_many_clients_is_summed_up_too(
        self, make_hub: MakeHub, told: list[Violation], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "WINDOW", 0.05)
        hub = make_hub()
        for number in range(1_000):
            hub.strike(Violation("max_payload", 11, 10, session_id=str(number)))
        wait_until(lambda: len(told) == limits.MAX_SINGLE + 1)
        crowd = told[-1]
        assert (crowd.count, crowd.session_id, crowd.detail) == (900, "-", "several clients")

    def test_without_a_session_the_address_tells_who_it_is(self, make_hub: MakeHub, told: list[Violation]) -> None:
        hub = make_hub()
        for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
            hub.strike(Violation("max_connections_per_address", 11, 10, request={"REMOTE_ADDR": address}))
        wait_until(lambda: len(told) == 2)

    def test_what_was_not_told_yet_is_told_at_the_end(self, make_hub: MakeHub, told: list[Violation]) -> None:
        hub = make_hub()
        for _ in range(3):
            hub.strike(Violation("max_payload", 11, 10))
        hub.stop(1)
        assert [one.count for one in told] == [1, 2]
        hub.strike(Violation("max_payload", 11, 10))  # of a server that is closed nobody wants to know

    def test_a_hook_that_never_returns_does_not_fill_the_memory(
        self, make_hub: MakeHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "MAX_WAITING", 5)
        gate, calls = Event(), []

        @on_limit
        def blocks(violation: Violation) -> None:
            calls.append(violation)
            gate.wait()

        hub = make_hub()
        for number in range(50):
            hub.strike(Violation("max_payload", 11, 10, session_id=str(number)))
        gevent.sleep(0)
        gate.set()
        wait_until(lambda: not hub.workers.is_busy)
        assert len(calls) <= 6

    def test_a_log_that_is_too_slow_loses_lines_and_says_so(
        self, hub: Hub, log: Log, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(core, "MAX_LINES", 10)
        for number in range(100):
            hub.journal(core.logger, 20, "line %d", number)
        wait_until(lambda: not hub.workers.is_busy)
        assert log.lines("session") == [f"line {number}" for number in range(10)]
        assert log.lines("hub") == ["The log is too slow: lines are left out"]


class TestWhatStrikes:
    """One test for each limit of a client; those on HTTP requests are the gateway's."""

    def test_a_message_on_a_websocket(self, make_hub: MakeHub, told: list[Violation]) -> None:
        client = wired(make_hub(max_payload=1_000))
        client.peer.send(client_frame(TEXT, b"4" * 1_001))
        assert client.hear_close() == (1009, "")
        assert (first(told).limit, told[0].size, told[0].most) == ("max_payload", 1_001, 1_000)

    def test_namespaces(self, make_hub: MakeHub, told: list[Violation]) -> None:
        for name in ("/a", "/b"):
            on_connect(namespace=name)(lambda request, socket, context: None)
        client = DummyClient(make_hub(max_namespaces=2))
        for name in ("/", "/a"):
            client.join(name)
        client.say("40/b,")
        assert client.wait_for_end() == (1008, "more than 2 namespaces")
        assert (first(told).limit, told[0].size, told[0].most) == ("max_namespaces", 3, 2)

    def test_channels_of_all_namespaces_together(self, make_hub: MakeHub, told: list[Violation]) -> None:
        on_message(namespace="/a")(lambda request, socket, context, message: None)
        client = connected(make_hub(max_channels=2), "one")
        client.join("/a")
        client.say('42/a,1["__subscribe__","two"]')
        assert client.wait_for("43/a,1[true]")
        assert client.ask("__subscribe__", "three") == [False]
        assert (first(told).limit, told[0].size, told[0].most) == ("max_channels", 3, 2)

    def test_a_channels_name(self, make_hub: MakeHub, told: list[Violation]) -> None:
        client = connected(make_hub(max_channel_name=5))
        assert client.ask("__subscribe__", "lobby!") == [False]
        assert (first(told).limit, told[0].size, told[0].most) == ("max_channel_name", 6, 5)

    def test_acks_that_a_client_owes(self, make_hub: MakeHub, told: list[Violation]) -> None:
        socket = connected(make_hub(max_pending_acks=1)).socket()
        assert socket.emit("a", callback=print)
        with pytest.raises(UsageError, match="max_pending_acks"):
            socket.emit("b", callback=print)
        assert (first(told).limit, told[0].size, told[0].most) == ("max_pending_acks", 2, 1)

    def test_events_while_a_handler_is_in_call(self, make_hub: MakeHub, told: list[Violation]) -> None:
        hub = make_hub(mailbox_low=1, mailbox_high=2, mailbox_hard=4)

        @on_event("ask")
        def ask(request: Any, socket: Any, context: Any) -> None:
            socket.call("question", timeout=5)

        client = connected(hub)
        client.say('42["ask"]')
        client.say(*['42["other"]'] * 10)
        assert client.wait_for_end() == (1008, "too many events")
        assert (first(told).limit, told[0].size, told[0].most) == ("mailbox_hard", 5, 4)

    def test_posts_while_handlers_do_not_keep_up(self, make_hub: MakeHub, told: list[Violation]) -> None:
        gate = Event()
        hub = make_hub(mailbox_low=1, mailbox_high=2, mailbox_hard=4)

        @on_message
        def blocks(request: Any, socket: Any, context: Any, message: Any) -> None:
            gate.wait()

        client = PollingClient(hub)
        client.join()
        client.post(*['42["message"]'] * 10)
        gevent.sleep(0)
        assert not client.client.wait_until_resumed(0.01)
        assert client.client.is_closed
        assert (first(told).limit, told[0].most) == ("mailbox_hard", 4)
        gate.set()

    @pytest.mark.parametrize("is_polling", [True, False])
    def test_the_outbox(self, make_hub: MakeHub, told: list[Violation], is_polling: bool, log: Log) -> None:
        hub = make_hub(outbox_limit=1_000, ping_interval=5)
        if is_polling:
            client = PollingClient(hub)
            client.join()
            socket = next(iter(hub.sockets("/").values()))
        else:
            dummy = connected(hub)
            dummy.carrier.is_blocked = True
            socket = dummy.socket()
        assert not all(socket.send("x" * 500) for _ in range(3))
        assert (first(told).limit, told[0].most, told[0].socket) == ("outbox_limit", 1_000, socket)
        assert told[0].size > 1_000

    @pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest"])
    def test_an_outbox_that_drops_is_told_once_and_its_end_with_the_number(
        self, make_hub: MakeHub, told: list[Violation], policy: str, log: Log
    ) -> None:
        client = connected(make_hub(outbox_limit=1_500, outbox_policy=policy))
        client.carrier.is_blocked = True
        for number in range(20):
            client.socket().send([number, "x" * 200])
        client.unblock()
        wait_until(lambda: any("17 messages were dropped" in line for line in log.lines("session")))
        assert first(told).limit == "outbox_limit"

    def test_the_ceiling_of_the_process(self, make_hub: MakeHub, told: list[Violation]) -> None:
        client = connected(make_hub(outbox_ceiling=1_000, outbox_policy="drop_newest"))
        client.carrier.is_blocked = True
        client.socket().send("begins to be stuck")
        while client.socket().send("x" * 200):
            pass
        assert (first(told).limit, told[0].most) == ("outbox_ceiling", 1_000)

    def test_the_time_to_join(self, make_hub: MakeHub, told: list[Violation]) -> None:
        client = DummyClient(make_hub(connect_timeout=0.02))
        assert client.wait_for_end() == (1008, "no namespace was joined in time")
        assert (first(told).limit, told[0].most) == ("connect_timeout", 0.02)

    def test_the_time_to_upgrade(self, make_hub: MakeHub, told: list[Violation]) -> None:
        hub = make_hub(upgrade_timeout=0.02)
        client = PollingClient(hub)
        client.join()
        candidate = Candidate(hub, client.client, early=("2probe",))
        assert candidate.hear() == "3probe"
        assert (first(told).limit, told[0].most) == ("upgrade_timeout", 0.02)
        assert not client.client.is_closed

    def test_a_handshake_that_nobody_follows_up_is_reaped(self, make_hub: MakeHub, told: list[Violation]) -> None:
        hub = make_hub(connect_timeout=0.05)
        clients = PollingClient(hub), WiredClient(hub)
        wait_until(lambda: len(told) == 2)
        assert {one.limit for one in told} == {"connect_timeout"}
        assert hub.clients == {}, clients

    def test_also_if_its_silence_is_noticed_first(self, make_hub: MakeHub, told: list[Violation]) -> None:
        hub = make_hub(ping_interval=0.02, ping_timeout=0.02)
        PollingClient(hub)
        assert (first(told).limit, told[0].detail) == ("ping_timeout", "no namespace was joined before")
        assert hub.clients == {}

    def test_but_one_that_falls_silent_later_breaks_no_limit(self, make_hub: MakeHub, told: list[Violation]) -> None:
        hub = make_hub(ping_interval=0.02, ping_timeout=0.02)
        client = connected(hub)
        assert client.wait_for_end()
        assert told == []


class TestComing:
    def test_joins_and_leaves_slow_a_client_down_as_events_do(self, make_hub: MakeHub) -> None:
        gate = Event()

        @on_connect
        def blocks(request: Any, socket: Any, context: Any) -> None:
            gate.wait()

        client = DummyClient(make_hub(mailbox_low=2, mailbox_high=4))
        for _ in range(10):
            client.say("40")
            client.say("41")
            if not client.carrier.is_reading:
                break
        assert not client.carrier.is_reading
        assert client.client.queued > 4
        gate.set()
        wait_until(lambda: client.carrier.is_reading)
        wait_until(lambda: client.client.queued == 0)
