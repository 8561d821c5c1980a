"""The hub of a process: one, made from the settings in force; and what a forked child does to it."""

from __future__ import annotations

import logging
import os
import socket as socket_module
from collections.abc import Callable
from typing import Any

import pytest
from gevent import monkey
from gevent.event import Event

from tests.hub.conftest import Log
from tests.support.dummy import connected
from tests.support.scripted import let_the_loop_turn
from tests.support.waiting import wait_until
from tests.support.wired import wired
from webpy_socketio import UsageError, broadcast, config, on_event
from webpy_socketio.events import registry
from webpy_socketio.hub.core import hub_logger
from webpy_socketio.hub.engine_client import EngineClient
from webpy_socketio.hub.hub import Hub, default_hub
from webpy_socketio.hub.mailbox import Mailbox
from webpy_socketio.hub.request import Request
from webpy_socketio.transport.busy_poll import count_cores

real_fork = monkey.get_original("os", "fork")
real_waitpid = monkey.get_original("os", "waitpid")


class TestDefaultHub:
    def test_there_is_one(self, hub: Hub) -> None:
        assert default_hub() is hub is default_hub()
        assert hub.registry is registry

    def test_while_it_is_open_other_settings_do_not_replace_it(self, hub: Hub) -> None:
        config.install(config.Config(ping_interval=99))
        assert default_hub() is hub

    def test_when_it_is_closed_they_do(self, hub: Hub) -> None:
        hub.stop(0)
        config.install(config.Config(ping_interval=99))
        assert default_hub() is not hub
        assert default_hub().config.ping_interval == 99

    def test_opening_it_twice_is_opening_it_once(self, hub: Hub) -> None:
        wheel = hub.wheel
        hub.open()
        assert hub.wheel is wheel


class TestClients:
    def test_they_are_found_by_their_secret_id(self, hub: Hub) -> None:
        client = connected(hub)
        assert hub.engine_client(client.handshake["sid"]) is client.client
        assert hub.engine_client(client.socket().id) is None
        assert hub.engine_client("") is None

    def test_one_that_left_is_not_found(self, hub: Hub) -> None:
        client = connected(hub)
        client.leave()
        assert hub.engine_client(client.handshake["sid"]) is None

    def test_ids_have_twenty_characters_and_do_not_repeat(self, hub: Hub) -> None:
        ids = {hub.new_id() for _ in range(1000)}
        assert len(ids) == 1000
        assert {len(id_) for id_ in ids} == {20}

    def test_another_protocol_may_be_put_on_the_engine(self, make_hub: Any) -> None:
        got: list[Any] = []

        class Echo(EngineClient):
            __slots__ = ()

            def receive_data(self, data: str | bytes) -> None:
                got.append(data)

        hub = Hub(config.current(), registry, Echo)
        hub.open()
        client = hub.open_client(Request({}), upgraded=False)
        assert isinstance(client, Echo)
        client.open(offer_upgrade=False)
        client.receive_message(client.carrier, "4hello")
        client.receive_message(client.carrier, b"\0")
        assert got == ["hello", b"\0"]
        hub.close(client, "forced server close")
        hub.stop(0)

    def test_the_engine_alone_takes_no_messages(self, make_hub: Any) -> None:
        hub = Hub(config.current(), registry, EngineClient)
        hub.open()
        client = hub.open_client(Request({}), upgraded=False)
        client.open(offer_upgrade=False)
        with pytest.raises(NotImplementedError):
            client.receive_message(client.carrier, "4hello")
        hub.stop(0)


