"""Sending without a socket at hand: from any greenlet, and from threads of the operating system."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent import monkey

from tests.hub.conftest import Log
from tests.support.dummy import DummyClient, connected
from tests.support.waiting import wait_until
from webpy_socketio import (
    EventError,
    NoSocket,
    UsageError,
    broadcast,
    broadcast_channel,
    channel_members,
    channels,
    clients,
    disconnect,
    emit,
    on_connect,
    on_disconnect,
    on_message,
    send,
)
from webpy_socketio.hub.hub import Hub

start_thread = monkey.get_original("_thread", "start_new_thread")
allocate_lock = monkey.get_original("_thread", "allocate_lock")
real_ident = monkey.get_original("_thread", "get_ident")
# gevent's own way to wait for a child now and then misses its end.
real_fork = monkey.get_original("os", "fork")
real_waitpid = monkey.get_original("os", "waitpid")
real_sleep = monkey.get_original("time", "sleep")

Runner = Callable[..., Any]


def outcome_of(function: Callable[..., Any], *args: Any, **options: Any) -> tuple[Any, BaseException | None]:
    try:
        return function(*args, **options), None
    except BaseException as error:
        return None, error


def in_a_greenlet(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    value, error = gevent.spawn(outcome_of, function, *args, **options).get(timeout=5)
    if error is not None:
        raise error
    return value


def in_a_thread(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call a function in a real thread of the operating system, while the loop goes on."""
    outcomes: list[tuple[Any, BaseException | None]] = []
    here = real_ident()

    def run() -> None:
        assert real_ident() != here
        outcomes.append(outcome_of(function, *args, **options))

    start_thread(run, ())
    [(value, error)] = wait_until(lambda: outcomes, timeout=5)
    if error is not None:
        raise error
    return value


