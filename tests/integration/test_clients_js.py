"""The official JavaScript client against a real server, over polling only, WebSocket only, and an upgrade."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.apps.clients_server import ClientsServer
from tests.support.node import run_node, start_node

pytestmark = pytest.mark.npm

MODES = ("polling", "websocket", "upgrade")
PLACES = ("view", "greenlet", "thread", "raw thread")
ALL_BYTES = {"bytes": bytes(range(256)).hex()}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientsServer]:
    with ClientsServer(tmp_path_factory.mktemp("server")) as running:
        yield running


def runs_once_per_mode(script: str) -> Callable[..., Any]:
    """Make a fixture with what a script of ``tests/js`` reports, run once for each kind of transport."""

    @pytest.fixture(scope="module", params=MODES)
    def reported(
        request: pytest.FixtureRequest, server: ClientsServer, tmp_path_factory: pytest.TempPathFactory
    ) -> Any:
        log = tmp_path_factory.mktemp("client") / "client.log"
        return {**run_node(script, server.url, request.param, log=log), "mode": request.param}

    return reported


connecting = runs_once_per_mode("client_connect.js")
events = runs_once_per_mode("client_events.js")
channels = runs_once_per_mode("client_channels.js")
out_of_band = runs_once_per_mode("client_out_of_band.js")
ends = runs_once_per_mode("client_disconnect.js")
order = runs_once_per_mode("client_order.js")


def transport_of(mode: str) -> str:
    return "polling" if mode == "polling" else "websocket"


class TestConnecting:
    def test_both_sides_know_the_same_id_and_the_handshake_arrives(self, connecting: Any) -> None:
        connect = connecting["connect"]
        hello = connect["hello"]
        assert hello["id"] == connect["id"]
        assert len(connect["id"]) == 20
        assert hello["auth"] == {"token": "tökén"}
        assert hello["query"] == "ä b"
        assert connect["seen"] == [["connect"]]

    def test_the_transport_is_the_one_asked_for(self, connecting: Any) -> None:
        connect = connecting["connect"]
        assert connect["settled"] == transport_of(connecting["mode"])
        assert connect["hello"]["via"] in (
            ("polling", "websocket") if connecting["mode"] == "upgrade" else (connecting["mode"],)
        )
        assert connect["echo"] == ["after the handshake"]

    def test_refused_tells_its_message_and_data(self, connecting: Any) -> None:
        assert connecting["refusedByRaise"] == refusal("not you", {"code": 7, "why": "ünwanted"})

    def test_false_refuses_with_the_standard_message(self, connecting: Any) -> None:
        assert connecting["refusedByFalse"] == refusal("Connection refused")

    def test_an_unknown_namespace_is_refused(self, connecting: Any) -> None:
        assert connecting["unknownNamespace"] == refusal("Invalid namespace")

    def test_a_namespace_has_its_own_socket_and_its_own_handlers(self, connecting: Any) -> None:
        chat = connecting["chat"]
        assert chat["welcome"] == {"namespace": "/chat", "id": chat["id"]}
        assert chat["id"] != chat["rootId"]
        assert chat["ack"] == ["said grüezi"]
        assert chat["heard"] == [{"said": "grüezi"}]

    def test_leaving_a_namespace_leaves_the_connection(self, connecting: Any) -> None:
        assert connecting["chat"]["rootEcho"] == ["still here"]


def refusal(message: str, data: object = None) -> dict[str, object]:
    return {"message": message, "data": data, "connected": False, "active": False, "events": []}


class TestEvents:
    def test_the_transport_is_the_one_asked_for(self, events: Any) -> None:
        assert events["transport"] == transport_of(events["mode"])

    def test_every_kind_of_value_comes_back_as_itself_and_in_order(self, events: Any) -> None:
        assert events["messages"] == {"count": 17, "wrong": [], "withoutArgument": [None]}

    def test_acks_carry_what_the_handler_returned(self, events: Any) -> None:
        acks = events["acks"]
        assert acks["message"] == [{"got": "hi"}]
        assert acks["several"] == [1, "2", {"3": [True]}]
        assert acks["none"] == []
        assert acks["tuple"] == ["a", "b"]

    def test_no_ack_when_the_arguments_do_not_fit_or_the_handler_raised_or_nobody_handles_the_event(
        self, events: Any
    ) -> None:
        assert events["acks"]["after"] == ["after"]
        assert events["acks"]["unexpectedAnswers"] == []
        errors = [details for what, *details in events["seen"] if what == "error"]
        assert errors == [["EventError"], ["ValueError"]]

    def test_the_server_asks_the_client_and_waits_in_the_handler(self, events: Any) -> None:
        questions = events["questions"]
        assert questions["call"] == [{"answer": {"heard": [1, {"two": "drei"}, None]}}]
        assert questions["callBinary"] == [{"answer": {"heard": [ALL_BYTES, {"deep": [ALL_BYTES]}]}}]
        assert questions["together"] == [[{"answer": {"heard": [number]}}] for number in (1, 2, 3)]

    def test_the_server_asks_the_client_with_a_callback(self, events: Any) -> None:
        assert events["questions"]["callback"] == [{"heard": [4, [5], ALL_BYTES]}]

    def test_bytes_arrive_as_bytes_both_ways(self, events: Any) -> None:
        binary = events["binary"]
        assert binary["ack"] == [{"back": ALL_BYTES, "size": 256}]
        assert binary["pushed"] == [ALL_BYTES, {"deep": [{"bytes": ""}, {"deeper": ALL_BYTES}]}, "text"]
        assert binary["message"] == [ALL_BYTES]
        assert ["blob", "bytes", bytes(range(256)).hex()] in events["seen"]

    def test_every_javascript_form_of_bytes_is_understood(self, events: Any) -> None:
        expected = ["text", {"bytes": "010203"}, {"list": [{"bytes": ""}, {"bytes": "ff"}]}]
        assert events["binary"]["mixedAck"] == expected
        assert events["binary"]["mixedPushed"] == expected

    def test_large_binary_values_are_whole(self, events: Any) -> None:
        assert events["binary"]["large"] == {"size": 300_000, "same": True}

    def test_the_connection_outlives_all_of_it(self, events: Any) -> None:
        assert events["connected"] is True


class TestChannels:
    def test_subscribing_and_unsubscribing_say_whether_something_changed(self, channels: Any) -> None:
        assert (channels["subscribe"], channels["subscribeAgain"], channels["subscribeOther"]) == (
            [True],
            [False],
            [True],
        )
        assert (channels["unsubscribe"], channels["unsubscribeAgain"]) == ([True], [False])
        assert channels["byServer"] == [[True, False, True]]

    def test_a_handler_can_veto_a_subscription(self, channels: Any) -> None:
        assert channels["vetoed"] == [False]

    def test_nobody_subscribes_to_the_id_of_another(self, channels: Any) -> None:
        assert channels["othersId"] == [False]

    def test_a_message_to_a_channel_reaches_its_subscribers_alone(self, channels: Any) -> None:
        room = f"room-{channels['mode']}"
        one, two, three = channels["heard"]
        first = [
            {"channel": room, "message": {"text": "für alle"}},
            {"channel": room, "message": {"bytes": "010203"}},
            "from outside",
        ]
        assert two == first
        assert three == []
        assert one[:3] == first
        assert channels["told"] == channels["toldBinary"] == ["told"]

    def test_after_leaving_a_channel_nothing_of_it_arrives(self, channels: Any) -> None:
        room = f"room-{channels['mode']}"
        assert channels["heard"][0][3:] == [
            {"channel": room, "message": "who is left?"},
            {"channel": room, "message": "without an ack"},
            "to no channel",
        ]

    def test_a_message_to_a_channel_of_others_is_refused(self, channels: Any) -> None:
        assert channels["notSubscribed"] == [False]

    def test_handlers_see_the_channels_before_subscribing_and_while_unsubscribing(self, channels: Any) -> None:
        room = f"room-{channels['mode']}"
        one, two = channels["seen"]
        assert one == [["connect"], ["subscribe", room, []], ["subscribe", "forbidden", [room]]]
        assert two == [["connect"], ["subscribe", room, []], ["unsubscribe", room, [room]]]


class TestOutOfBand:
    @pytest.mark.parametrize("place", PLACES)
    def test_helpers_reach_whom_they_name(self, out_of_band: Any, place: str) -> None:
        def sent(kind: str) -> dict[str, str]:
            return {"place": place, "kind": kind}

        one, two = out_of_band["heard"][place]
        assert one == [
            ["message", sent("send")],
            ["message", sent("broadcast")],
            ["news", sent("emit")],
            ["news", ALL_BYTES],
        ]
        assert two == [["message", sent("broadcast_channel")], ["message", sent("broadcast")], ["news", sent("emit")]]

    @pytest.mark.parametrize("place", PLACES)
    def test_nobody_to_reach_is_an_error_of_the_first_three_and_none_of_emit(
        self, out_of_band: Any, place: str
    ) -> None:
        returned = out_of_band["returned"][place]
        assert returned["noSocket"] == {"NoSocket": "There is no socket with the session ID: nobody-has-this-id-1"}
        assert returned["noChannel"] == {"NoSocket": "There are no clients on the channel: an empty channel"}
        assert returned["emitNobody"] == {"returned": 0}
        assert returned["emit"] == returned["emitChannel"] == {"returned": 1}

    @pytest.mark.parametrize("place", PLACES)
    def test_messages_of_one_place_keep_their_order(self, out_of_band: Any, place: str) -> None:
        assert out_of_band["ordered"][place] == list(range(30))


STORY = [["connect"], ["subscribe", "some channel", []]]
CLOSING = [["unsubscribe", "some channel", ["some channel"]], ["finish", ["some channel"]]]


class TestDisconnecting:
    @pytest.mark.parametrize(
        ("way", "client_reason", "server_reason", "comes_back"),
        [
            ("byClient", "io client disconnect", "client namespace disconnect", False),
            ("byServer", "io server disconnect", "server namespace disconnect", False),
            ("byEngine", "forced close", "transport close", True),
        ],
    )
    def test_both_sides_name_the_reason_and_the_server_ends_in_order(
        self, ends: Any, way: str, client_reason: str, server_reason: str, comes_back: bool
    ) -> None:
        assert ends[way] == ending(client_reason, server_reason, active=comes_back)

    def test_a_connection_that_breaks_is_noticed(self, ends: Any) -> None:
        if ends["mode"] == "polling":
            assert "byNetwork" not in ends  # a polling client has no connection of its own that could break
        else:
            assert ends["byNetwork"] == ending("transport close", "transport close", active=True)

    def test_leaving_one_namespace_ends_it_alone_and_one_can_come_back(self, ends: Any) -> None:
        namespace = ends["namespaceOnly"]
        assert namespace["seen"] == [
            ["chat connect"],
            ["disconnect", "client namespace disconnect", False],
            ["finish", []],
        ]
        assert namespace["newId"] is True
        assert namespace["rootEcho"] == ["still here"]
        assert namespace["say"] == ["said back"]

    def test_the_same_client_can_connect_again(self, ends: Any) -> None:
        assert ends["again"] == {"different": 3}


def ending(client_reason: str, server_reason: str, *, active: bool) -> dict[str, Any]:
    seen = [*STORY, ["disconnect", server_reason, False], *CLOSING]
    return {"reason": client_reason, "connected": False, "active": active, "seen": seen}


class TestOrder:
    def test_hundreds_of_messages_each_way_arrive_once_and_in_order(self, order: Any) -> None:
        assert order["sent"]["items"] >= 200
        assert order["items"] == list(range(order["sent"]["items"]))
        assert order["drops"] == list(range(order["sent"]["drops"]))

    def test_the_upgrade_happened_while_messages_were_under_way(self, order: Any) -> None:
        assert order["first"] == ("websocket" if order["mode"] == "websocket" else "polling")
        assert order["settled"] == transport_of(order["mode"])

    def test_forty_emits_in_a_row_are_all_answered(self, order: Any) -> None:
        assert order["row"] == list(range(40))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("crash", [False, True], ids=["stopped", "crashed"])
def test_the_client_comes_back_by_itself_after_a_restart(tmp_path: Path, mode: str, crash: bool) -> None:
    with (
        ClientsServer(tmp_path) as server,
        start_node("client_reconnect.js", server.url, mode, log=tmp_path / "client.log") as client,
    ):
        client.wait_for_line('"connected":true')
        server.restart(crash=crash)
        assert client.wait(timeout=30) == 0, client.output()
        result = json.loads(client.output().splitlines()[-1])
        assert result["reason"] in ("transport close", "transport error")
        assert result["active"] is True
        assert result["newId"] != result["id"]
        assert result["settled"] == transport_of(mode)
        assert result["items"] == [["said while away"]]
        assert result["echoAfter"] == ["after"]
        assert server.seen(result["newId"])[0] == ["connect"]