class TestForks:
    def in_child(self, function: Callable[[], object]) -> str:
        reader, writer = os.pipe()
        pid = real_fork()
        if pid == 0:
            try:
                os.write(writer, repr(function()).encode())
            except BaseException as error:
                os.write(writer, repr(error).encode())
            finally:
                os._exit(0)
        real_waitpid(pid, 0)
        answer = os.read(reader, 4096).decode()
        os.close(reader)
        os.close(writer)
        return answer

    def test_a_child_closes_its_copies_without_a_word_to_the_peers(self, hub: Hub) -> None:
        client = wired(hub)

        def child() -> object:
            return client.socket.is_closed, len(hub.clients), hub.is_open

        assert self.in_child(child) == "(True, 0, False)"
        client.say('421["__unsubscribe__","x"]')
        assert client.hear() == "431[false]"
        broadcast("x")
        assert client.hear() == '42["message","x"]'

    def test_what_a_child_does_is_this(self, hub: Hub) -> None:
        """In this process, where it is seen what is closed: nothing of it reaches the peer but the loss of the copy."""
        client, candidate = wired(hub), connected(hub, "room")
        copy = socket_module.socket(fileno=socket_module.dup(client.socket.fileno()))
        [socket] = client.client.sockets()
        hub.abandon()
        hub.abandon()
        assert (hub.is_open, hub.is_forked, hub.clients, hub.namespaces) == (False, True, {}, {})
        assert client.socket.is_closed
        assert (socket.connected, candidate.client.sockets()[0].send("x")) == (False, False)
        copy.sendall(b"the parent's copy")
        assert client.peer.receive(17) == b"the parent's copy"
        copy.close()
        with pytest.raises(UsageError, match="forked from a running server"):
            broadcast("x")
        hub.open()
        assert not hub.is_forked

    def test_connections_that_are_closing_are_dropped_too(self, hub: Hub) -> None:
        client = wired(hub)
        hub.close(client.client, "forced server close")
        assert self.in_child(lambda: (client.socket.is_closed, len(hub.wheel))) == "(True, 0)"
        assert client.hear_close()[0] == 1000
        assert not client.socket.is_closed
        client.close()
        assert client.peer.is_at_end()

    def test_sockets_that_the_child_still_holds_send_nothing(self, hub: Hub) -> None:
        client = connected(hub, "room")
        socket = client.socket()
        assert self.in_child(lambda: (socket.connected, socket.send("x"))) == "(False, False)"
        assert socket.connected

    def test_in_a_child_the_log_is_written_though_a_line_of_the_parent_waited(self, hub: Hub, log: Log) -> None:
        def child() -> object:
            hub.open()
            hub.journal(hub_logger, logging.INFO, "of the child")
            wait_until(lambda: "of the child" in log.lines("hub"))
            return log.lines("hub")

        hub.journal(hub_logger, logging.INFO, "of the parent")
        assert self.in_child(child) == "['of the child']"
        wait_until(lambda: log.lines("hub") == ["of the parent"])

    def test_in_a_child_that_a_handler_forked_the_events_behind_it_are_not_handled_again(self, hub: Hub) -> None:
        handled: list[str] = []
        answers: list[str] = []

        @on_event("fork")
        def fork(request: Any, socket: Any, context: Any) -> None:
            answers.append(self.in_child(lambda: [len(worker.desk.mailbox.tasks) for worker in workers]))

        @on_event("next")
        def next_(request: Any, socket: Any, context: Any) -> None:
            handled.append("next")

        workers = hub.workers.workers
        client = connected(hub)
        client.say('42["fork"]', '42["next"]')
        wait_until(lambda: handled == ["next"])
        assert answers == ["[0]"]

    def test_what_blocks_or_waits_in_the_parent_takes_nothing_from_a_child(self, make_hub: Any) -> None:
        hub = make_hub(max_workers=1, outbox_ceiling=1_000)
        release = Event()

        @on_event("block")
        def block(request: Any, socket: Any, context: Any) -> None:
            release.wait()

        client = connected(hub)
        client.say('42["block"]')
        hub.budget.used = 1_000

        def child() -> object:
            hub.open()
            done: list[int] = []
            hub.workers.put(Mailbox(), done.append, 1)
            let_the_loop_turn()
            return done, hub.budget.used

        let_the_loop_turn()
        assert self.in_child(child) == "([1], 0)"
        hub.budget.used = 0
        release.set()
        let_the_loop_turn()


@pytest.mark.parametrize(("settings", "is_wanted"), [({}, True), ({"busy_poll": 0}, False)])
def test_it_looks_for_the_next_message_as_it_is_told(
    make_hub: Callable[..., Hub], settings: dict[str, float], is_wanted: bool
) -> None:
    assert (make_hub(**settings).turn.busy_poll is not None) is (is_wanted and count_cores() >= 2)
