"""Which requests the loop answers itself: the usual ones of sessions that have begun, and no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from webpy_socketio.gateway import direct
from webpy_socketio.gateway.answers import Answer
from webpy_socketio.gateway.direct import Exchange
from webpy_socketio.gateway.post import BATCH
from webpy_socketio.hub.hub import Hub
from webpy_socketio.hub.request import Request
from webpy_socketio.transport.outbox import OutgoingPacket
from webpy_socketio.wire.request_head import decode_head

FRIEND = "http://friend.example"


class Connection:
    """A connection; ``is_lost`` tells that the peer has closed it."""

    is_lost = False

    def is_gone(self) -> bool:
        return self.is_lost


class Asker:
    """One session, and the requests of its client."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.client: Any = hub.open_client(Request({}), upgraded=False)
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1

    def ask(
        self,
        method: str = "GET",
        body: bytes = b"",
        *,
        query: str = "EIO=4&transport=polling",
        sid: str | None = None,
        connection: Connection | None = None,
        length: int | None = None,
        **fields: str,
    ) -> Any:
        """Give what the loop makes of a request."""
        lines = [f"{method} /socket.io/?{query}&sid={sid or self.client.session.sid} HTTP/1.1", "Host: x"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        if body or length is not None:
            lines.append(f"Content-Length: {len(body) if length is None else length}")
        head = decode_head("\r\n".join([*lines, "", ""]).encode(), 10_000)
        assert head is not None
        environ = {**head.environ, "REMOTE_ADDR": "192.0.2.1", "wsgi.url_scheme": "http"}
        return direct.begin(self.hub, head, environ, body, connection or Connection(), self.wake)

    def poll(self, **options: Any) -> Exchange:
        exchange = self.ask(**options)
        assert isinstance(exchange, Exchange)
        return exchange

    def post(self, body: bytes, **options: Any) -> Answer:
        answer, _ = self.ask("POST", body, **options)
        assert isinstance(answer, Answer)
        return answer

    def push(self, text: str) -> None:
        self.client.send(OutgoingPacket(text.encode()))


@pytest.fixture
def asker(hub: Hub) -> Asker:
    return Asker(hub)


class TestPolls:
    def test_what_waits_is_the_answer(self, asker: Asker) -> None:
        asker.push("4a")
        exchange = asker.poll()
        answer = exchange.take_answer()
        assert answer is not None
        assert (answer.status, answer.body) == ("200 OK", b"4a")
        exchange.end(written=True)
        assert asker.client.outbox.packets == []

    def test_without_there_is_none_until_something_comes(self, asker: Asker) -> None:
        exchange = asker.poll()
        assert exchange.take_answer() is None
        asker.push("4a")
        assert asker.woken == 1
        answer = exchange.take_answer()
        assert answer is not None
        assert answer.body == b"4a"

    def test_what_nobody_reads_waits_again(self, asker: Asker) -> None:
        asker.push("4a")
        exchange = asker.poll()
        assert exchange.take_answer() is not None
        exchange.end(written=False)
        again = asker.poll().take_answer()
        assert again is not None
        assert again.body == b"4a"

    def test_one_whose_connection_is_gone_gives_way_to_the_next(self, asker: Asker) -> None:
        gone = Connection()
        first = asker.poll(connection=gone)
        assert first.take_answer() is None
        gone.is_lost = True
        assert asker.poll().take_answer() is None
        answer = first.take_answer()
        assert answer is not None
        assert answer.body == b"6"

    def test_a_large_answer_is_compressed(self, asker: Asker) -> None:
        asker.push("4" * 2_000)
        answer = asker.poll(Accept_Encoding="gzip").take_answer()
        assert answer is not None
        assert ("Content-Encoding", "gzip") in answer.headers

    def test_a_page_that_may_read_it_is_told(self, make_hub: Callable[..., Hub]) -> None:
        asker = Asker(make_hub(cors_allowed_origins=[FRIEND]))
        assert ("Access-Control-Allow-Origin", FRIEND) in asker.poll(Origin=FRIEND).cors


class TestPosts:
    def test_packets_are_taken(self, asker: Asker) -> None:
        answer = asker.post(b"40\x1e40/chat,")
        assert (answer.status, answer.body) == ("200 OK", b"ok")
        assert [name for name, home in asker.hub.namespaces.items() if home] == ["/"]

    def test_one_that_closes_the_session_is_answered_as_usual(self, asker: Asker) -> None:
        assert asker.post(b"1").body == b"ok"
        assert asker.client.is_closed

    def test_one_that_costs_the_session_is_refused(self, asker: Asker) -> None:
        assert asker.post(b"4x").status == "400 Bad Request"
        assert asker.client.is_closed

    def test_if_it_exceeded_a_limit_with_the_status_of_that(self, make_hub: Callable[..., Hub]) -> None:
        asker = Asker(make_hub(max_attachments=1))
        assert asker.post(b'452-["x",{"_placeholder":true,"num":0}]').status == "413 Payload Too Large"

    def test_whose_page_is_told(self, make_hub: Callable[..., Hub]) -> None:
        asker = Asker(make_hub(cors_allowed_origins=[FRIEND]))
        _, cors = asker.ask("POST", b"40", Origin=FRIEND)
        assert ("Access-Control-Allow-Origin", FRIEND) in cors


class TestWhatIsLeftToTheEndpoint:
    """None is given, and nothing has changed."""

    def test_a_session_that_is_unknown(self, asker: Asker) -> None:
        assert asker.ask(sid="nobody") is None

    @pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE"])
    def test_other_methods(self, asker: Asker, method: str) -> None:
        assert asker.ask(method) is None

    @pytest.mark.parametrize(
        "query", ["EIO=4", "EIO=4&transport=smoke", "transport=websocket", "transport=polling&j=0"]
    )
    def test_what_the_endpoint_refuses(self, asker: Asker, query: str) -> None:
        assert asker.ask(query=query) is None
        assert not asker.client.is_closed

    def test_jsonp_where_it_is_on(self, make_hub: Callable[..., Hub]) -> None:
        asker = Asker(make_hub(jsonp=True))
        assert asker.ask(query="EIO=4&transport=polling&j=0") is None

    def test_an_upgrade(self, asker: Asker) -> None:
        fields = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13"}
        query = "EIO=4&transport=websocket"
        assert asker.ask(query=query, Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==", **fields) is None

    def test_a_foreign_page(self, asker: Asker) -> None:
        assert asker.ask("POST", b"1", Origin="http://foe.example") is None
        assert not asker.client.is_closed

    def test_a_page_that_the_application_is_to_be_asked_about(self, make_hub: Callable[..., Hub]) -> None:
        asked: list[str] = []

        def may(origin: str, environ: Any) -> bool:
            asked.append(origin)
            return True

        asker = Asker(make_hub(cors_allowed_origins=may))
        assert asker.ask("POST", b"40", Origin=FRIEND) is None
        assert asker.ask("POST", b"40", Sec_Fetch_Site="cross-site") is None
        assert asker.post(b"40").body == b"ok"  # no page
        assert asked == []

    def test_a_body_that_is_not_all_there_or_that_more_follows(self, asker: Asker) -> None:
        assert asker.ask("POST", b"4", length=2) is None
        assert asker.ask("POST", b"40GET /", length=2) is None
        assert asker.ask("GET", b"4") is None
        assert list(asker.hub.namespaces) == []

    @pytest.mark.parametrize("body", [b"", b"40\x1ex", b"b#"])
    def test_a_payload_with_a_fault(self, asker: Asker, body: bytes) -> None:
        assert asker.ask("POST", body) is None
        assert not asker.client.is_closed

    def test_one_that_is_too_large(self, make_hub: Callable[..., Hub]) -> None:
        asker = Asker(make_hub(max_payload=10, max_packets_per_payload=2))
        assert asker.ask("POST", b"4" * 11) is None
        assert asker.ask("POST", b"3\x1e3\x1e3") is None
        assert asker.post(b"3\x1e3").body == b"ok"

    def test_one_of_so_many_packets_that_others_must_have_their_turn(self, asker: Asker) -> None:
        assert asker.ask("POST", b"\x1e".join([b"3"] * BATCH)) is None
        assert asker.post(b"\x1e".join([b"3"] * (BATCH - 1))).body == b"ok"

    def test_a_second_poll_and_a_second_post(self, asker: Asker) -> None:
        asker.poll()
        assert asker.ask() is None
        asker.client.carrier.post_is_open = True
        assert asker.ask("POST", b"40") is None
        assert not asker.client.is_closed

    def test_a_client_whose_events_have_to_wait(self, asker: Asker) -> None:
        asker.client.pause()
        assert asker.ask("POST", b"40") is None
        assert isinstance(asker.ask(), Exchange)

    def test_a_poll_during_an_upgrade(self, asker: Asker) -> None:
        asker.client.carrier.release()
        assert asker.ask() is None
        assert asker.post(b"40").body == b"ok"

    def test_a_session_that_is_on_a_websocket_or_over(self, hub: Hub) -> None:
        asker = Asker(hub)
        hub.close(asker.client, "forced server close")
        assert asker.ask() is None
        assert asker.client.session.sid in hub.farewells

    def test_everything_while_the_server_stops(self, asker: Asker) -> None:
        asker.hub.is_stopping = True
        assert asker.ask() is None
        assert asker.ask("POST", b"40") is None
        asker.hub.is_stopping = False