def directly(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    return function(*args, **options)


@pytest.fixture(params=[directly, in_a_greenlet, in_a_thread], ids=["main", "greenlet", "thread"])
def call(request: pytest.FixtureRequest) -> Runner:
    """A way to call a helper."""
    runner: Runner = request.param
    return runner


@pytest.fixture(autouse=True)
def side(make_hub: Any) -> None:
    on_message(namespace="/side")(lambda request, socket, context, message: None)


class TestSend:
    def test_it_reaches_one_client_by_its_session_id(self, hub: Hub, call: Runner) -> None:
        client, other = connected(hub), connected(hub)
        assert call(send, client.socket().id, {"a": b"1"}) is None
        assert client.wait_for('451-["message",{"a":{"_placeholder":true,"num":0}}]')
        assert client.heard()[1:] == [b"1"]
        assert other.heard() == []

    @pytest.mark.parametrize("id_", ["nobody", "", "A" * 20])
    def test_to_an_unknown_id_it_raises(self, hub: Hub, call: Runner, id_: str) -> None:
        connected(hub)
        with pytest.raises(NoSocket, match=f"^There is no socket with the session ID: {id_}$"):
            call(send, id_, "x")

    def test_the_engines_secret_id_is_none(self, hub: Hub) -> None:
        client = connected(hub)
        with pytest.raises(NoSocket):
            send(client.handshake["sid"], "x")

    def test_a_client_that_left_is_unknown(self, hub: Hub) -> None:
        client = connected(hub)
        id_ = client.socket().id
        client.leave()
        with pytest.raises(NoSocket):
            send(id_, "x")

    def test_a_client_that_is_connecting_is_unknown(self, hub: Hub) -> None:
        got: list[Any] = []

        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            with pytest.raises(NoSocket):
                send(socket.id, "x")
            got.append(socket.id)

        connected(hub)
        assert len(got) == 1

    def test_the_socket_of_another_namespace_is_unknown(self, hub: Hub) -> None:
        client = connected(hub)
        with pytest.raises(NoSocket):
            send(client.join("/side").id, "x")


class TestBroadcast:
    def test_it_reaches_all(self, hub: Hub, call: Runner) -> None:
        everyone = [connected(hub) for _ in range(3)]
        assert call(broadcast, "x") is None
        for client in everyone:
            client.wait_for('42["message","x"]')
            assert len(client.heard()) == 1

    def test_without_clients_it_raises(self, hub: Hub, call: Runner) -> None:
        DummyClient(hub)  # connected, but in no namespace
        with pytest.raises(NoSocket, match=r"^There are no clients\.$"):
            call(broadcast, "x")

    def test_before_any_server_runs_it_raises(self, hub: Hub) -> None:
        hub.stop(0)
        with pytest.raises(NoSocket, match=r"^There are no clients\.$"):
            broadcast("x")


class TestBroadcastChannel:
    def test_it_reaches_the_subscribers(self, hub: Hub, call: Runner) -> None:
        members, other = [connected(hub, "room") for _ in range(2)], connected(hub, "lobby")
        assert call(broadcast_channel, "x", "room") is None
        for client in members:
            client.wait_for('42["message","x"]')
            assert len(client.heard()) == 1
        assert other.heard() == []

    @pytest.mark.parametrize("channel", ["room", "", "A" * 20])
    def test_without_subscribers_it_raises(self, hub: Hub, call: Runner, channel: str) -> None:
        connected(hub, "lobby")
        with pytest.raises(NoSocket, match=f"^There are no clients on the channel: {channel}$"):
            call(broadcast_channel, "x", channel)

    def test_a_channel_that_was_left_has_none(self, hub: Hub) -> None:
        client = connected(hub, "room")
        client.ask("__unsubscribe__", "room")
        with pytest.raises(NoSocket):
            broadcast_channel("x", "room")

    def test_the_same_channel_of_another_namespace_has_none(self, hub: Hub) -> None:
        connected(hub).join("/side").subscribe("room")
        with pytest.raises(NoSocket):
            broadcast_channel("x", "room")


class TestEmit:
    def test_to_everyone(self, hub: Hub, call: Runner) -> None:
        everyone = [connected(hub) for _ in range(3)]
        assert call(emit, "news", 1, "two") == 3
        for client in everyone:
            client.wait_for('42["news",1,"two"]')

    def test_to_a_channel_a_session_id_or_a_list_of_both_and_to_each_once(self, hub: Hub, call: Runner) -> None:
        a, b, c = connected(hub, "x", "y"), connected(hub, "y"), connected(hub)
        ids = {name: client.socket().id for name, client in (("a", a), ("b", b), ("c", c))}
        assert call(emit, "1", to="y") == 2
        assert call(emit, "2", to=ids["c"]) == 1
        assert call(emit, "3", to=["x", "y", ids["a"], ids["c"]]) == 3
        assert call(emit, "4", to=(name for name in ("x", "nobody"))) == 1
        wait_until(lambda: len(a.carrier.sent) == 3)
        assert [client.heard() for client in (a, b, c)] == [
            ['42["1"]', '42["3"]', '42["4"]'],
            ['42["1"]', '42["3"]'],
            ['42["2"]', '42["3"]'],
        ]

    @pytest.mark.parametrize("to", ["nobody", [], ["nobody", "nowhere"], "", ()])
    def test_to_nobody_it_gives_0_and_never_raises(self, hub: Hub, call: Runner, to: Any) -> None:
        client = connected(hub, "room")
        assert call(emit, "x", to=to) == 0
        assert client.heard() == []

    def test_without_a_server_it_gives_0(self, hub: Hub) -> None:
        hub.stop(0)
        assert emit("x") == 0
        assert emit("x", namespace="/nowhere", to="room") == 0

    @pytest.mark.parametrize("as_list", [False, True])
    def test_skip_leaves_out_session_ids(self, hub: Hub, call: Runner, as_list: bool) -> None:
        a, b = connected(hub, "room"), connected(hub, "room")
        skip: Any = [a.socket().id, "nobody"] if as_list else a.socket().id
        assert call(emit, "x", to="room", skip=skip) == 1
        assert call(emit, "y", skip=skip) == 1
        b.wait_for('42["y"]')
        assert (a.heard(), b.heard()) == ([], ['42["x"]', '42["y"]'])

    def test_or_all_subscribers_of_channels(self, hub: Hub, call: Runner) -> None:
        a, b, c = connected(hub, "room", "quiet"), connected(hub, "room"), connected(hub)
        assert call(emit, "x", skip="quiet") == 2
        assert call(emit, "y", to="room", skip=["quiet", "nobody"]) == 1
        assert call(emit, "z", skip=["room", c.socket().id]) == 0
        b.wait_for('42["y"]')
        assert [client.heard() for client in (a, b, c)] == [[], ['42["x"]', '42["y"]'], ['42["x"]']]

    def test_in_a_namespace(self, hub: Hub, call: Runner) -> None:
        main, side = connected(hub), DummyClient(hub)
        side.join("/side").subscribe("room")
        assert call(emit, "x", namespace="/side") == 1
        assert call(emit, "y", to="room", namespace="/side") == 1
        side.wait_for('42/side,["y"]')
        assert side.heard("/side") == ['42/side,["x"]', '42/side,["y"]']
        assert main.heard() == []

    def test_a_volatile_event_is_dropped_for_who_cannot_take_it_at_once(self, hub: Hub, call: Runner) -> None:
        quick, slow = connected(hub), connected(hub)
        slow.carrier.is_blocked = True
        slow.socket().send("waits")
        assert call(emit, "tick", volatile=True) == 1
        quick.wait_for('42["tick"]')
        slow.unblock()
        assert slow.heard() == ['42["message","waits"]']

    def test_a_full_outbox_does_not_count(self, make_hub: Callable[..., Hub]) -> None:
        hub = make_hub(outbox_limit=1_000, outbox_policy="drop_newest")
        client = connected(hub)
        client.carrier.is_blocked = True
        assert [emit("x", "y" * 600) for _ in range(2)] == [1, 0]
        client.unblock()

    @pytest.mark.parametrize("name", ["connect", "disconnect", "__message__", ""])
    def test_reserved_names_are_an_event_error(self, hub: Hub, call: Runner, name: str) -> None:
        with pytest.raises(EventError):
            call(emit, name)


class TestDisconnect:
    def test_a_session_id_a_channel_or_several_of_both(self, hub: Hub, call: Runner) -> None:
        a, b, c, d = connected(hub, "room"), connected(hub, "room"), connected(hub), connected(hub)
        assert call(disconnect, a.socket().id) == 1
        a.wait_for("41")
        assert call(disconnect, ["room", c.socket().id, "nobody"]) == 2
        b.wait_for("41")
        c.wait_for("41")
        assert [client.carrier.ended for client in (a, b, c)] == [None] * 3
        assert clients() == [d.socket().id]
        assert call(disconnect, "nobody") == 0
        assert call(disconnect, clients()) == 1

    def test_with_the_connection(self, hub: Hub, call: Runner) -> None:
        a, b = connected(hub, "room"), connected(hub)
        assert call(disconnect, "room", close=True) == 1
        assert a.wait_for_end() == (1000, "")
        assert "41" in a.take()
        assert (b.carrier.ended, clients()) == (None, [b.socket().id])

    def test_in_a_namespace(self, hub: Hub, call: Runner) -> None:
        client = connected(hub)
        side = client.join("/side")
        assert call(disconnect, side.id) == 0
        assert call(disconnect, side.id, namespace="/side") == 1
        client.wait_for("41/side,")
        assert clients() == [client.socket().id]

    def test_nobody_is_disconnected_by_a_value_that_is_missing(self, hub: Hub) -> None:
        connected(hub)
        with pytest.raises(UsageError, match=r"for everybody, clients\(\)"):
            disconnect(None)  # type: ignore[arg-type]  # that is the test
        assert len(clients()) == 1


class TestAllOfThem:
    @pytest.mark.parametrize(
        ("helper", "arguments"),
        [(send, ["id"]), (broadcast, []), (broadcast_channel, ["room"]), (emit, None)],
        ids=lambda value: getattr(value, "__name__", ""),
    )
    def test_what_cannot_be_encoded_raises_at_the_call(
        self, hub: Hub, call: Runner, helper: Any, arguments: list[Any] | None
    ) -> None:
        client = connected(hub, "room")
        if helper is send:
            arguments = [client.socket().id, object()]
        elif helper is emit:
            arguments = ["event", object()]
        else:
            arguments = [object(), *(arguments or [])]
        with pytest.raises(TypeError, match="object cannot be sent"):
            call(helper, *arguments)
        assert client.heard() == []

    def test_they_are_written_to_the_message_log(self, make_hub: Callable[..., Hub], log: Log, call: Runner) -> None:
        client = connected(make_hub(message_log_format="%(REMOTE_ADDR)s %(TYPE)s: %(MESSAGE)s"), "room")
        call(send, client.socket().id, "to one")
        call(broadcast, "to all")
        call(broadcast_channel, "to some", "room")
        call(emit, "news", 1)
        lines = [line for line in log.lines("messages") if "__" not in line]
        shown = ["to one", "to all", "to some", "['news', 1]"]
        assert [line.partition(": ")[2] for line in lines] == shown
        assert all(line.startswith("- ") for line in lines)


class TestViews:
    def test_they_show_who_is_there(self, hub: Hub, call: Runner) -> None:
        a, b = connected(hub, "room", "lobby"), connected(hub, "room")
        ids = [client.socket().id for client in (a, b)]
        assert call(clients) == ids
        assert call(channels) == ["room", "lobby"]
        assert call(channel_members, "room") == ids
        assert call(channel_members, "lobby") == ids[:1]
        assert call(channel_members, "nowhere") == []

    def test_they_show_one_namespace(self, hub: Hub) -> None:
        client = connected(hub, "main room")
        side = client.join("/side")
        side.subscribe("side room")
        assert (clients("/side"), channels("/side")) == ([side.id], ["side room"])
        assert channel_members("side room", "/side") == [side.id]
        assert (clients("/nowhere"), channels("/nowhere"), channel_members("room", "/nowhere")) == ([], [], [])
        assert channels() == ["main room"]

    def test_they_cannot_be_used_to_change_anything(self, hub: Hub) -> None:
        connected(hub, "room")
        for view in (clients(), channels(), channel_members("room")):
            view.clear()
        assert [len(view) for view in (clients(), channels(), channel_members("room"))] == [1, 1, 1]

    def test_an_empty_channel_is_no_channel(self, hub: Hub) -> None:
        client = connected(hub, "room")
        client.leave()
        assert (channels(), channel_members("room"), clients()) == ([], [], [])


class TestThreads:
    def test_the_order_of_one_thread_is_kept(self, hub: Hub) -> None:
        client = connected(hub, "room")
        id_ = client.socket().id

        def work() -> None:
            for number in range(100):
                send(id_, number)
                emit("message", number + 0.5, to="room")

        in_a_thread(work)
        client.wait_for('42["message",99.5]')
        assert client.take() == [f'42["message",{number / 2:g}]' for number in range(200)]

    def test_several_threads_do_not_lose_anything(self, hub: Hub) -> None:
        client = connected(hub)
        done: list[int] = []

        def work(thread: int) -> None:
            for number in range(50):
                broadcast([thread, number])
            done.append(thread)

        for thread in range(4):
            start_thread(work, (thread,))
        wait_until(lambda: len(done) == 4)
        wait_until(lambda: len(client.carrier.sent) == 200)
        received = [tuple(map(int, re.findall(r"\d+", str(packet))[-2:])) for packet in client.take()]
        assert [sorted(one for one in received if one[0] == thread) for thread in range(4)] == [
            [one for one in received if one[0] == thread] for thread in range(4)
        ]

    def test_they_never_wait_for_the_loop(self, hub: Hub) -> None:
        client = connected(hub)
        lock = allocate_lock()
        lock.acquire()

        def work() -> None:
            broadcast("from the thread")
            lock.release()

        start_thread(work, ())
        # The loop stands still until the helper has returned.
        assert lock.acquire(timeout=5)
        assert client.take() == []
        client.wait_for('42["message","from the thread"]')

    def test_a_sleeping_loop_is_woken(self, hub: Hub) -> None:
        client = connected(hub)

        def work() -> None:
            real_sleep(0.02)
            broadcast("wake up")

        start_thread(work, ())
        client.carrier.arrived.clear()
        assert client.carrier.arrived.wait(5)

    def test_a_client_that_left_meanwhile_is_not_written_to(self, hub: Hub) -> None:
        client = connected(hub)
        lock = allocate_lock()
        lock.acquire()

        def work() -> None:
            broadcast("too late")
            lock.release()

        start_thread(work, ())
        assert lock.acquire(timeout=5)
        client.carrier.receiver.receive_close(client.carrier, 1006, "", False)
        gevent.sleep(0)
        wait_until(lambda: not hub.workers.is_busy)
        assert client.take() == []

    def test_sockets_may_be_used_in_threads_too(self, hub: Hub) -> None:
        got: list[Any] = []

        @on_disconnect
        def disconnect(request: Any, socket: Any, context: Any) -> None:
            got.append((socket.reason, real_ident() == here))

        here = real_ident()
        client, other = connected(hub, "room"), connected(hub, "room")
        socket = client.socket()

        def work() -> list[Any]:
            return [
                socket.send("send"),
                socket.emit("emit", callback=lambda *values: got.append(values)),
                socket.broadcast("all"),
                socket.broadcast_channel("some", "room"),
            ]

        assert in_a_thread(work) == [True, True, 1, 1]
        packet = str(client.wait_for(lambda packet: "emit" in str(packet)))
        assert client.heard() == ['42["message","send"]', packet]
        assert other.heard() == ['42["message","all"]', '42["message","some"]']
        client.say(f"43{packet[2 : packet.index('[')]}[7]")
        in_a_thread(socket.disconnect)
        client.wait_for("41")
        wait_until(lambda: len(got) == 2)
        assert got == [(7,), ("server namespace disconnect", True)]
        assert in_a_thread(socket.send, "x") is False

    def test_call_says_that_it_does_not_work_there(self, hub: Hub) -> None:
        socket = connected(hub).socket()
        with pytest.raises(UsageError, match=r"use emit\(…, callback=…\)"):
            in_a_thread(socket.call, "ask")

    def test_a_patched_thread_is_a_greenlet_and_sends_at_once(self, hub: Hub) -> None:
        client = connected(hub)
        thread = threading.Thread(target=broadcast, args=("x",))
        thread.start()
        thread.join(5)
        assert client.take() == ['42["message","x"]']

    def test_the_hub_cannot_be_stopped_from_another_thread(self, hub: Hub) -> None:
        with pytest.raises(UsageError, match="stopped in the thread that runs it"):
            in_a_thread(hub.stop, 1)
        assert hub.is_open

    def test_sending_while_clients_come_and_go_breaks_nothing(self, hub: Hub) -> None:
        stop: list[int] = []
        failures: list[BaseException] = []

        def work() -> None:
            while not stop:
                try:
                    broadcast("x")
                    broadcast_channel("y", "room")
                    emit("z", to=["room", "lobby"])
                    channels(), clients(), channel_members("room")
                except NoSocket:
                    pass
                except BaseException as error:
                    failures.append(error)
                real_sleep(0)
            stop.append(2)

        start_thread(work, ())
        for _ in range(50):
            client = connected(hub, "room", "lobby")
            client.leave()
        stop.append(1)
        wait_until(lambda: len(stop) == 2)
        assert failures == []


class TestForks:
    @pytest.fixture
    def fork(self) -> Iterator[Callable[[Callable[[], str]], str]]:
        """A function that runs another in a forked child, and gives what it gave."""

        def run(function: Callable[[], str]) -> str:
            reader, writer = os.pipe()
            pid = real_fork()
            if pid == 0:
                try:
                    os.write(writer, function().encode())
                finally:
                    os._exit(0)
            real_waitpid(pid, 0)
            answer = os.read(reader, 4096).decode()
            os.close(writer)
            os.close(reader)
            return answer

        yield run

    @pytest.mark.parametrize(
        "helper",
        [
            lambda: broadcast("x"),
            lambda: broadcast_channel("x", "room"),
            lambda: send("id", "x"),
            lambda: emit("x"),
            clients,
            channels,
            lambda: channel_members("room"),
        ],
        ids=["broadcast", "broadcast_channel", "send", "emit", "clients", "channels", "channel_members"],
    )
    def test_helpers_in_a_forked_child_raise(self, hub: Hub, fork: Any, helper: Callable[[], object]) -> None:
        def child() -> str:
            try:
                return f"gave {helper()}"
            except UsageError as error:
                return str(error)

        connected(hub, "room")
        assert fork(child).startswith("This process was forked from a running server and has none of its clients.")

    def test_the_parent_goes_on(self, hub: Hub, fork: Any) -> None:
        client = connected(hub)
        assert fork(lambda: "child") == "child"
        broadcast("x")
        assert client.heard() == ['42["message","x"]']

    def test_a_child_may_open_a_hub_of_its_own(self, hub: Hub, fork: Any) -> None:
        def child() -> str:
            hub.open()
            return f"{clients()} {emit('x')}"

        connected(hub)
        assert fork(child) == "[] 0"

    def test_a_process_forked_before_the_hub_opened_is_no_child(self, hub: Hub, fork: Any) -> None:
        hub.stop(0)
        assert fork(lambda: str(emit("x"))) == "0"
