"""The Python client of python-socketio against a real server, over polling only, WebSocket only, and an upgrade."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import socketio

from tests.apps.clients_server import ClientsServer
from tests.support.python_client import end
from tests.support.waiting import wait_until

MODES = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}
PLACES = ("view", "greenlet", "thread", "raw thread")
ALL_BYTES = bytes(range(256))
TIMEOUT = 10.0

VALUES: list[Any] = [
    "hello",
    "",
    "Grüße, 世界, 💬, \x00\x1e\u2028",
    "__subscribe__",
    0,
    -1.5,
    9_007_199_254_740_991,
    True,
    False,
    [],
    [1, [2, [3]]],
    {},
    {"a": {"b": None}, "ключ": ["x"]},
    "x" * 200_000,
]


class Listener:
    """A client and everything that it received, in order: ``[event, *arguments]``."""

    def __init__(self, **options: Any) -> None:
        self.received: list[list[Any]] = []
        # The tests are not to take over Ctrl-C, and reconnect only where that is what they are about.
        self.client = socketio.Client(**{"handle_sigint": False, "reconnection": False, **options})
        for namespace in ("/", "/chat"):
            self.client.on("*", self._catch, namespace=namespace)
            self.client.on("connect_error", self._catch_as("connect_error"), namespace=namespace)
            self.client.on("disconnect", self._catch_as("disconnect"), namespace=namespace)

    def _catch(self, event: str, *arguments: Any) -> None:
        self.received.append([event, *arguments])

    def _catch_as(self, event: str) -> Callable[..., None]:
        return lambda *arguments: self._catch(event, *arguments)

    def named(self, event: str) -> list[Any]:
        """Return the arguments of an event each time it was received: one as itself, several as a list."""
        found = [arguments for name, *arguments in self.received if name == event]
        return [arguments[0] if len(arguments) == 1 else arguments for arguments in found]

    def wait_for(self, event: str, count: int = 1) -> list[Any]:
        wait_until(lambda: len(self.named(event)) >= count, TIMEOUT, f"{count} times {event}")
        return self.named(event)

    def ask(self, event: str, *arguments: Any, namespace: str | None = None) -> Any:
        """Emit and wait for the ack; several values come as a tuple, none as None."""
        return self.client.call(event, arguments, namespace=namespace, timeout=TIMEOUT)

    def barrier(self) -> None:
        """Return when all that the server sent to this client before has arrived: order holds per connection."""
        self.ask("echo", "barrier")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientsServer]:
    with ClientsServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@contextmanager
def connected(
    server: ClientsServer,
    mode: str,
    path: str = "",
    *,
    auth: dict[str, Any] | None = None,
    namespaces: Sequence[str] = ("/",),
    reconnecting: bool = False,
) -> Iterator[Listener]:
    """Connect a client for the length of a block, greeted in all its namespaces."""
    eager = {"reconnection": True, "reconnection_delay": 0.05, "reconnection_delay_max": 0.2}
    listener = Listener(**(eager if reconnecting else {}))
    listener.client.connect(
        server.url + path, transports=MODES[mode], auth=auth, namespaces=[*namespaces], wait_timeout=TIMEOUT
    )
    try:
        for namespace in namespaces:
            listener.wait_for("hello" if namespace == "/" else "welcome")
        assert listener.client.transport() == transport_of(mode)
        yield listener
    finally:
        end(listener.client)


@pytest.fixture
def one(server: ClientsServer, mode: str) -> Iterator[Listener]:
    with connected(server, mode) as listener:
        yield listener


@pytest.fixture
def two(server: ClientsServer, mode: str) -> Iterator[Listener]:
    with connected(server, mode) as listener:
        yield listener


def transport_of(mode: str) -> str:
    return "polling" if mode == "polling" else "websocket"


class TestConnecting:
    def test_both_sides_know_the_same_id_and_the_handshake_arrives(self, server: ClientsServer, mode: str) -> None:
        with connected(server, mode, "/?q=%C3%A4%20b", auth={"token": "tökén"}) as listener:
            hello = listener.named("hello")[0]
            assert hello["id"] == listener.client.get_sid()
            assert hello["auth"] == {"token": "tökén"}
            assert hello["query"] == "ä b"
            assert server.seen(hello["id"]) == [["connect"]]

    @pytest.mark.parametrize(
        ("auth", "namespace", "error"),
        [
            ({"refuse": "raise"}, "/", {"message": "not you", "data": {"code": 7, "why": "ünwanted"}}),
            ({"refuse": "false"}, "/", {"message": "Connection refused"}),
            ({}, "/nowhere", {"message": "Invalid namespace"}),
        ],
        ids=["raised", "returned False", "unknown namespace"],
    )
    def test_a_refused_client_is_told_why(
        self, server: ClientsServer, mode: str, auth: dict[str, str], namespace: str, error: dict[str, Any]
    ) -> None:
        listener = Listener()
        told: list[Any] = []
        listener.client.on("connect_error", told.append, namespace=namespace)
        with pytest.raises(socketio.exceptions.ConnectionError):
            listener.client.connect(
                server.url, transports=MODES[mode], auth=auth, namespaces=[namespace], wait_timeout=TIMEOUT
            )
        assert told == [error]
        assert listener.received == []

    def test_a_namespace_has_its_own_sockets_and_handlers(self, server: ClientsServer, mode: str) -> None:
        with (
            connected(server, mode, namespaces=["/", "/chat"]) as both,
            connected(server, mode, namespaces=["/chat"]) as other,
        ):
            assert both.named("welcome") == [{"namespace": "/chat", "id": both.client.get_sid("/chat")}]
            assert both.client.get_sid("/chat") != both.client.get_sid("/")
            assert both.ask("say", "grüezi", namespace="/chat") == "said grüezi"
            assert other.wait_for("message") == [{"said": "grüezi"}]


class TestEvents:
    def test_every_kind_of_value_comes_back_as_itself_and_in_order(self, one: Listener) -> None:
        for value in VALUES:
            one.client.send([value] if isinstance(value, list) else value)
        expected = [[value] if isinstance(value, list) else value for value in VALUES]
        assert one.wait_for("message", len(VALUES)) == expected

    def test_null_arrives_as_null(self, one: Listener) -> None:
        assert one.ask("echo", None, [None]) == (None, [None])

    def test_acks_carry_what_the_handler_returned(self, one: Listener) -> None:
        assert one.ask("message", "hi") == {"got": "hi"}
        assert one.ask("echo", 1, "2", {"3": [True]}) == (1, "2", {"3": [True]})
        assert one.ask("quiet") is None
        assert one.ask("two", "a", "b") == ("a", "b")

    def test_no_ack_when_the_arguments_do_not_fit_or_the_handler_raised_or_nobody_handles_the_event(
        self, server: ClientsServer, one: Listener
    ) -> None:
        answers: list[Any] = []
        for event in ("two", "broken", "nobody handles this"):
            one.client.emit(event, "one argument", callback=lambda *answer: answers.append(answer))
        # Events of a socket are handled in order: what has no ack when the last has its own will never have one.
        assert one.ask("echo", "after") == "after"
        assert answers == []
        errors = [details for what, *details in server.seen(one.client.get_sid()) if what == "error"]
        assert errors == [["EventError"], ["ValueError"]]

    def test_the_server_asks_the_client_and_waits_in_the_handler(self, one: Listener) -> None:
        one.client.on("question", lambda *arguments: {"heard": list(arguments)})
        assert one.ask("ask me", 1, {"two": "drei"}, None) == {"answer": {"heard": [1, {"two": "drei"}, None]}}
        assert one.ask("ask me", ALL_BYTES, {"deep": [ALL_BYTES]}) == {
            "answer": {"heard": [ALL_BYTES, {"deep": [ALL_BYTES]}]}
        }

    def test_the_server_asks_the_client_with_a_callback(self, one: Listener) -> None:
        one.client.on("question", lambda *arguments: {"heard": list(arguments)})
        one.client.emit("ask me later", (4, [5], ALL_BYTES))
        assert one.wait_for("answered") == [{"heard": [4, [5], ALL_BYTES]}]

    def test_bytes_arrive_as_bytes_both_ways(self, server: ClientsServer, one: Listener) -> None:
        assert one.ask("blob", ALL_BYTES) == {"back": ALL_BYTES, "size": 256}
        assert one.wait_for("blobs") == [[ALL_BYTES, {"deep": [b"", {"deeper": ALL_BYTES}]}, "text"]]
        assert ["blob", "bytes", ALL_BYTES.hex()] in server.seen(one.client.get_sid())
        one.client.send(ALL_BYTES)
        assert one.wait_for("message") == [ALL_BYTES]
        assert one.ask("echo", "text", b"\x01", {"list": [b"", b"\xff"]}) == ("text", b"\x01", {"list": [b"", b"\xff"]})

    def test_large_binary_values_are_whole(self, one: Listener) -> None:
        large = b"0123456789abcdef" * 18_750
        answer = one.ask("blob", large)
        assert answer["size"] == len(large)
        assert answer["back"] == large


class TestChannels:
    def test_subscribing_and_unsubscribing_say_whether_something_changed(
        self, server: ClientsServer, one: Listener, two: Listener
    ) -> None:
        asked = [
            one.ask("__subscribe__", "room-py"),
            one.ask("__subscribe__", "room-py"),
            one.ask("__subscribe__", "forbidden"),
            one.ask("__subscribe__", two.client.get_sid()),
            one.ask("__unsubscribe__", "room-py"),
            one.ask("__unsubscribe__", "room-py"),
        ]
        assert asked == [True, False, False, False, True, False]
        assert server.seen(one.client.get_sid()) == [
            ["connect"],
            ["subscribe", "room-py", []],
            ["subscribe", "forbidden", ["room-py"]],
            ["unsubscribe", "room-py", ["room-py"]],
        ]

    def test_a_message_to_a_channel_reaches_its_subscribers_until_they_leave(
        self, server: ClientsServer, mode: str, one: Listener, two: Listener
    ) -> None:
        room = f"room-py-{mode}"
        with connected(server, mode) as three:
            for listener in (one, two):
                assert listener.ask("__subscribe__", room) is True
            assert one.ask("__message__", room, {"text": "für alle"}) == "told"
            assert two.ask("__message__", room, b"\x01\x02") == "told"
            assert three.ask("__message__", room, "let me in") is False
            three.ask("tell room", room, "from outside")
            two.barrier()
            assert two.ask("__unsubscribe__", room) is True
            one.client.emit("__message__", (room, "who is left?"))
            for listener in (one, two, three):
                listener.barrier()
            both = [
                {"channel": room, "message": {"text": "für alle"}},
                {"channel": room, "message": b"\x01\x02"},
                "from outside",
            ]
            assert two.named("message") == both
            assert one.named("message") == [*both, {"channel": room, "message": "who is left?"}]
            assert three.named("message") == []

    def test_the_server_can_subscribe_a_socket(self, one: Listener) -> None:
        assert one.ask("join by server", "lounge-py") == [True, False, True]


class TestOutOfBand:
    @pytest.mark.parametrize("place", PLACES)
    def test_helpers_reach_whom_they_name(
        self, server: ClientsServer, mode: str, one: Listener, two: Listener, place: str
    ) -> None:
        channel = f"news-py-{mode}"
        sid = one.client.get_sid()
        assert two.ask("__subscribe__", channel) is True
        server.out_of_band(place, "send", sid, "one")
        server.out_of_band(place, "broadcast_channel", channel, "channel")
        server.out_of_band(place, "broadcast", value="all")
        assert server.out_of_band(place, "emit", sid, "emitted") == {"returned": 1}
        assert server.out_of_band(place, "emit binary", sid) == {"returned": 1}
        for listener in (one, two):
            listener.barrier()
        assert one.named("message") == ["one", "all"]
        assert two.named("message") == ["channel", "all"]
        assert one.named("news") == ["emitted", ALL_BYTES]
        assert two.named("news") == []

    @pytest.mark.parametrize("place", PLACES)
    def test_nobody_to_reach_is_an_error(self, server: ClientsServer, place: str) -> None:
        wait_until(lambda: server.counted()["clients"] == 0, TIMEOUT, "no client left over from other tests")
        texts = [
            server.out_of_band(place, "send", "X", 1),
            server.out_of_band(place, "broadcast", value=1),
            server.out_of_band(place, "broadcast_channel", "X", 1),
        ]
        assert texts == [
            {"NoSocket": "There is no socket with the session ID: X"},
            {"NoSocket": "There are no clients."},
            {"NoSocket": "There are no clients on the channel: X"},
        ]
        assert server.out_of_band(place, "emit", None, 1) == {"returned": 0}


class TestDisconnecting:
    def test_by_the_client(self, server: ClientsServer, mode: str, one: Listener) -> None:
        sid = one.client.get_sid()
        one.ask("__subscribe__", "some channel")
        one.client.disconnect()
        # Over WebSocket this client may close the connection before its writer has sent the DISCONNECT packet.
        reasons = ["client namespace disconnect"] + ["transport close"] * (transport_of(mode) == "websocket")
        assert server.wait_until_finished(sid) in [story(reason) for reason in reasons]

    def test_by_the_server(self, server: ClientsServer, one: Listener) -> None:
        sid = one.client.get_sid()
        one.ask("__subscribe__", "some channel")
        one.client.emit("throw me out")
        assert one.wait_for("disconnect") == ["server disconnect"]
        assert server.wait_until_finished(sid) == story("server namespace disconnect")

    def test_by_the_end_of_the_transport(self, server: ClientsServer, one: Listener) -> None:
        sid = one.client.get_sid()
        one.ask("__subscribe__", "some channel")
        one.client.eio.disconnect()
        assert server.wait_until_finished(sid) == story("transport close")


def story(reason: str) -> list[list[Any]]:
    return [
        ["connect"],
        ["subscribe", "some channel", []],
        ["disconnect", reason, False],
        ["unsubscribe", "some channel", ["some channel"]],
        ["finish", ["some channel"]],
    ]


class TestOrder:
    def test_two_hundred_messages_each_way_arrive_once_and_in_order(self, one: Listener) -> None:
        for number in range(200):
            one.client.emit("item", number)
        one.client.emit("flood", (0, 200))
        assert one.wait_for("drop", 200) == list(range(200))
        assert one.ask("items") == list(range(200))

    def test_forty_emits_in_a_row_are_all_answered(self, one: Listener) -> None:
        answers: list[int] = []
        for number in range(40):
            one.client.emit("echo", number, callback=answers.append)
        wait_until(lambda: len(answers) == 40, TIMEOUT, "forty acks")
        assert answers == list(range(40))


@pytest.mark.parametrize("crash", [False, True], ids=["stopped", "crashed"])
def test_the_client_comes_back_by_itself_after_a_restart(tmp_path: Path, mode: str, crash: bool) -> None:
    with ClientsServer(tmp_path) as server, connected(server, mode, reconnecting=True) as listener:
        assert listener.ask("echo", "before") == "before"
        before = listener.client.get_sid()
        server.restart(crash=crash)
        listener.wait_for("hello", 2)
        assert listener.client.get_sid() != before
        assert listener.client.transport() == transport_of(mode)
        assert listener.ask("echo", "after") == "after"
        assert server.seen(listener.client.get_sid()) == [["connect"]]


def test_requests_on_a_kept_connection_do_not_wait_for_delayed_acks(server: ClientsServer) -> None:
    """An answer in several pieces, held back by Nagle's algorithm, takes 40 ms; whole, it takes one."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)

    def took(requests: int) -> float:
        began = time.monotonic()
        for _ in range(requests):
            connection.request("GET", "/seen")
            assert connection.getresponse().read()
            connection.request("POST", "/socket.io/?EIO=4&transport=polling&sid=unknown", b"1")
            assert b"Session ID unknown" in connection.getresponse().read()
        return time.monotonic() - began

    # One of several: another program may have the processor now and then, an ACK is delayed every time.
    assert any(took(5) < 10 * 0.03 for _ in range(25))
    connection.close()
